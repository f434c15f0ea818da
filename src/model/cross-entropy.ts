import { logSumExp } from '../generation/float32.js';
import type { Tensor } from '../tensor.js';
import { rowOf } from './tensor-inputs.js';

/** Labels with this value do not count. */
export const IGNORED = -100;

/**
 * Mean over the labels that count: torch's `CrossEntropyLoss`.
 * @param logits [B,T,V]
 * @param labels [B,T]
 * @param shift how many places ahead a row's label is: 1 where tokens predict the next one
 */
export function crossEntropy(logits: Tensor<Float32Array>, labels: Tensor<Int32Array>, shift: 0 | 1): number {
  const [batch, length, vocabulary] = logits.dims as [number, number, number];
  let [sum, count] = [0, 0];
  for (let row = 0; row < batch; row++) {
    const [values, wanted] = [rowOf(logits, row), rowOf(labels, row)];
    for (let i = 0; i + shift < length; i++) {
      const label = wanted[i + shift] as number;
      if (label === IGNORED) continue;
      const scores = values.subarray(i * vocabulary, (i + 1) * vocabulary);
      sum += logSumExp(scores) - (scores[label] as number);
      count++;
    }
  }
  return sum / count;
}
