/**
 * Faces of an image, as `workbench/faces/detection.py` finds them, except for its second detector (OpenCV's cascade),
 * which decides there where YuNet is in doubt: here such a face is not found.
 */

import { type Box, merged, moved, rounded, sameFace, scaled, wholePixels, within } from "./boxes";
import { type Affine, BILINEAR, type Image, apply, blank, composed, inverse, resizeLarge, warp } from "./image";
import type { Session } from "./runtime";
import { findFaces } from "./yunet";

const [LARGE, MEDIUM, SMALL] = [320, 640, 1600];
const MARGIN = 32;
const SMALL_FACE = 0.08;
const LARGEST_SCALE = 6;
const FACE = 0.6;
const SMALL_FACE_SCORE = 0.75;
const [LYING, UPSIDE_DOWN] = [0.8, 0.88];
const BETTER = 0.05;
const TURNS = [90, -90, 45, -45, 180, 135, -135];
const STEP = 30;
const UPRIGHT = 0.88;
const SLIGHT = 15;
const LOOK_SIDE = 64;
const SURROUNDINGS = 2;
const AROUND_LAST = 128;
const STAYS = 0.5;

/** Every face in the image, largest first: squares in whole pixels, framed as FER2013 frames faces. */
export async function detect(detector: Session, image: Image): Promise<Box[]> {
  const scale = Math.min(1, SMALL / Math.max(image.width, image.height));
  const work = resized(image, scale);
  const hits = await uprightHits(detector, work);
  const sure = hits.filter((hit) => hit.score >= FACE);
  const faces: Box[] = [];
  for (const face of merged(sure.length ? sure : await turnedHits(detector, work))) {
    faces.push(await tilted(detector, work, face));
  }
  const boxes = merged(faces).map((face) => wholePixels(scaled(face, 1 / scale)));
  return boxes.sort((a, b) => b.side - a.side || a.x - b.x || a.y - b.y);
}

/** The face of a camera's frame near its last box, at the same tilt; null where it is not found there. */
export async function follow(detector: Session, image: Image, last: Box): Promise<Box | null> {
  const half = (last.side * SURROUNDINGS) / 2;
  const [left, top] = [Math.max(0, rounded(last.x - half)), Math.max(0, rounded(last.y - half))];
  const right = Math.min(image.width, rounded(last.x + half));
  const bottom = Math.min(image.height, rounded(last.y + half));
  if (Math.min(right - left, bottom - top) < 8) return null;
  const hits = await inCopy(detector, cut(image, left, top, right, bottom), AROUND_LAST, 0, rounded(last.angle));
  const sure = hits.filter((hit) => hit.score >= STAYS).map((hit) => ({ ...hit, x: hit.x + left, y: hit.y + top }));
  const distance = (box: Box): number => Math.hypot(box.x - last.x, box.y - last.y);
  const [nearest] = merged(sure).sort((a, b) => distance(a) - distance(b));
  return nearest ? wholePixels(nearest) : null;
}

/** Hits of YuNet, weak ones included, in copies of growing size as far as the image has the pixels. */
async function uprightHits(detector: Session, work: Image): Promise<Box[]> {
  const longer = Math.max(work.width, work.height);
  const surer = (hits: Box[]): Box[] => hits.filter((hit) => hit.score >= SMALL_FACE_SCORE);
  const hits = await inCopy(detector, work, LARGE, MARGIN);
  if (longer > LARGE) hits.push(...surer(await inCopy(detector, work, Math.min(MEDIUM, longer))));
  if (longer > 1.5 * MEDIUM && (!hits.length || Math.min(...hits.map((h) => h.side)) < SMALL_FACE * longer)) {
    const small = (await inCopy(detector, work, longer)).filter((hit) => hit.side < SMALL_FACE * longer);
    hits.push(...surer(small));
  }
  return merged(hits);
}

/** Rotated faces of an image in which none is upright. */
async function turnedHits(detector: Session, work: Image): Promise<Box[]> {
  for (const turn of TURNS) {
    const least = Math.abs(turn) > 90 ? UPSIDE_DOWN : LYING;
    const found = (await inCopy(detector, work, LARGE, 0, turn)).filter((hit) => hit.score >= least);
    if (found.length) return found;
  }
  return [];
}

/** Hits in one copy, `side` pixels long with its margins, turned so that a face rotated by `turn` is upright in it. */
async function inCopy(detector: Session, image: Image, side: number, margin = 0, turn = 0): Promise<Box[]> {
  const scale = Math.min((side - 2 * margin) / Math.max(image.width, image.height), LARGEST_SCALE);
  const pixels = resized(image, scale);
  const { matrix, width, height } = turning(pixels.width, pixels.height, -turn, margin);
  const back = inverse(matrix);
  const copy = turn || margin ? warp(pixels, back, width, height) : pixels;
  return (await findFaces(detector, copy)).map((box) => scaled(moved(box, back, turn), 1 / scale));
}

