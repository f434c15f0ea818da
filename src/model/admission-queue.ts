import { createError } from '../errors.js';

interface Waiting {
  readonly cells: number;
  readonly sequences: number;
  readonly admit: () => void;
}

/**
 * Shares the KV cache between calls: a call reserves its cells and sequence ids before it opens a session, and waits while they are taken. First in,
 * first out without overtaking, so that a long call is not starved by short ones.
 */
export class AdmissionQueue {
  readonly #waiting: Waiting[] = [];
  #freeCells: number;
  #freeSequences: number;

  constructor(
    readonly cells: number,
    readonly sequences: number,
  ) {
    this.#freeCells = cells;
    this.#freeSequences = sequences;
  }

  /**
   * Waits for its turn and takes the share; the result gives it back (once, however often it is called).
   * @throws CONTEXT_LENGTH_EXCEEDED when the share is more than there ever is; the signal's reason when it aborts while waiting
   */
  async acquire(cells: number, sequences: number, signal: AbortSignal): Promise<() => void> {
    this.#checkPossible(cells, sequences);
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#fits(cells, sequences)) await this.#turn(cells, sequences, signal);
    else this.#take(cells, sequences);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#freeCells += cells;
      this.#freeSequences += sequences;
      this.#admitNext();
    };
  }

  /** @throws CONTEXT_LENGTH_EXCEEDED when a call can never have so many */
  checkSequences(sequences: number): void {
    if (sequences <= this.sequences) return;
    throw createError(
      'CONTEXT_LENGTH_EXCEEDED',
      `the call needs ${sequences} sequences at once, but there are ${this.sequences}: load with a larger maxBatch`,
    );
  }

  #checkPossible(cells: number, sequences: number): void {
    this.checkSequences(sequences);
    if (cells <= this.cells) return;
    throw createError(
      'CONTEXT_LENGTH_EXCEEDED',
      `the call needs ${cells} cells of the context, but there are ${this.cells}: shorten the question or maxNewTokens, or load with a larger contextSize`,
    );
  }

  #fits(cells: number, sequences: number): boolean {
    return cells <= this.#freeCells && sequences <= this.#freeSequences;
  }

  #take(cells: number, sequences: number): void {
    this.#freeCells -= cells;
    this.#freeSequences -= sequences;
  }

  #turn(cells: number, sequences: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        cells,
        sequences,
        admit: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason);
        this.#admitNext();
      };
      this.#waiting.push(entry);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #admitNext(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.cells, next.sequences); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#take(next.cells, next.sequences);
      next.admit();
    }
  }
}
