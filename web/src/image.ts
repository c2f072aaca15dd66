/** Images as plain arrays, and the resampling of Pillow, so that a network gets the same pixels as in the workbench. */

/** Pixels in 0..255, row by row, `channels` values each: 3 for RGB, 1 for gray. */
export interface Image {
  width: number;
  height: number;
  channels: number;
  data: Uint8ClampedArray;
}

export function blank(width: number, height: number, channels: number): Image {
  return { width, height, channels, data: new Uint8ClampedArray(width * height * channels) };
}

/** RGB of what a canvas holds; transparent parts are white already, since canvases are filled first. */
export function fromImageData(source: ImageData): Image {
  const image = blank(source.width, source.height, 3);
  for (let i = 0, j = 0; j < image.data.length; i += 4, j += 3) {
    image.data[j] = source.data[i];
    image.data[j + 1] = source.data[i + 1];
    image.data[j + 2] = source.data[i + 2];
  }
  return image;
}

/** Luminance (ITU-R BT.601) in the fixed-point arithmetic of Pillow's mode "L". */
export function toGray(image: Image): Image {
  const gray = blank(image.width, image.height, 1);
  for (let i = 0, j = 0; i < gray.data.length; i++, j += 3) {
    const [r, g, b] = [image.data[j], image.data[j + 1], image.data[j + 2]];
    gray.data[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
  }
  return gray;
}

/** A filter of Pillow's `resize`: how far it reaches, and its value at a distance. */
interface Filter {
  support: number;
  at(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

export const BILINEAR: Filter = { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) };
export const LANCZOS: Filter = { support: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) };

/** The image at another size, as Pillow's `resize`: antialiased, each direction rounded to 8 bits. */
export function resize(image: Image, width: number, height: number, filter: Filter): Image {
  const across = width === image.width ? image : acrossRows(image, width, image.width, filter);
  return height === across.height ? across : downColumns(across, height, across.height, filter);
}

/**
 * As Pillow's `resize(..., reducing_gap=2.0)`: a large image is first averaged over blocks.
 * The shares of pixels in the last, smaller blocks count as Pillow counts them.
 */
export function resizeLarge(image: Image, width: number, height: number, filter: Filter): Image {
  const fx = Math.max(1, Math.floor(image.width / width / 2));
  const fy = Math.max(1, Math.floor(image.height / height / 2));
  if (fx === 1 && fy === 1) return resize(image, width, height, filter);
  const reduced = reduce(image, fx, fy);
  const across = acrossRows(reduced, width, image.width / fx, filter);
  return downColumns(across, height, image.height / fy, filter);
}

/** Means over blocks of fx × fy pixels, as Pillow's `reduce`. */
export function reduce(image: Image, fx: number, fy: number): Image {
  const { channels } = image;
  const small = blank(Math.ceil(image.width / fx), Math.ceil(image.height / fy), channels);
  for (let y = 0; y < small.height; y++) {
    const bottom = Math.min(image.height, (y + 1) * fy);
    for (let x = 0; x < small.width; x++) {
      const right = Math.min(image.width, (x + 1) * fx);
      const count = (bottom - y * fy) * (right - x * fx);
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let v = y * fy; v < bottom; v++)
          for (let u = x * fx; u < right; u++) sum += image.data[(v * image.width + u) * channels + c];
        small.data[(y * small.width + x) * channels + c] = Math.floor(sum / count + 0.5);
      }
    }
  }
  return small;
}

/** Which pixels count for each new pixel, and how much, in Pillow's fixed-point arithmetic. */
function weightsOf(from: number, span: number, to: number, filter: Filter): { first: number; weights: Float64Array }[] {
  const scale = span / to;
  const stretch = Math.max(1, scale);
  const support = filter.support * stretch;
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(from, Math.trunc(center + support + 0.5));
    const weights = new Float64Array(end - first);
    let sum = 0;
    for (let k = 0; k < weights.length; k++) sum += weights[k] = filter.at((k + first - center + 0.5) / stretch);
    for (let k = 0; k < weights.length; k++) {
      const scaled = (weights[k] / sum) * (1 << 22);
      weights[k] = Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
    }
    return { first, weights };
  });
}

