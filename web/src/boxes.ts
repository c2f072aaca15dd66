/** Where faces are on an image, as `workbench/faces/boxes.py` and `detection.py` describe them. */

import { apply, type Affine } from "./image";

/** A square in pixels, turned by `angle` degrees about its center, counter-clockwise on the screen. */
export interface Box {
  x: number; // of the center
  y: number;
  side: number;
  angle: number;
  score: number;
}

/** The same angle in (−180, 180]. */
export const within = (angle: number): number => 180 - modulo(180 - angle, 360);

const modulo = (a: number, n: number): number => ((a % n) + n) % n;

/** An upright box mapped by a similarity, and its angle afterwards. */
export function moved(box: Box, m: Affine, angle: number): Box {
  const [x, y] = apply(m, box.x, box.y);
  return { ...box, x, y, side: box.side * Math.hypot(m[0], m[3]), angle: within(angle) };
}

/** The box on an image that is `factor` times as large. */
export const scaled = (box: Box, factor: number): Box => ({
  ...box,
  x: box.x * factor,
  y: box.y * factor,
  side: box.side * factor,
});

/** Rounded as Python rounds: halves to the even neighbor. */
export function rounded(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/** The square in whole pixels round the same center. */
export function wholePixels(box: Box): Box {
  const side = Math.max(1, rounded(box.side));
  const left = rounded(box.x - side / 2);
  const top = rounded(box.y - side / 2);
  return { ...box, x: left + side / 2, y: top + side / 2, side };
}

/** Whether one box's center is within half a side of the other's, or 30 % of the smaller are in the larger. */
export function sameFace(a: Box, b: Box): boolean {
  const apart = [Math.abs(a.x - b.x), Math.abs(a.y - b.y)];
  const [reach, smaller] = [(a.side + b.side) / 2, Math.min(a.side, b.side)];
  const [w, h] = apart.map((distance) => Math.min(smaller, Math.max(0, reach - distance)));
  return Math.hypot(...apart) <= Math.max(a.side, b.side) / 2 || w * h > 0.3 * smaller ** 2;
}

/** One box for each face, the one with the highest score. */
export function merged(boxes: readonly Box[]): Box[] {
  const kept: Box[] = [];
  const byScore = [...boxes].sort((a, b) => b.score - a.score || b.side - a.side || a.x - a.side / 2 - b.x + b.side / 2);
  for (const box of byScore) if (!kept.some((other) => sameFace(box, other))) kept.push(box);
  return kept;
}

/** The largest centered square of an image. */
export function wholeImage(width: number, height: number): Box {
  const side = Math.min(width, height);
  return {
    x: Math.floor((width - side) / 2) + side / 2,
    y: Math.floor((height - side) / 2) + side / 2,
    side,
    angle: 0,
    score: 0,
  };
}

/** The four corners on the image, in drawing order. */
export function corners({ x, y, side, angle }: Box): [number, number][] {
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  return [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([sx, sy]) => {
    const [dx, dy] = [(sx * side) / 2, (sy * side) / 2];
    return [x + dx * cos + dy * sin, y - dx * sin + dy * cos];
  });
}
