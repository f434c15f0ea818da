import { createHash } from 'node:crypto';

/** What a picture is known by: the pixels that the vision encoder sees, whatever file they came from. */
export type ImageKey = string;

/** The vision encoder's results for the pictures asked about last, up to a number of bytes. */
export class ImageCache {
  readonly #budget: number;
  /** The one used longest ago first. */
  readonly #entries = new Map<ImageKey, Float32Array>();
  #bytes = 0;

  /** @param budget bytes; 0 = off */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** undefined when the cache is off. */
  keyOf(pixels: Float32Array): ImageKey | undefined {
    if (this.#budget === 0) return undefined;
    return createHash('sha256')
      .update(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength))
      .digest('base64');
  }

  get(key: ImageKey): Float32Array | undefined {
    const features = this.#entries.get(key);
    if (features) this.#use(key, features);
    return features;
  }

  add(key: ImageKey, features: Float32Array): void {
    this.#bytes += features.byteLength - (this.#entries.get(key)?.byteLength ?? 0);
    this.#use(key, features);
    for (const [oldest, { byteLength }] of this.#entries) {
      if (this.#bytes <= this.#budget) break;
      this.#entries.delete(oldest);
      this.#bytes -= byteLength;
    }
  }

  #use(key: ImageKey, features: Float32Array): void {
    this.#entries.delete(key);
    this.#entries.set(key, features);
  }
}
