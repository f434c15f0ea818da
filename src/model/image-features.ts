import { createError } from '../errors.js';

/**
 * The vision encoder's result for one picture: the expensive part, computed once and asked any number of times (`InstructBlip.encodeImage`).
 * Plain memory (about 1.4 MB for ViT-g), freed by the garbage collector; belongs to the model that made it.
 */
export class ImageFeatures {
  /** [tokens, hidden size], float32. */
  readonly shape: readonly [number, number];
  readonly #data: Float32Array;
  readonly #owner: object;

  /** @internal */
  constructor(owner: object, data: Float32Array, shape: readonly [number, number]) {
    this.#owner = owner;
    this.#data = data;
    this.shape = shape;
  }

  /** @internal The values, for the model that made them. @throws IMAGE_INPUT_INVALID for another model */
  static dataOf(features: ImageFeatures, owner: object): Float32Array {
    if (features.#owner === owner) return features.#data;
    throw createError(
      'IMAGE_INPUT_INVALID',
      'these image features were made by another model: encode the picture again with this one',
    );
  }
}
