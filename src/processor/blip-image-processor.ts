import { createError, OptionError } from '../errors.js';
import { joined, Tensor } from '../tensor.js';
import { raceAbort } from './abort.js';
import { decodeImage } from './decode.js';
import { detectFormat } from './image-format.js';
import { type ImageInput, type LoadedImage, loadImage } from './image-input.js';
import { DEFAULT_IMAGE_LIMITS } from './image-limits.js';
import { normalise, pixelValues } from './image-processor.js';
import { loadSharp } from './load-sharp.js';
import { CALL_RULES, checkImages, checkOptions, IMAGE_RULES, type ImageOptions } from './processor-options.js';
import { type RgbImage, resize } from './resize.js';

/** What an image processor does when nothing else is asked for: HF's fields in camelCase. */
export type ImageDefaults = Required<Omit<ImageOptions, 'resample'>>;

/**
 * Pictures → pixels, as transformers 4.34's `BlipImageProcessor` with Pillow 9.4: equal values (docs/images.md has the few exceptions). The pictures of a
 * batch are read one after another.
 */
export class BlipImageProcessor {
  readonly #defaults: ImageDefaults;

  /** @internal */
  constructor(defaults: ImageDefaults) {
    this.#defaults = defaults;
  }

  /** Defaults of `preprocess`' options. */
  get options(): ImageDefaults {
    return { ...this.#defaults };
  }

  /**
   * One picture or a batch.
   * @returns pixelValues [B,3,height,width]. Without rescaling and normalizing 0..255, as float32 too (HF: uint8)
   * @throws OPTION_INVALID, OPTION_UNKNOWN, OPTION_UNSUPPORTED, IMAGE_*, or the signal's reason
   */
  async preprocess(
    images: ImageInput | readonly ImageInput[],
    options: ImageOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<{ pixelValues: Tensor<Float32Array> }> {
    const { signal, ...valid } = checkOptions<typeof options>(options, { ...IMAGE_RULES, ...CALL_RULES });
    return { pixelValues: await this.prepare(checkImages(images), valid, signal) };
  }

  /** @internal `preprocess` with arguments that are checked. */
  async prepare(
    images: readonly ImageInput[],
    options: ImageOptions,
    signal?: AbortSignal,
  ): Promise<Tensor<Float32Array>> {
    const settings = { ...this.#defaults, ...options };
    const values = valuesOf(settings);
    const pixels: Float32Array[] = [];
    let first: RgbImage | undefined;
    for (const [i, input] of images.entries()) {
      const image = await prepareImage(input, settings, signal);
      first ??= image;
      if (image.width !== first.width || image.height !== first.height)
        throw new OptionError(
          'OPTION_INVALID',
          `doResize is false, and picture ${i} has ${image.width} x ${image.height} pixels, picture 0 ${first.width} x ${first.height}: pictures of one batch must be of one size`,
        );
      pixels.push(normalise(image, values));
    }
    const { width, height } = first as RgbImage;
    return new Tensor(joined(pixels), [images.length, 3, height, width]);
  }
}

const triple = (value: number | readonly number[]): readonly number[] =>
  typeof value === 'number' ? [value, value, value] : value;

/** What is not done is done with 1 and 0, which changes nothing in float32. */
function valuesOf({ doRescale, rescaleFactor, doNormalize, imageMean, imageStd }: ImageDefaults): Float32Array {
  return pixelValues({
    rescaleFactor: doRescale ? rescaleFactor : 1,
    imageMean: doNormalize ? triple(imageMean) : [0, 0, 0],
    imageStd: doNormalize ? triple(imageStd) : [1, 1, 1],
  });
}

async function prepareImage(input: ImageInput, settings: ImageDefaults, signal?: AbortSignal): Promise<RgbImage> {
  const loaded = await loadImage(input, DEFAULT_IMAGE_LIMITS, signal);
  const image = await decodeImage(loaded, DEFAULT_IMAGE_LIMITS, signal);
  if (!settings.doConvertRgb) await requireRgb(loaded, signal);
  signal?.throwIfAborted();
  return settings.doResize ? resize(image, settings.size.width, settings.size.height, signal) : image;
}

/** Where a PNG's header says it, and what it says of RGB; a transparent colour besides changes nothing for Pillow. */
const PNG_COLOUR_TYPE = 25;
const PNG_RGB = 2;

/** As Pillow opens it: palettes, gray, CMYK and alpha are not RGB. Of TIFF nothing is known here: libvips does not tell palettes from RGB. */
async function isRgb(loaded: LoadedImage, signal?: AbortSignal): Promise<boolean> {
  if (loaded.kind === 'raw') return loaded.image.channels === 3;
  const format = loaded.kind === 'encoded' ? detectFormat(loaded.bytes) : undefined;
  if (format === 'gif' || format === 'tiff') return false;
  if (loaded.kind === 'encoded' && format === 'png') return loaded.bytes[PNG_COLOUR_TYPE] === PNG_RGB;
  const image = loaded.kind === 'sharp' ? loaded.image : (await loadSharp())(loaded.bytes);
  const { channels, space } = await raceAbort(image.metadata(), signal);
  return channels === 3 && (space === 'srgb' || space === 'rgb16');
}

async function requireRgb(loaded: LoadedImage, signal?: AbortSignal): Promise<void> {
  if (await isRgb(loaded, signal)) return;
  const name = loaded.kind === 'encoded' ? loaded.name : 'the picture';
  throw createError(
    'IMAGE_FORMAT_UNSUPPORTED',
    `${name}: it is not RGB, and doConvertRgb is false; leave doConvertRgb out`,
  );
}
