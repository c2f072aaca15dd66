/** Predictions of a network with its maps. */

import type { NetworkEntry } from "./manifest";
import { type Session, Tensor, openSession } from "./runtime";

/** Numbers at the positions of a layer, row by row. */
export interface Grid {
  height: number;
  width: number;
  values: Float32Array;
}

export interface Prediction {
  logits: Float32Array;
  /** Calibrated by the network's temperature, summing to 1. */
  probabilities: number[];
  /** Grad-CAM of each class, at least 0, in units of the logit; [] without a layer. */
  maps: Grid[];
  /** The spatial attention maps, in the order of the network's entry. */
  attention: Grid[];
}

export class Network {
  private constructor(
    readonly entry: NetworkEntry,
    private readonly session: Session,
  ) {}

  static async open(entry: NetworkEntry): Promise<Network> {
    return new Network(entry, await openSession(entry.file));
  }

  /** The prediction for pixels in 0..1, (C, S, S). */
  async predict(pixels: Float32Array): Promise<Prediction> {
    const { size, channels, temperature } = this.entry;
    const outputs = await this.session.run({ pixels: new Tensor("float32", pixels, [1, channels, size, size]) });
    const logits = (outputs.logits.data as Float32Array).slice();
    const maps = outputs.maps ? planes(outputs.maps) : [];
    const attention = this.entry.attention.flatMap((_, i) => planes(outputs[`attention_${i}`]));
    for (const tensor of Object.values(outputs)) tensor.dispose();
    return { logits, probabilities: softmax(logits, temperature), maps, attention };
  }

  /** Probabilities alone for gray pixels in 0..1, repeated in each channel, (S, S). */
  async classify(gray: Float32Array): Promise<number[]> {
    const pixels = new Float32Array(gray.length * this.entry.channels);
    for (let c = 0; c < this.entry.channels; c++) pixels.set(gray, c * gray.length);
    return (await this.predict(pixels)).probabilities;
  }
}

function planes(tensor: InstanceType<typeof Tensor>): Grid[] {
  const [height, width] = tensor.dims.slice(-2);
  const data = tensor.data as Float32Array;
  const count = data.length / (height * width);
  return Array.from({ length: count }, (_, i) => ({
    height,
    width,
    values: data.slice(i * height * width, (i + 1) * height * width),
  }));
}

export function softmax(logits: ArrayLike<number>, temperature: number): number[] {
  const scaled = Array.from(logits, (value) => value / temperature);
  const top = Math.max(...scaled);
  const powers = scaled.map((value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

/** A grid at another size: bilinear, half-pixel centers, as torch's `interpolate`. */
export function resizeGrid(grid: Grid, side: number): Float32Array {
  const out = new Float32Array(side * side);
  const at = (position: number, length: number): [number, number, number] => {
    const source = Math.max(0, ((position + 0.5) * length) / side - 0.5);
    const first = Math.min(length - 1, Math.floor(source));
    return [first, Math.min(length - 1, first + 1), source - first];
  };
  for (let y = 0; y < side; y++) {
    const [top, bottom, v] = at(y, grid.height);
    for (let x = 0; x < side; x++) {
      const [left, right, u] = at(x, grid.width);
      const row = (r: number): number =>
        grid.values[r * grid.width + left] * (1 - u) + grid.values[r * grid.width + right] * u;
      out[y * side + x] = row(top) * (1 - v) + row(bottom) * v;
    }
  }
  return out;
}

export function largest(values: Float32Array): number {
  let top = -Infinity;
  for (const value of values) if (value > top) top = value;
  return top;
}
