import { createError } from '../errors.js';
import type { NativeModelInfo } from '../native/addon.js';
import { decodeImage } from './decode.js';
import { type ImageInput, loadImage } from './image-input.js';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from './image-limits.js';
import { type RgbImage, resize } from './resize.js';

/** What the vision file says about its pictures. */
export type ImageSettings = Pick<NativeModelInfo, 'imageSize' | 'imageMean' | 'imageStd' | 'rescaleFactor'>;

/**
 * Pictures as the vision encoder reads them: resized to a square whatever their shape, rescaled, normalised. Values equal those of transformers 4.34's
 * `BlipImageProcessor` with Pillow 9.4 (docs/images.md has the few exceptions). Keeps nothing between calls; any number may run at once.
 */
export class ImageProcessor {
  readonly #size: number;
  readonly #limits: ImageLimits;
  /** Pixel value by [channel,u8]: there are only 256 of each. */
  readonly #values: Float32Array;

  constructor(settings: ImageSettings, limits: Partial<ImageLimits> = {}) {
    this.#size = settings.imageSize;
    this.#limits = { ...DEFAULT_IMAGE_LIMITS, ...limits };
    this.#values = pixelValues(settings);
  }

  /**
   * @returns pixels [1,3,S,S], the caller's
   * @throws IMAGE_*, or the signal's reason
   */
  async process(input: ImageInput, signal?: AbortSignal): Promise<Float32Array> {
    const loaded = await loadImage(input, this.#limits, signal);
    const image = await decodeImage(loaded, this.#limits, signal);
    return normalise(await resize(image, this.#size, this.#size, signal), this.#values);
  }
}

/** [h,w,3] u8 → [3,h,w] f32; `values`: those of `pixelValues`. */
export function normalise({ data, width, height }: RgbImage, values: Float32Array): Float32Array {
  const area = width * height;
  const pixels = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    const ofChannel = values.subarray(channel * 256, channel * 256 + 256);
    for (let i = 0; i < area; i++) pixels[channel * area + i] = ofChannel[data[3 * i + channel] as number] as number;
  }
  return pixels;
}

/** Pixel values by [channel,u8]. HF's order of roundings: u8 × factor in float64, then float32; minus mean and divided by std in float32. */
export function pixelValues({ imageMean, imageStd, rescaleFactor }: Omit<ImageSettings, 'imageSize'>): Float32Array {
  if (imageMean.length !== 3 || imageStd.length !== 3) {
    throw createError('MODEL_FILE_KEY_INVALID', 'clip.vision.image_mean and image_std must have 3 values each');
  }
  return Float32Array.from({ length: 3 * 256 }, (_, i) => {
    const mean = Math.fround(imageMean[i >> 8] as number);
    const std = Math.fround(imageStd[i >> 8] as number);
    return Math.fround(Math.fround(Math.fround((i & 255) * rescaleFactor) - mean) / std);
  });
}
