/** What every way of searching for an answer has in common: logits of its rows in, what the rows continue with out. Knows no engine and no text. */
import { BeamSearch } from './beam-search.js';
import type { GenerationSettings } from './generation-settings.js';
import { IndependentSearch } from './independent-search.js';
import { seededRandom } from './random.js';

/** Rows of the next step: row i continues the row `parents[i]` of this one with `tokens[i]`. */
export interface Continuation {
  readonly tokens: readonly number[];
  readonly parents: readonly number[];
}

/** Tokens of an answer, or of its beginning. */
export interface Tokens {
  /** Generated ids, with the stop id if there is one. */
  readonly tokens: readonly number[];
  /** Natural logarithms of the model's own probabilities of `tokens`, before any processor; of a search that was not asked for them: empty. */
  readonly logprobs: readonly number[];
}

/** An answer that was found. */
export interface Hypothesis extends Tokens {
  /** By a stop id, not by the length limit. */
  readonly stopped: boolean;
  /** Beam search: sum of the processed log-probabilities over length^lengthPenalty; else null. */
  readonly score: number | null;
}

export interface Search {
  /**
   * @param rows raw logits [V] of each row of the last continuation; in the beginning the prompt's one. They may be changed.
   * @returns what goes on, or null when the search is over
   */
  advance(rows: readonly Float32Array[]): Continuation | null;
  /** What the first answer begins with, whatever comes: never taken back. */
  settled(): Tokens;
  /** The answers, best first; when the search is over. */
  hypotheses(): readonly Hypothesis[];
}

/** The search that the settings ask for. `wantsLogprobs`: `Tokens.logprobs` are needed; beams have them anyway. */
export function createSearch(settings: GenerationSettings, wantsLogprobs: boolean): Search {
  const random = seededRandom(settings.seed);
  return settings.numBeams > 1
    ? new BeamSearch(settings, random)
    : new IndependentSearch(settings, random, wantsLogprobs);
}
