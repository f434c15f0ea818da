import { writeWholeFile } from '../convert/output-files.js';
import { createError } from '../errors.js';
import { shown } from '../generation/validate-options.js';
import { encodeFeatures } from './features-file.js';
import type { VisionIdentity } from './vision-identity.js';

/** A loaded model, as its image features know it. */
export interface FeatureOwner {
  readonly visionIdentity: () => Promise<VisionIdentity>;
}

/**
 * The vision encoder's result for one picture: the expensive part, computed once and asked any number of times (`InstructBlip.encodeImage`).
 * Plain memory (about 1.4 MB for ViT-g), freed by the garbage collector; belongs to the model that made it. Saved ones come back through
 * `InstructBlip.loadImageFeatures`, also in another process.
 */
export class ImageFeatures {
  /** [tokens, hidden size], float32. */
  readonly shape: readonly [number, number];
  readonly #data: Float32Array;
  readonly #owner: FeatureOwner;

  /** @internal */
  constructor(owner: FeatureOwner, data: Float32Array, shape: readonly [number, number]) {
    this.#owner = owner;
    this.#data = data;
    this.shape = shape;
  }

  /**
   * The features as bytes, with a checksum and with what tells the vision encoder: `InstructBlip.loadImageFeatures` takes them. About 1.4 MB for ViT-g.
   * @throws `MODEL_FILE_*` when the model's file is not there any more
   */
  async toBytes(): Promise<Uint8Array> {
    return encodeFeatures({ vision: await this.#owner.visionIdentity(), shape: this.shape, data: this.#data });
  }

  /**
   * Writes `toBytes()` to a file: whole or not at all. A file that is there is replaced; a missing folder is made.
   * @throws `OPTION_INVALID`, `OUTPUT_WRITE_FAILED`, and what `toBytes` throws
   */
  async save(path: string): Promise<void> {
    if (typeof path !== 'string' || path === '')
      throw createError('OPTION_INVALID', `path must be that of a file, but is ${shown(path)}`);
    await writeWholeFile(path, await this.toBytes());
  }

  /** @internal The values, for the model that made them. @throws IMAGE_FEATURES_MISMATCH for another model */
  static dataOf(features: ImageFeatures, owner: FeatureOwner): Float32Array {
    if (features.#owner === owner) return features.#data;
    throw createError(
      'IMAGE_FEATURES_MISMATCH',
      'these image features were made by another loaded model: encode the picture again with this one, or save them and load them here',
    );
  }
}
