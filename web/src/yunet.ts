/**
 * Faces found by YuNet (Wu, Peng and Yu 2023), decoded as OpenCV's FaceDetectorYN does and framed as
 * `workbench/faces/yunet.py` does. The constants are those of that file.
 */

import type { Box } from "./boxes";
import type { Image } from "./image";
import { type Session, Tensor } from "./runtime";

const WIDTH = 0.76; // of YuNet's box, in sides of the frame
const LANDMARKS_BELOW_CENTER = 0.075;
const WEAKEST = 0.3;
const OVERLAP = 0.3;
const NARROWEST = 12;
const STRIDES = [8, 16, 32];

interface Hit {
  x: number;
  y: number;
  width: number;
  height: number;
  landmarks: number[];
  score: number;
}

/** Faces with a score of at least 0.3, the strongest first; boxes are upright and framed. */
export async function findFaces(detector: Session, image: Image): Promise<Box[]> {
  if (Math.min(image.width, image.height) < NARROWEST) return [];
  const [width, height] = [padded(image.width), padded(image.height)];
  const input = new Tensor("float32", planes(image, width, height), [1, 3, height, width]);
  const outputs = await detector.run({ input });
  const found: Hit[] = [];
  for (const stride of STRIDES) {
    const values = (name: string) => outputs[`${name}_${stride}`].data as Float32Array;
    found.push(...decoded(stride, width / stride, values("cls"), values("obj"), values("bbox"), values("kps")));
  }
  for (const tensor of Object.values(outputs)) tensor.dispose();
  return suppressed(found)
    .map(framed)
    .filter(({ x, y, side }) => Number.isFinite(x + y + side) && x >= 0 && x <= image.width && y >= 0 && y <= image.height)
    .sort((a, b) => b.score - a.score);
}

/** The next multiple of 32: OpenCV fills the right and the bottom with black. */
const padded = (side: number): number => Math.ceil(side / 32) * 32;

/** Blue, green and red, one after the other. */
function planes(image: Image, width: number, height: number): Float32Array {
  const out = new Float32Array(3 * width * height);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const from = (y * image.width + x) * 3;
      for (let c = 0; c < 3; c++) out[(c * height + y) * width + x] = image.data[from + 2 - c];
    }
  }
  return out;
}

const unit = (value: number): number => Math.min(1, Math.max(0, value));

function decoded(
  stride: number, columns: number, cls: Float32Array, obj: Float32Array, bbox: Float32Array, kps: Float32Array,
): Hit[] {
  const hits: Hit[] = [];
  for (let i = 0; i < cls.length; i++) {
    const score = Math.sqrt(unit(cls[i]) * unit(obj[i]));
    if (score < WEAKEST) continue;
    const [column, row] = [i % columns, Math.floor(i / columns)];
    const width = Math.exp(bbox[4 * i + 2]) * stride;
    const height = Math.exp(bbox[4 * i + 3]) * stride;
    const landmarks = Array.from({ length: 10 }, (_, k) => (kps[10 * i + k] + (k % 2 ? row : column)) * stride);
    const [x, y] = [(column + bbox[4 * i]) * stride - width / 2, (row + bbox[4 * i + 1]) * stride - height / 2];
    hits.push({ x, y, width, height, landmarks, score });
  }
  return hits;
}

/** One hit for each face: of hits that overlap by more than 30 %, in whole pixels, the one with the highest score. */
function suppressed(hits: Hit[]): Hit[] {
  const kept: Hit[] = [];
  for (const hit of [...hits].sort((a, b) => b.score - a.score)) {
    if (kept.every((other) => overlap(hit, other) <= OVERLAP)) kept.push(hit);
  }
  return kept;
}

function overlap(a: Hit, b: Hit): number {
  const [ax, ay, aw, ah] = [a.x, a.y, a.width, a.height].map(Math.trunc);
  const [bx, by, bw, bh] = [b.x, b.y, b.width, b.height].map(Math.trunc);
  const width = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  const height = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (aw * ah + bw * bh - width * height);
}

/** The FER2013 frame of a hit. */
function framed({ width, landmarks, score }: Hit): Box {
  const side = Math.max(1, width / WIDTH);
  const mean = (axis: number): number => [0, 2, 4, 6, 8].reduce((sum, k) => sum + landmarks[k + axis], 0) / 5;
  return { x: mean(0), y: mean(1) - LANDMARKS_BELOW_CENTER * side, side, angle: 0, score: Math.min(1, score) };
}