const to8Bits = (sum: number): number => Math.floor((sum + (1 << 21)) / (1 << 22));

function acrossRows(image: Image, width: number, span: number, filter: Filter): Image {
  const { channels, data } = image;
  const out = blank(width, image.height, channels);
  const columns = weightsOf(image.width, span, width, filter);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) {
      const { first, weights } = columns[x];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        let at = (y * image.width + first) * channels + c;
        for (let k = 0; k < weights.length; k++, at += channels) sum += weights[k] * data[at];
        out.data[(y * width + x) * channels + c] = to8Bits(sum);
      }
    }
  }
  return out;
}

function downColumns(image: Image, height: number, span: number, filter: Filter): Image {
  const { data } = image;
  const stride = image.width * image.channels;
  const out = blank(image.width, height, image.channels);
  const rows = weightsOf(image.height, span, height, filter);
  for (let y = 0; y < height; y++) {
    const { first, weights } = rows[y];
    for (let x = 0; x < stride; x++) {
      let sum = 0;
      let at = first * stride + x;
      for (let k = 0; k < weights.length; k++, at += stride) sum += weights[k] * data[at];
      out.data[y * stride + x] = to8Bits(sum);
    }
  }
  return out;
}

/** A matrix (2, 3) of an affine map: (x, y) → (a x + b y + c, d x + e y + f). */
export type Affine = readonly [number, number, number, number, number, number];

export const apply = (m: Affine, x: number, y: number): [number, number] => [
  m[0] * x + m[1] * y + m[2],
  m[3] * x + m[4] * y + m[5],
];

export function inverse(m: Affine): Affine {
  const d = m[0] * m[4] - m[1] * m[3];
  const [a, b, c, e] = [m[4] / d, -m[1] / d, -m[3] / d, m[0] / d];
  return [a, b, -(a * m[2] + b * m[5]), c, e, -(c * m[2] + e * m[5])];
}

/** The affine map that applies `first`, then `second`. */
export function composed(second: Affine, first: Affine): Affine {
  const [c, f] = apply(second, first[2], first[5]);
  return [
    second[0] * first[0] + second[1] * first[3], second[0] * first[1] + second[1] * first[4], c,
    second[3] * first[0] + second[4] * first[3], second[3] * first[1] + second[4] * first[4], f,
  ];
}

/**
 * The image seen through an affine map, bilinear, its border repeated, as OpenCV's `warpAffine`.
 * @param toSource maps a pixel of the result to the image; pixel centers are whole numbers.
 */
export function warp(image: Image, toSource: Affine, width: number, height: number): Image {
  const { channels, data } = image;
  const out = blank(width, height, channels);
  const clampX = (x: number): number => Math.min(image.width - 1, Math.max(0, x));
  const clampY = (y: number): number => Math.min(image.height - 1, Math.max(0, y));
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += channels) {
      const [sx, sy] = apply(toSource, x, y).map((v) => Math.round(v * 32) / 32); // OpenCV's 5 bits of a fraction
      const [left, top] = [Math.floor(sx), Math.floor(sy)];
      const [u, v] = [sx - left, sy - top];
      const [x0, x1] = [clampX(left), clampX(left + 1)];
      const [y0, y1] = [clampY(top) * image.width, clampY(top + 1) * image.width];
      for (let c = 0; c < channels; c++) {
        const upper = data[(y0 + x0) * channels + c] * (1 - u) + data[(y0 + x1) * channels + c] * u;
        const lower = data[(y1 + x0) * channels + c] * (1 - u) + data[(y1 + x1) * channels + c] * u;
        out.data[to + c] = Math.floor(upper * (1 - v) + lower * v + 0.5);
      }
    }
  }
  return out;
}
