/** Spearman's rank correlation, as the page Compare of the workbench. */

/** In −1..1; NaN where one of the two is constant up to rounding. */
export function spearman(a: Float32Array, b: Float32Array): number {
  if (constant(a) || constant(b)) return NaN;
  const [ra, rb] = [ranks(a), ranks(b)];
  const mean = (a.length - 1) / 2;
  let [product, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += (ra[i] - mean) * (rb[i] - mean);
    ofA += (ra[i] - mean) ** 2;
    ofB += (rb[i] - mean) ** 2;
  }
  return product / Math.sqrt(ofA * ofB);
}

function constant(values: Float32Array): boolean {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return high - low <= 1e-6 * Math.max(Math.abs(low), Math.abs(high));
}

/** The rank of each value from 0; equal values share their mean rank. */
function ranks(values: Float32Array): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((i, j) => values[i] - values[j]);
  const out = new Float64Array(values.length);
  for (let first = 0; first < order.length; ) {
    let end = first + 1;
    while (end < order.length && values[order[end]] === values[order[first]]) end++;
    for (let k = first; k < end; k++) out[order[k]] = (first + end - 1) / 2;
    first = end;
  }
  return out;
}
