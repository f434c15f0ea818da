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

/** What a caller may want to keep of a search, besides its answers. Nothing is kept unasked: scores of one step are rows x vocabulary floats. */
export interface Wanted {
  /** `Tokens.logprobs`; beams have them anyway. */
  readonly logprobs?: boolean;
  /** `Hypothesis.tokenScores`. */
  readonly tokenScores?: boolean;
  /** `Search.scores`. */
  readonly scores?: boolean;
}

/** Processed scores of each step, by row; a search numbers its rows as HF does: beams, group by group, or answers. Rows that have ended have none. */
export type ScoresOfSteps = readonly ReadonlyMap<number, Float32Array>[];

/** An answer that was found. */
export interface Hypothesis extends Tokens {
  /**
   * Natural logarithms of the processed probabilities of `tokens`, as HF's `compute_transition_scores` gives them: of greedy search and sampling normalized,
   * of beams as they come out of processors and filters. Not asked for: not to be used.
   */
  readonly tokenScores: readonly number[];
  /** The row of `Search.scores` that each of `tokens` was chosen by; of beams. */
  readonly rows: readonly number[];
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
  /** Of the steps so far; [] when they are not wanted. */
  readonly scores: ScoresOfSteps;
}

/** The search that the settings ask for. */
export function createSearch(settings: GenerationSettings, wanted: Wanted = {}): Search {
  const random = seededRandom(settings.seed);
  return settings.numBeams > 1
    ? new BeamSearch(settings, random, wanted)
    : new IndependentSearch(settings, random, wanted);
}
