import { createError } from '../errors.js';
import { NumberHeap } from './number-heap.js';

/** More than a word has tokens. */
const PLACES = 2 ** 31;
/** In place of a token that was merged into the one before. */
const GONE = -1;

/**
 * Byte-pair encoding: of all neighbours that have a merge, the best pair becomes one token (the leftmost of equals), until none is left.
 * Not @huggingface/tokenizers' BPE: its heap of objects and string keys takes 6 s for a word of 1 MB on the JavaScript thread, this one 0.3 s.
 */
export class BytePairs {
  readonly #tokens: number;
  /** left * tokens + right → how good: 0 is best. */
  readonly #ranks = new Map<number, number>();
  /** By rank. */
  readonly #results: Int32Array;
  /** Pairs of the word at work: rank * PLACES + place. */
  readonly #queue = new NumberHeap();
  /** Places of each token's neighbours in the word at work. */
  #next = new Int32Array(64);
  #previous = new Int32Array(64);

  /**
   * @param ids of the tokens that merges speak of
   * @param tokens more than any id
   * @param merges `a b`, best first
   * @throws MODEL_FILE_KEY_INVALID
   */
  constructor(ids: ReadonlyMap<string, number>, tokens: number, merges: readonly string[]) {
    this.#tokens = tokens;
    this.#results = new Int32Array(merges.length);
    for (const [rank, merge] of merges.entries()) {
      const [left, right, more] = merge.split(' ');
      const pair = [left ?? '', right ?? '', `${left}${right}`].map(text => ids.get(text));
      if (more !== undefined || pair.includes(undefined)) {
        throw createError(
          'MODEL_FILE_KEY_INVALID',
          `tokenizer.ggml.merges: '${merge}' (number ${rank}) is not two tokens that make a third; convert the checkpoint again`,
        );
      }
      const [first, second, result] = pair as [number, number, number];
      this.#ranks.set(first * tokens + second, rank);
      this.#results[rank] = result;
    }
  }

  /** Merges the tokens of one word in place, and appends what they become to `into`. */
  merge(word: Int32Array, into: number[]): void {
    const { length } = word;
    if (length > this.#next.length) {
      this.#next = new Int32Array(2 * length);
      this.#previous = new Int32Array(2 * length);
    }
    for (let at = 0; at < length; at++) {
      this.#next[at] = at + 1;
      this.#previous[at] = at - 1;
    }
    for (let at = 0; at + 1 < length; at++) this.#offer(word, at);
    for (let entry = this.#queue.pop(); entry !== undefined; entry = this.#queue.pop()) {
      const at = entry % PLACES;
      const rank = (entry - at) / PLACES;
      // Its tokens may have been merged with others since.
      if (this.#rankAt(word, at) === rank) this.#join(word, at, rank);
    }
    for (const token of word) if (token >= 0) into.push(token);
  }

  /** Makes one token, at `at`, of the pair there, and offers the pairs that it is in now. */
  #join(word: Int32Array, at: number, rank: number): void {
    const right = this.#next[at] as number;
    const after = this.#next[right] as number;
    word[at] = this.#results[rank] as number;
    word[right] = GONE;
    this.#next[at] = after;
    if (after < word.length) this.#previous[after] = at;
    this.#offer(word, this.#previous[at] as number);
    this.#offer(word, at);
  }

  #offer(word: Int32Array, at: number): void {
    const rank = this.#rankAt(word, at);
    if (rank !== undefined) this.#queue.push(rank * PLACES + at);
  }

  /** Rank of the pair that begins at `at`; undefined where there is no such pair or merge. */
  #rankAt(word: Int32Array, at: number): number | undefined {
    if (at < 0) return undefined;
    const right = this.#next[at] as number;
    if (right >= word.length || word[at] === GONE) return undefined;
    return this.#ranks.get((word[at] as number) * this.#tokens + (word[right] as number));
  }
}
