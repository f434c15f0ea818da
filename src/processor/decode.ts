import type { Metadata, OutputInfo, Sharp } from 'sharp';
import { createError, type InstructBlipError, isErrorCode } from '../errors.js';
import { raceAbort } from './abort.js';
import { cmykToRgb, grayToRgb, toEightBits, withoutAlpha } from './colour.js';
import { decodeGif } from './gif.js';
import { describeBytes, detectFormat, type ImageFormat } from './image-format.js';
import type { LoadedImage, RawImage } from './image-input.js';
import type { ImageLimits } from './image-limits.js';
import { loadSharp } from './load-sharp.js';
import { orient, orientationOf } from './orientation.js';
import type { RgbImage } from './resize.js';
import { shorten } from './shorten.js';

/** Where a PNG's header says it. */
const PNG_COLOUR_TYPE = 25;

/** An encoded picture and what is needed to read it. */
interface Source {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly format: ImageFormat;
  readonly limits: ImageLimits;
  readonly signal: AbortSignal | undefined;
}

/**
 * → RGB [h,w,3] u8, as Pillow 9.4's `convert("RGB")`: no colour management, alpha dropped, EXIF orientation applied to encoded pictures.
 * @throws IMAGE_FORMAT_UNSUPPORTED, IMAGE_CORRUPT, IMAGE_TOO_LARGE, or the signal's reason
 */
export async function decodeImage(image: LoadedImage, limits: ImageLimits, signal?: AbortSignal): Promise<RgbImage> {
  if (image.kind === 'raw') return rawToRgb(image.image);
  if (image.kind === 'sharp') return decodeSharp(image.image, limits, signal);
  const { bytes, name } = image;
  if (bytes.length === 0) throw createError('IMAGE_CORRUPT', `${name}: there are no bytes; get the picture again`);
  const format = detectFormat(bytes);
  if (!format) {
    throw createError(
      'IMAGE_FORMAT_UNSUPPORTED',
      `${name}: the format is ${describeBytes(bytes)}; convert it to PNG or JPEG (read: JPEG, PNG, WebP, GIF, TIFF)`,
    );
  }
  return decodeBytes({ bytes, name, format, limits, signal });
}

async function decodeBytes(source: Source): Promise<RgbImage> {
  // Transparent pixels keep their palette colour in Pillow; libvips loses it.
  if (source.format === 'gif') return decodeGif(source.bytes, source.name, source.limits);
  const options = { failOn: 'error', ignoreIcc: true, limitInputPixels: source.limits.pixels } as const;
  const image = (await loadSharp())(source.bytes, options);
  try {
    const metadata = await raceAbort(image.metadata(), source.signal);
    checkPixels(source.name, metadata, source.limits);
    return await decodePixels(image, metadata, source);
  } catch (error) {
    source.signal?.throwIfAborted();
    throw toImageError(error, source.name, source.limits);
  }
}

/** By libvips' names of colour space and depth: the numbers of channels that such pixels may have. */
const KINDS: Readonly<Record<string, readonly number[]>> = {
  'srgb/uchar': [3, 4],
  'b-w/uchar': [1, 2],
  'rgb16/ushort': [3, 4],
  'grey16/ushort': [1, 2],
  'cmyk/uchar': [4],
};

async function decodePixels(
  image: Sharp,
  metadata: Metadata,
  { bytes, name, format, signal }: Source,
): Promise<RgbImage> {
  const { space, depth, channels } = metadata;
  // Before decoding: a damaged TIFF may claim thousands of channels, and libvips crashes on them.
  if (!KINDS[`${space}/${depth}`]?.includes(channels)) {
    const kind = `${channels} channel(s), ${space}, ${depth}`;
    const text = `${name}: ${format.toUpperCase()} with such pixels is not read (${kind}); convert it to PNG or JPEG with 8 bits per channel`;
    throw createError('IMAGE_FORMAT_UNSUPPORTED', text);
  }
  // Stated as what it is, nothing is converted: libvips would take CMYK and 16 bits through colour profiles.
  const colours = space === 'cmyk' ? image : image.removeAlpha();
  const turned = orient(colours, orientationOf(metadata, format));
  const pixels = turned.pipelineColourspace(space).toColourspace(space).raw({ depth });
  const { data, info } = await raceAbort(pixels.toBuffer({ resolveWithObject: true }), signal);
  if (space === 'cmyk') return { data: cmykToRgb(data), width: info.width, height: info.height };
  if (depth === 'uchar') return rgbOf(data, info);
  // Of PNG by its header: a gray one with a transparent colour is decoded to gray and alpha.
  const isGray = format === 'png' ? bytes[PNG_COLOUR_TYPE] === 0 : channels === 1;
  return rgbOf(toEightBits(data, isGray), info);
}

function rgbOf(
  data: Uint8Array,
  { width, height, channels }: Pick<OutputInfo, 'width' | 'height' | 'channels'>,
): RgbImage {
  if (channels === 3) return { data, width, height };
  if (channels === 4) return { data: withoutAlpha(data), width, height };
  return { data: grayToRgb(data, channels), width, height };
}

/** Of pixels that stay the caller's, a copy. */
const rawToRgb = (image: RawImage): RgbImage =>
  rgbOf(new Uint8Array(image.data.buffer, image.data.byteOffset, image.data.byteLength).slice(), image);

/** The result of the caller's own pipeline, in sRGB. */
async function decodeSharp(image: Sharp, limits: ImageLimits, signal: AbortSignal | undefined): Promise<RgbImage> {
  const name = 'the sharp instance';
  try {
    const pipeline = image.clone().removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' });
    const result = pipeline.toBuffer({ resolveWithObject: true });
    // An instance that a stream was piped into waits for the end of the stream, even when that is long past.
    if (image.writableFinished) pipeline.emit('finish');
    const { data, info } = await raceAbort(result, signal);
    checkPixels(name, info, limits);
    return rgbOf(data, info);
  } catch (error) {
    signal?.throwIfAborted();
    throw toImageError(error, name, limits);
  }
}

function checkPixels(name: string, { width, height }: { width: number; height: number }, limits: ImageLimits): void {
  if (width * height > limits.pixels) throw tooManyPixels(name, limits, `${width} x ${height}`);
}

const tooManyPixels = (name: string, limits: ImageLimits, size = 'the picture'): InstructBlipError =>
  createError(
    'IMAGE_TOO_LARGE',
    `${name}: ${size} is over the limit of ${limits.pixels} pixels: make the picture smaller`,
  );

function toImageError(error: unknown, name: string, limits: ImageLimits): unknown {
  if (isErrorCode((error as { code?: unknown }).code)) return error;
  const message =
    error instanceof Error || typeof error === 'object' ? String((error as Error).message) : String(error);
  if (/pixel limit/i.test(message)) return tooManyPixels(name, limits);
  if (/file is missing/i.test(message)) {
    return createError('IMAGE_NOT_FOUND', `${name}: there is no such file; check the path`, { cause: error });
  }
  const reason = shorten(message.replace(/\s+/g, ' ').trim(), 160);
  return createError('IMAGE_CORRUPT', `${name}: the picture is truncated or damaged (${reason}); get it again`, {
    cause: error,
  });
}
