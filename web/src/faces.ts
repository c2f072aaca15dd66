/** The face that the page explains: a sample, a face of a photograph, or of a camera's frame. */

import { type Box, wholeImage } from "./boxes";
import { crop } from "./cropping";
import { detect } from "./detection";
import type { Image } from "./image";
import type { Session } from "./runtime";

const SMALL = 64; // pixels a side: below it, and nearly square, an image is a cropped face
const NEARLY_SQUARE = 0.8;
const COVERED = 0.9;

/** An image with its faces. */
export interface Seen {
  image: Image;
  boxes: Box[];
  /** Index of the face that is shown. */
  chosen: number;
}

/** The face that is shown, cropped; the center of the image if none was found. */
export function faceOf({ image, boxes, chosen }: Seen): Image {
  return crop(image, boxes[chosen] ?? wholeImage(image.width, image.height));
}

/** The faces of an image, as `detect_or_whole` of the workbench: the whole image if it is a cropped face. */
export async function findFacesIn(detector: Session, image: Image): Promise<Box[]> {
  const [shorter, longer] = [Math.min(image.width, image.height), Math.max(image.width, image.height)];
  const square = shorter >= NEARLY_SQUARE * longer;
  const whole = [wholeImage(image.width, image.height)];
  if (square && longer <= SMALL) return whole;
  const boxes = await detect(detector, image);
  return square && boxes.length && covered(image, boxes[0]) > COVERED ? whole : boxes;
}

/** Share of the image that lies in an upright box; 0 for a rotated one. */
function covered(image: Image, { x, y, side, angle }: Box): number {
  if (angle) return 0;
  const width = Math.min(image.width, x + side / 2) - Math.max(0, x - side / 2);
  const height = Math.min(image.height, y + side / 2) - Math.max(0, y - side / 2);
  return (Math.max(0, width) * Math.max(0, height)) / (image.width * image.height);
}
