/** High and low frequencies of an image, as `workbench/analysis/frequency.py` (paper D, equations 2 and 3). */

export type Filter = "gaussian" | "butterworth" | "ideal";

const MASKS: Record<Filter, (r: number, c: number) => number> = {
  gaussian: (r, c) => Math.exp(-((r / c) ** 2) / 2),
  butterworth: (r, c) => 1 / (1 + (r / c) ** 4),
  ideal: (r, c) => (r <= c + 1e-9 ? 1 : 0),
};

export interface Components {
  low: Float32Array;
  high: Float32Array;
  /** Share of the image's contrast in the high frequencies, 0..1. */
  detail: number;
}

/** Split a square image (S, S) at a cut-off frequency in cycles per pixel. */
export function splitFrequencies(image: Float32Array, cutoff: number, filter: Filter): Components {
  const n = Math.sqrt(image.length);
  const spectrum = transform({ re: Float64Array.from(image), im: new Float64Array(image.length) }, n, -1);
  const frequency = (k: number): number => (k < n / 2 ? k : k - n) / n;
  for (let v = 0; v < n; v++) {
    for (let u = 0; u < n; u++) {
      const r = Math.hypot(frequency(v), frequency(u));
      const keep = cutoff === 0 ? Number(r === 0) : MASKS[filter](r, cutoff);
      spectrum.re[v * n + u] *= keep;
      spectrum.im[v * n + u] *= keep;
    }
  }
  const low = Float32Array.from(transform(spectrum, n, 1).re, (value) => value / (n * n));
  const high = image.map((value, i) => value - low[i]);
  const mean = average(image);
  const squares = (values: Float32Array, center: number): number =>
    values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  const contrast = squares(image, mean);
  return { low, high, detail: contrast > 0 ? Math.min(1, squares(high, 0) / contrast) : 0 };
}

export const average = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length;

interface Complex {
  re: Float64Array;
  im: Float64Array;
}

/** The discrete Fourier transform of each row and each column, without a factor; sign 1 is the inverse. */
function transform(plane: Complex, n: number, sign: 1 | -1): Complex {
  const rows = alongRows(plane, n, sign);
  return transposed(alongRows(transposed(rows, n), n, sign), n);
}

function alongRows({ re, im }: Complex, n: number, sign: number): Complex {
  const out = { re: new Float64Array(n * n), im: new Float64Array(n * n) };
  const cos = Float64Array.from({ length: n }, (_, k) => Math.cos((2 * Math.PI * k) / n));
  const sin = Float64Array.from({ length: n }, (_, k) => sign * Math.sin((2 * Math.PI * k) / n));
  for (let row = 0; row < n * n; row += n) {
    for (let k = 0; k < n; k++) {
      let [a, b] = [0, 0];
      for (let i = 0, angle = 0; i < n; i++, angle = (angle + k) % n) {
        a += re[row + i] * cos[angle] - im[row + i] * sin[angle];
        b += re[row + i] * sin[angle] + im[row + i] * cos[angle];
      }
      out.re[row + k] = a;
      out.im[row + k] = b;
    }
  }
  return out;
}

function transposed({ re, im }: Complex, n: number): Complex {
  const swap = (from: Float64Array): Float64Array => from.map((_, i) => from[(i % n) * n + Math.floor(i / n)]);
  return { re: swap(re), im: swap(im) };
}
