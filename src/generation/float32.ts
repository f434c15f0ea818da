/** Arithmetic on rows of scores, rounded to float32 where PyTorch rounds. Minus infinity stands for "cannot be chosen". */

/** Largest element; -Infinity for a row without any (NaN never wins). */
export function maximum(scores: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (score > largest) largest = score;
  }
  return largest;
}

/** Probabilities in float32; the sum is taken in double, as an exact sum would be rounded. */
export function softmax(scores: Float32Array): Float32Array {
  const largest = maximum(scores);
  const result = new Float32Array(scores.length);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    const weight = Math.exp((scores[i] as number) - largest);
    result[i] = weight;
    sum += weight;
  }
  for (let i = 0; i < result.length; i++) result[i] = (result[i] as number) / sum;
  return result;
}

/** log(sum(exp(scores))), in double. */
export function logSumExp(scores: Float32Array): number {
  const largest = maximum(scores);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += Math.exp((scores[i] as number) - largest);
  return largest + Math.log(sum);
}

/** Log-probabilities in float32, with PyTorch's two roundings: score - max - log(sum(exp(score - max))). `to` may be `scores`. */
export function logSoftmax(scores: Float32Array, to: Float32Array = new Float32Array(scores.length)): Float32Array {
  const largest = maximum(scores);
  const logSum = Math.fround(logSumExp(scores) - largest);
  for (let i = 0; i < scores.length; i++) to[i] = Math.fround((scores[i] as number) - largest) - logSum;
  return to;
}

/** The k-th largest value, 1 <= k <= length. */
export function kthLargest(scores: Float32Array, k: number): number {
  // A typed array without a comparator sorts numerically, and much faster than with one.
  const sorted = scores.slice().sort();
  return sorted[sorted.length - k] as number;
}