/** The affine map that rotates an image, and the size of the canvas that holds it. */
function turning(width: number, height: number, turn: number, margin: number) {
  const radians = (turn * Math.PI) / 180;
  const [cos, sin] = [Math.abs(Math.cos(radians)), Math.abs(Math.sin(radians))];
  const canvas = {
    width: rounded(width * cos + height * sin) + 2 * margin,
    height: rounded(width * sin + height * cos) + 2 * margin,
  };
  const m = rotation(width / 2, height / 2, turn, 1);
  const matrix: Affine = [m[0], m[1], m[2] + (canvas.width - width) / 2, m[3], m[4], m[5] + (canvas.height - height) / 2];
  return { matrix, ...canvas };
}

/** As OpenCV's `getRotationMatrix2D`. */
function rotation(x: number, y: number, angle: number, scale: number): Affine {
  const [a, b] = [scale * Math.cos((angle * Math.PI) / 180), scale * Math.sin((angle * Math.PI) / 180)];
  return [a, b, (1 - a) * x - b * y, -b, a, b * x + (1 - a) * y];
}

/** The face at the angle at which YuNet is surest of it; a tilt of less than 15 degrees stays upright. */
async function tilted(detector: Session, work: Image, face: Box): Promise<Box> {
  const around = surroundings(work, face);
  const looks = new Map<number, Box | null>();
  const value = async (angle: number): Promise<number> => {
    const key = within(angle);
    if (!looks.has(key)) looks.set(key, await look(detector, around, face, key));
    return looks.get(key)?.score ?? 0;
  };
  const highest = async (angles: number[], of: (angle: number) => Promise<number>): Promise<number> => {
    let best = angles[0];
    for (const angle of angles.slice(1)) if ((await of(angle)) > (await of(best))) best = angle;
    return best;
  };

  let best = face.angle;
  if ((await value(best)) < UPRIGHT) {
    const all = Array.from({ length: 12 }, (_, i) => -150 + STEP * i);
    best = await highest(all, async (angle) => (await value(angle)) - (Math.abs(angle) > 60 ? BETTER : 0));
  }
  for (;;) {
    const step = await highest([best, best - STEP, best + STEP], value);
    if (step === best) break;
    best = step;
  }
  const found = looks.get(within(best));
  if (!found) return face;
  const angle = within(best + STEP * peak(await value(best - STEP), await value(best), await value(best + STEP)));
  if (Math.abs(angle) < SLIGHT) return face.angle === 0 ? face : { ...found, angle: 0 };
  return { ...found, angle: rounded(angle) };
}

/** Where the parabola through three equally spaced values is highest, in steps from the middle. */
function peak(before: number, middle: number, after: number): number {
  const bend = before - 2 * middle + after;
  return bend >= 0 ? 0 : Math.max(-0.5, Math.min(0.5, (before - after) / (2 * bend)));
}

/** A region of an image, and the affine map from it to the image. */
interface Region {
  image: Image;
  toImage: Affine;
}

function surroundings(work: Image, face: Box): Region {
  const reach = (face.side * SURROUNDINGS) / Math.SQRT2;
  const [left, top] = [Math.max(0, Math.floor(face.x - reach)), Math.max(0, Math.floor(face.y - reach))];
  const right = Math.max(left + 1, Math.min(work.width, Math.ceil(face.x + reach)));
  const bottom = Math.max(top + 1, Math.min(work.height, Math.ceil(face.y + reach)));
  const region = cut(work, left, top, right, bottom);
  const image = resized(region, Math.min(1, LOOK_SIDE / face.side));
  return { image, toImage: [region.width / image.width, 0, left, 0, region.height / image.height, top] };
}

/** The strongest hit on the face in a copy of its surroundings that is rotated upright. */
async function look(detector: Session, around: Region, face: Box, angle: number): Promise<Box | null> {
  const size = LOOK_SIDE * SURROUNDINGS;
  const m = rotation(0, 0, angle, face.side / LOOK_SIDE);
  const turn: Affine = [
    m[0], m[1], face.x - (m[0] + m[1]) * (size / 2),
    m[3], m[4], face.y - (m[3] + m[4]) * (size / 2),
  ];
  const p = composed(inverse(around.toImage), turn);
  const [cx, cy] = apply([p[0], p[1], 0, p[3], p[4], 0], 0.5, 0.5);
  const pick: Affine = [p[0], p[1], p[2] + cx - 0.5, p[3], p[4], p[5] + cy - 0.5]; // the first pixel's center is at 0
  const hits = (await findFaces(detector, warp(around.image, pick, size, size))).map((hit) => moved(hit, turn, angle));
  return hits.find((hit) => sameFace(hit, face)) ?? null;
}

/** The image, `scale` times as large, each side at least one pixel. */
function resized(image: Image, scale: number): Image {
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, rounded(side * scale)));
  if (width === image.width && height === image.height) return image;
  return resizeLarge(image, width, height, BILINEAR);
}

/** A rectangle within an image. */
export function cut(image: Image, left: number, top: number, right: number, bottom: number): Image {
  const out = blank(right - left, bottom - top, image.channels);
  const row = out.width * image.channels;
  for (let y = 0; y < out.height; y++) {
    const from = ((top + y) * image.width + left) * image.channels;
    out.data.set(image.data.subarray(from, from + row), y * row);
  }
  return out;
}
