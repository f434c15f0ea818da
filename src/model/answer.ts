import type { FinishReason } from '../generation/answer-writer.js';

/** What one call counted, in tokens. */
export interface Usage {
  /** Soft tokens of the picture (32 for the hub's checkpoints). */
  readonly imageTokens: number;
  /** Tokens of the question, with BOS. */
  readonly promptTokens: number;
  /** Tokens of the answer, with the one that ended it. */
  readonly generatedTokens: number;
}

/** Milliseconds that each stage took; 0 for a stage that was not needed. `total` also counts waiting for other calls and for callbacks. */
export interface Timings {
  readonly preprocess: number;
  readonly vision: number;
  readonly qformer: number;
  readonly prefill: number;
  readonly decode: number;
  readonly total: number;
  /** Not a time: pictures whose features were known already (`imageCache`), so that they took no `vision`. */
  readonly cachedImages: number;
}

/** The answer to one question. */
export interface Answer {
  /**
   * Without special tokens and without white space at either end, as HF's `batch_decode(…, skip_special_tokens=True)[0].strip()`. Under `grammar`, `jsonSchema` and
   * `choices`: what they allow, neither stripped nor cleaned up.
   */
  readonly text: string;
  /** Generated ids, with the stop id. */
  readonly tokens: number[];
  /** 'stop': a stop id or stop string; 'length': the limit; 'abort': aborted, with `stopOnAbort`. */
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
}

export type Stage = Exclude<keyof Timings, 'total' | 'cachedImages'>;

/** Sums the time of each stage of one call. */
export class StageClock {
  readonly #start = performance.now();
  readonly #spent: Record<Stage, number> = { preprocess: 0, vision: 0, qformer: 0, prefill: 0, decode: 0 };

  #cachedImages = 0;

  countCachedImage(): void {
    this.#cachedImages += 1;
  }

  async measure<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#spent[stage] += performance.now() - start;
    }
  }

  timings(): Timings {
    return { ...this.#spent, total: performance.now() - this.#start, cachedImages: this.#cachedImages };
  }
}
