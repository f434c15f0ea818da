import { OptionError } from '../errors.js';

/**
 * Changes one row of scores in place. `context` is what HF calls `input_ids`: the preset's prefix (compat.ts) and all tokens generated so far.
 * Scores are raw logits in greedy search and sampling.
 */
export type LogitsProcessor = (context: readonly number[], scores: Float32Array) => void;

/** When processors leave nothing. */
export const noTokenPossible = (): OptionError =>
  new OptionError(
    'OPTION_INVALID',
    'no token is possible: grammar, jsonSchema or choices, or suppressTokens, badWordsIds, minNewTokens, forced tokens or a logits processor, forbid all of them together',
  );

/** Gives these ids no chance. */
export function ban(scores: Float32Array, ids: Iterable<number>): void {
  for (const id of ids) scores[id] = Number.NEGATIVE_INFINITY;
}

/** Leaves only these ids, all at score 0. */
export function force(scores: Float32Array, ids: readonly number[]): void {
  scores.fill(Number.NEGATIVE_INFINITY);
  for (const id of ids) scores[id] = 0;
}
