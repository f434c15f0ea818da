import { Vocabulary } from '../generation/grammar/vocabulary.js';
import { AdmissionQueue } from './admission-queue.js';
import { ImageCache } from './image-cache.js';
import type { FeatureOwner } from './image-features.js';
import { ModelLife } from './model-life.js';
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
  readonly owner: FeatureOwner;
}

export interface ModelLimits {
  /** Sequences that may grow at the same time. */
  readonly sequences: number;
  /** Bytes of pictures' features that are kept. Default 0. */
  readonly imageCache?: number;
  /** Called when the model is gone. */
  readonly release?: () => void;
}

/** A whole model in memory: its engine, the calls that are running, its end. */
export class LoadedModel {
  readonly engine: Engine;
  readonly #life: ModelLife;

  constructor(parts: ModelParts, { sequences, imageCache = 0, release }: ModelLimits) {
    this.#life = new ModelLife(parts.model, release);
    this.engine = {
      ...parts,
      queue: new AdmissionQueue(parts.model.info.contextSize, sequences),
      images: new ImageCache(imageCache),
      vocabulary: new Vocabulary(parts.model.info.vocabularySize, id => parts.tokenizer.tokenText(id)),
      lifetime: this.#life.signal,
      owner: { visionIdentity: parts.visionIdentity },
    };
  }

  /** Runs a call. @throws DISPOSED when the model has been disposed */
  run<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    return this.#life.run(() => work(this.engine));
  }

  /** Stops all calls, which reject with `DISPOSED`, and frees the memory; once. */
  dispose(): Promise<void> {
    return this.#life.dispose();
  }
}
