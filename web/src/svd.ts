/** Singular values and low-rank approximations of an image, as `workbench/analysis/svd.py`. */

export interface Decomposition {
  n: number;
  /** Singular values, in descending order. */
  sigma: Float64Array;
  /** Columns u_i and v_i, one after the other. */
  u: Float64Array[];
  v: Float64Array[];
}

/** The singular value decomposition of a square image, by one-sided Jacobi rotations of its columns. */
export function decompose(image: Float32Array): Decomposition {
  const n = Math.sqrt(image.length);
  const columns = Array.from({ length: n }, (_, j) => Float64Array.from({ length: n }, (_, i) => image[i * n + j]));
  const right = Array.from({ length: n }, (_, j) => Float64Array.from({ length: n }, (_, i) => Number(i === j)));
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) turned = orthogonalize(columns, right, p, q) || turned;
  }
  const lengths = columns.map((column) => Math.sqrt(dot(column, column)));
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a]);
  return {
    n,
    sigma: Float64Array.from(order, (i) => lengths[i]),
    u: order.map((i) => columns[i].map((value) => (lengths[i] > 0 ? value / lengths[i] : 0))),
    v: order.map((i) => right[i]),
  };
}

/** The sum of the first k rank-1 components, (S, S). */
export function rankK({ n, sigma, u, v }: Decomposition, k: number): Float32Array {
  const out = new Float64Array(n * n);
  for (let c = 0; c < k; c++) {
    for (let i = 0; i < n; i++) {
      const weight = sigma[c] * u[c][i];
      for (let j = 0; j < n; j++) out[i * n + j] += weight * v[c][j];
    }
  }
  return Float32Array.from(out);
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Rotate two columns until they are orthogonal; false if they are. */
function orthogonalize(columns: Float64Array[], right: Float64Array[], p: number, q: number): boolean {
  const [a, b, c] = [dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q])];
  if (Math.abs(c) <= 1e-14 * Math.sqrt(a * b) || a * b === 0) return false;
  const zeta = (b - a) / (2 * c);
  const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cos = 1 / Math.hypot(1, t);
  for (const [x, y] of [[columns[p], columns[q]], [right[p], right[q]]]) {
    for (let i = 0; i < x.length; i++) {
      const [first, second] = [x[i], y[i]];
      x[i] = cos * (first - t * second);
      y[i] = cos * (t * first + second);
    }
  }
  return true;
}
