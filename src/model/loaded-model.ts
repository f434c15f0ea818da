import { setMaxListeners } from 'node:events';
import { createError, DisposedError } from '../errors.js';
import { Vocabulary } from '../generation/grammar/vocabulary.js';
import { AdmissionQueue } from './admission-queue.js';
import { ImageCache } from './image-cache.js';
import type { ModelParts } from './model-parts.js';

/** What all calls of one model share. */
export interface Engine extends ModelParts {
  readonly queue: AdmissionQueue;
  readonly images: ImageCache;
  /** What the language model's tokens are in text. */
  readonly vocabulary: Vocabulary;
  /** Aborts when the model is disposed. */
  readonly lifetime: AbortSignal;
  /** Whose image features these are. */
  readonly owner: object;
}

export interface ModelLimits {
  /** Sequences that may grow at the same time. */
  readonly sequences: number;
  /** Bytes of pictures' features that are kept. Default 0. */
  readonly imageCache?: number;
  /** Called when the model is gone. */
  readonly release?: () => void;
}

/** A model in memory: its engine, the calls that are running, its end. */
export class LoadedModel {
  readonly engine: Engine;
  readonly #lifetime = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #release: () => void;
  #disposed: Promise<void> | undefined;

  constructor(parts: ModelParts, { sequences, imageCache = 0, release = () => {} }: ModelLimits) {
    this.#release = release;
    // Every running call listens; any number may run.
    setMaxListeners(0, this.#lifetime.signal);
    this.engine = {
      ...parts,
      queue: new AdmissionQueue(parts.model.info.contextSize, sequences),
      images: new ImageCache(imageCache),
      vocabulary: new Vocabulary(parts.model.info.vocabularySize, id => parts.tokenizer.tokenText(id)),
      lifetime: this.#lifetime.signal,
      owner: this,
    };
  }

  /** Runs a call. @throws DISPOSED when the model has been disposed */
  async run<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    if (this.#disposed) throw createError('DISPOSED', 'the model has been disposed: load it again');
    const running = work(this.engine);
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
    this.#lifetime.abort(new DisposedError('DISPOSED', 'the model was disposed while the call was running'));
    await Promise.allSettled(this.#running);
    await this.engine.model.dispose();
    this.#release();
  }
}
