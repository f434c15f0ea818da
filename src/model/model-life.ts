import { setMaxListeners } from 'node:events';
import { createError, DisposedError } from '../errors.js';
import type { NativeModel } from '../native/addon.js';

/** The life of a model in memory: the calls that are running, and its end. */
export class ModelLife {
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #model: Pick<NativeModel, 'dispose'>;
  readonly #release: () => void;
  #disposed: Promise<void> | undefined;

  /** @param release called when the model is gone */
  constructor(model: Pick<NativeModel, 'dispose'>, release: () => void = () => {}) {
    this.#model = model;
    this.#release = release;
    // Every running call listens; any number may run.
    setMaxListeners(0, this.#end.signal);
  }

  /** Aborts when the model is disposed. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Runs a call. @throws DISPOSED when the model has been disposed */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#disposed) throw createError('DISPOSED', 'the model has been disposed: load it again');
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Stops all calls, which reject with `DISPOSED`, and frees the memory; once. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#shutDown();
    return this.#disposed;
  }

  async #shutDown(): Promise<void> {
    this.#end.abort(new DisposedError('DISPOSED', 'the model was disposed while the call was running'));
    await Promise.allSettled(this.#running);
    await this.#model.dispose();
    this.#release();
  }
}
