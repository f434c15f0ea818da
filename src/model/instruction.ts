/**
 * Cuts an instruction to the positions that the Q-Former has, from the left as LAVIS does (HF 4.34 crashes there): [CLS] stays, then its end with [SEP].
 * The language model still reads the whole question.
 */
export function fitQFormer(ids: Int32Array, maxTokens: number): Int32Array {
  if (ids.length <= maxTokens) return ids;
  const fitted = new Int32Array(maxTokens);
  fitted[0] = ids[0] as number;
  fitted.set(ids.subarray(ids.length - (maxTokens - 1)), 1);
  return fitted;
}
