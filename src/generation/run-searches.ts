import { createError, type InstructBlipError } from '../errors.js';
import type { Search } from './search.js';

/** Where logits come from: a session of the engine, or a script in tests. */
export interface LogitsSource {
  /** Reads the prompt of the next sequence, 0 first; logits [V] of its last position. */
  prefill(): Promise<Float32Array>;
  /**
   * Row i continues the row `parents[i]` of the last step (at first: sequence) with `tokens[i]`; logits [tokens,V]. Parents without a token, behind those with
   * one, wait: they are rows of the next step as they were.
   */
  decode(tokens: Int32Array, parents: Int32Array): Promise<Float32Array>;
}

/** One search with its rows of the last step. */
interface Running {
  readonly search: Search;
  /** Its first row among all rows of the step. */
  readonly first: number;
  readonly rows: readonly Float32Array[];
}

/** `remedy`: a further one, as a sentence of its own. */
export const scoresAreNoNumbers = (remedy = ''): InstructBlipError =>
  createError(
    'MODEL_FILE_CORRUPT',
    `the model's scores are not numbers: its weights are damaged, or too large for the cache or device (kvCacheType 'f32' has the range)${remedy}`,
  );

/** @throws MODEL_FILE_CORRUPT: nothing can be chosen by scores that are no numbers */
function checkNumbers(logits: Float32Array): Float32Array {
  // A loop, because it sees every score of every step.
  for (let i = 0; i < logits.length; i++)
    if (Number.isNaN(logits[i])) throw scoresAreNoNumbers('. removeInvalidValues: true goes on all the same');
  return logits;
}

/**
 * Runs one search for each prompt, all in the same steps: their rows are computed together, and a search that is over leaves no row behind.
 * @param acceptsNaN whether scores that are no numbers are looked after (`removeInvalidValues`)
 * @param onStep after each step of a search, with whether it is over; true = it need not go on
 */
export async function runSearches(
  source: LogitsSource,
  searches: readonly Search[],
  acceptsNaN: boolean,
  onStep: (search: Search, isOver: boolean) => Promise<boolean>,
): Promise<void> {
  const checked = acceptsNaN ? (logits: Float32Array) => logits : checkNumbers;
  let running: Running[] = [];
  for (const [first, search] of searches.entries())
    running.push({ search, first, rows: [checked(await source.prefill())] });
  for (;;) {
    const tokens: number[] = [];
    const parents: number[] = [];
    const going: { search: Search; first: number; count: number }[] = [];
    for (const { search, first, rows } of running) {
      const next = search.advance(rows);
      if ((await onStep(search, next === null)) || !next) continue;
      going.push({ search, first: tokens.length, count: next.tokens.length });
      tokens.push(...next.tokens);
      parents.push(...next.parents.map(parent => first + parent));
    }
    if (going.length === 0) return;
    const logits = checked(await source.decode(Int32Array.from(tokens), Int32Array.from(parents)));
    const width = logits.length / tokens.length;
    const row = (i: number) => logits.subarray(i * width, (i + 1) * width);
    running = going.map(({ search, first, count }) => ({
      search,
      first,
      rows: Array.from({ length: count }, (_, i) => row(first + i)),
    }));
  }
}
