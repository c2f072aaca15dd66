/** A face cut out of an image, upright, and the input that a network gets of it, as `workbench/faces/cropping.py`. */

import { type Box, rounded } from "./boxes";
import { type Image, LANCZOS, blank, reduce, resize, resizeLarge, toGray } from "./image";
import { cut } from "./detection";

const MOST = 512; // pixels a side of a face

/** The square round a box's center, turned upright; beyond the image its border is repeated. */
export function crop(image: Image, box: Box): Image {
  let { x, y, side } = box;
  const factor = Math.max(1, Math.floor(side / (2 * MOST)));
  if (factor > 1) {
    image = reduce(image, factor, factor);
    [x, y, side] = [x / factor, y / factor, side / factor];
  }
  const n = Math.max(1, rounded(side));
  const face = box.angle % 360 === 0 ? square(image, x, y, n) : turned(image, x, y, n, box.angle);
  return n > MOST ? resizeLarge(face, MOST, MOST, LANCZOS) : face;
}

/** Pixels in 0..1 as a network takes them: gray (1, S, S) or RGB (3, S, S). */
export function networkInput(face: Image, channels: number, size: number): Float32Array {
  const small = resize(channels === 1 ? toGray(face) : face, size, size, LANCZOS);
  const out = new Float32Array(channels * size * size);
  for (let i = 0; i < size * size; i++) {
    for (let c = 0; c < channels; c++) out[c * size * size + i] = small.data[i * channels + c] / 255;
  }
  return out;
}

/** Luminance in 0..1 of what a network gets, (S, S). */
export function luminance(face: Image, size: number): Float32Array {
  return networkInput(face, 1, size);
}

/** The upright square of n pixels round (x, y). */
function square(image: Image, x: number, y: number, n: number): Image {
  const [left, top] = [rounded(x - n / 2), rounded(y - n / 2)];
  const { channels, data } = image;
  const out = blank(n, n, channels);
  for (let v = 0, to = 0; v < n; v++) {
    const row = Math.min(image.height - 1, Math.max(0, top + v)) * image.width;
    for (let u = 0; u < n; u++) {
      const from = (row + Math.min(image.width - 1, Math.max(0, left + u))) * channels;
      for (let c = 0; c < channels; c++) out.data[to++] = data[from + c];
    }
  }
  return out;
}

/** The square that is turned by `angle`: a larger upright one, turned back, and its middle. */
function turned(image: Image, x: number, y: number, n: number, angle: number): Image {
  const margin = Math.ceil((n * (Math.SQRT2 - 1)) / 2) + 1;
  const upright = rotate(square(image, x, y, n + 2 * margin), -angle);
  return cut(upright, margin, margin, margin + n, margin + n);
}

/** A square image rotated counter-clockwise about its center, bicubic, as Pillow's `rotate`. */
function rotate(image: Image, angle: number): Image {
  const radians = (-angle * Math.PI) / 180;
  const [cos, sin] = [Math.cos(radians), Math.sin(radians)];
  const [middle, out] = [image.width / 2, blank(image.width, image.height, image.channels)];
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++) {
      const [dx, dy] = [x + 0.5 - middle, y + 0.5 - middle];
      const [sx, sy] = [cos * dx + sin * dy + middle, -sin * dx + cos * dy + middle];
      if (sx < 0 || sy < 0 || sx >= image.width || sy >= image.height) continue;
      bicubic(image, sx - 0.5, sy - 0.5, out.data, (y * out.width + x) * image.channels);
    }
  }
  return out;
}

const cubic = (a: number, b: number, c: number, d: number, t: number): number =>
  b + t * (-a + c + t * (2 * (a - b) + c - d + t * (-a + b - c + d)));

function bicubic(image: Image, x: number, y: number, out: Uint8ClampedArray, to: number): void {
  const { width, height, channels, data } = image;
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const at = (u: number, v: number, c: number): number => {
    const column = Math.min(width - 1, Math.max(0, left + u));
    return data[(Math.min(height - 1, Math.max(0, top + v)) * width + column) * channels + c];
  };
  for (let c = 0; c < channels; c++) {
    const rows = [-1, 0, 1, 2].map((v) => cubic(at(-1, v, c), at(0, v, c), at(1, v, c), at(2, v, c), x - left));
    out[to + c] = Math.floor(cubic(rows[0], rows[1], rows[2], rows[3], y - top));
  }
}
