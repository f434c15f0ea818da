import { join } from 'node:path';
import { createError } from '../errors.js';
import { Fields, isObject, readJson } from './json-fields.js';

/** HF `BlipImageProcessor`'s settings. */
export interface ImageSettings {
  readonly height: number;
  readonly width: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescaleFactor: number;
  readonly resample: number;
}

const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711];
const BICUBIC = 3;

/** `size` in the forms that HF accepts: a number, or height and width. */
function readSize(fields: Fields): { height: number; width: number } {
  const size = fields.object.size ?? 384;
  if (!isObject(size)) {
    const side = fields.count('size', 384);
    return { height: side, width: side };
  }
  const child = fields.child('size');
  if (!child.has('height') || !child.has('width')) fields.fail('size', 'a number, or an object with height and width');
  return { height: child.count('height', 0), width: child.count('width', 0) };
}

/** `preprocessor_config.json`, whatever it says; missing fields have the defaults of HF's `BlipImageProcessor`. */
export interface ImageProcessorConfig {
  readonly doResize: boolean;
  readonly height: number;
  readonly width: number;
  readonly resample: number;
  readonly doRescale: boolean;
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly doConvertRgb: boolean;
}

function readConfig(fields: Fields): ImageProcessorConfig {
  const std = fields.triple('image_std', CLIP_STD);
  if (std.some(value => value <= 0)) fields.fail('image_std', 'three positive numbers');
  const resample = fields.object.resample === 0 ? 0 : fields.count('resample', BICUBIC);
  if (resample !== BICUBIC)
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `${fields.where}: resample is ${resample}; only 3 (bicubic) is supported`,
    );
  return {
    doResize: fields.bool('do_resize', true),
    ...readSize(fields),
    resample,
    doRescale: fields.bool('do_rescale', true),
    rescaleFactor: fields.positive('rescale_factor', 1 / 255),
    doNormalize: fields.bool('do_normalize', true),
    mean: fields.triple('image_mean', CLIP_MEAN),
    std,
    doConvertRgb: fields.bool('do_convert_rgb', true),
  };
}

async function readFields(folder: string): Promise<Fields> {
  const path = join(folder, 'preprocessor_config.json');
  const json = await readJson(path);
  if (!json) throw createError('CHECKPOINT_NOT_FOUND', `${path} is missing: download it with the checkpoint`);
  return Fields.of(path, json);
}

/**
 * Reads `preprocessor_config.json` for a processor by itself.
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED for another filter than bicubic
 */
export async function readImageProcessorConfig(folder: string): Promise<ImageProcessorConfig> {
  return readConfig(await readFields(folder));
}

/**
 * Reads `preprocessor_config.json` for a vision encoder.
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID when pictures would not fit the vision encoder, CHECKPOINT_UNSUPPORTED
 */
export async function readImageSettings(folder: string, imageSize: number): Promise<ImageSettings> {
  const fields = await readFields(folder);
  for (const name of ['do_resize', 'do_rescale', 'do_normalize', 'do_convert_rgb']) {
    if (!fields.bool(name, true))
      throw createError('CHECKPOINT_UNSUPPORTED', `${fields.where}: ${name} false is not supported`);
  }
  const { height, width, mean, std, rescaleFactor, resample } = readConfig(fields);
  // As F32: a pixel must stay a number.
  if (!std.every(value => Math.fround(value) > 0 && Number.isFinite(Math.fround((255 * rescaleFactor) / value))))
    fields.fail('image_std', `three positive numbers that rescale_factor (${rescaleFactor}) can be divided by`);
  if (height !== imageSize || width !== imageSize) {
    throw createError(
      'CHECKPOINT_INVALID',
      `${fields.where} makes pictures of ${height}x${width}, but the vision encoder takes ${imageSize}x${imageSize} (config.json: vision_config.image_size)`,
    );
  }
  return { height, width, mean, std, rescaleFactor, resample };
}
