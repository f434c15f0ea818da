/** Bounds on what one picture may cost. Each is an error when it is passed, never a silent cut. */
export interface ImageLimits {
  /** Bytes of an encoded picture, from wherever it comes. */
  readonly bytes: number;
  /** Width times height. */
  readonly pixels: number;
  /** Milliseconds for a URL: all redirects and the whole body. */
  readonly fetchTimeout: number;
  readonly redirects: number;
}

export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  bytes: 128 * 2 ** 20,
  // Where Pillow refuses with DecompressionBombError: twice its MAX_IMAGE_PIXELS.
  pixels: 178_956_970,
  fetchTimeout: 30_000,
  redirects: 5,
};
