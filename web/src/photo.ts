/** Image files and samples as pixels; sizes are checked before anything is decoded. */

import { VisitorError } from "./elements";
import { type Image, fromImageData } from "./image";

const MAX_BYTES = 25 * 1024 ** 2;
const MAX_PIXELS = 25_000_000;
const MIN_SIDE = 8;
const LONGEST = 1600; // pixels; faces are looked for in no larger image

/** RGB pixels of an image file, upright, its longer side at most 1600. */
export async function readPhoto(file: Blob): Promise<Image> {
  if (file.size === 0) throw new VisitorError("This file is empty. Choose another image, or use the camera.");
  if (file.size > MAX_BYTES) {
    throw new VisitorError("This file is larger than 25 MB. Save a smaller image, or use the camera.");
  }
  const address = URL.createObjectURL(file);
  try {
    return await readImage(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** RGB pixels of an image at an address of the page's own. */
export async function readImage(address: string): Promise<Image> {
  const image = new globalThis.Image();
  await new Promise<void>((resolve, reject) => {
    image.onload = () => resolve();
    image.onerror = () =>
      reject(new VisitorError("This file is no image that this browser can read. Save it as JPEG or PNG, or use the camera."));
    image.src = address;
  });
  const { naturalWidth: width, naturalHeight: height } = image;
  if (width * height > MAX_PIXELS) {
    throw new VisitorError("This image has more than 25 megapixels. Save it smaller, or use the camera.");
  }
  if (Math.min(width, height) < MIN_SIDE) {
    throw new VisitorError(`This image is only ${width}×${height} pixels. Choose one of at least 8×8 pixels.`);
  }
  return pixelsOf(image, width, height, LONGEST);
}

/** RGB pixels of what a browser can draw, on white, its longer side at most `longest`; a camera gives its own canvas. */
export function pixelsOf(
  source: CanvasImageSource, width: number, height: number, longest: number, canvas = document.createElement("canvas"),
): Image {
  const scale = Math.min(1, longest / Math.max(width, height));
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return fromImageData(context.getImageData(0, 0, canvas.width, canvas.height));
}
