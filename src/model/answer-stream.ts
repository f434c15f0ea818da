import type { Answer } from './answer.js';
import { type AskOptions, validateAskOptions } from './ask-options.js';
import { linkSignals } from './linked-signal.js';

/** Hands pieces over one at a time: `put` waits until its piece was taken, so the model is at most one piece ahead of the reader. */
class Handoff {
  #piece: string | undefined;
  #closed = false;
  #taken: (() => void) | undefined;
  #arrived: (() => void) | undefined;

  put(piece: string): Promise<void> {
    this.#piece = piece;
    this.#arrived?.();
    return new Promise(resolve => {
      this.#taken = resolve;
    });
  }

  close(): void {
    this.#closed = true;
    this.#arrived?.();
  }

  /** After an abort or an error nothing more is delivered. */
  fail(): void {
    this.#piece = undefined;
    this.close();
  }

  /** The next piece, or undefined at the end. */
  async take(): Promise<string | undefined> {
    if (this.#piece === undefined && !this.#closed) {
      await new Promise<void>(resolve => {
        this.#arrived = resolve;
      });
    }
    const piece = this.#piece;
    this.#piece = undefined;
    this.#taken?.();
    return piece;
  }
}

/**
 * A call as an iterator of its pieces; its return value is the answer. The work starts with the first `next()`; leaving the loop early aborts it, and
 * the iterator is closed once the session is freed.
 */
export async function* streamAnswer(
  ask: (options: AskOptions) => Promise<Answer>,
  options: AskOptions,
): AsyncGenerator<string, Answer, void> {
  validateAskOptions(options);
  const left = new AbortController();
  const { signal, unlink } = linkSignals(options.signal, left.signal);
  const handoff = new Handoff();
  const onText = async (piece: string) => {
    await options.onText?.(piece);
    await handoff.put(piece);
  };
  const work = ask({ ...options, signal, onText });
  const closed = work.then(
    () => handoff.close(),
    () => handoff.fail(),
  );
  try {
    for (let piece = await handoff.take(); piece !== undefined; piece = await handoff.take()) yield piece;
    return await work;
  } finally {
    left.abort();
    await closed;
    unlink();
  }
}
