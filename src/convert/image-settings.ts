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

/**
 * Reads `preprocessor_config.json`; missing fields have the defaults of HF's `BlipImageProcessor`.
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID when pictures would not fit the vision encoder, CHECKPOINT_UNSUPPORTED
 */
export async function readImageSettings(folder: string, imageSize: number): Promise<ImageSettings> {
  const path = join(folder, 'preprocessor_config.json');
  const json = await readJson(path);
  if (!json) throw createError('CHECKPOINT_NOT_FOUND', `${path} is missing: download it with the checkpoint`);
  const fields = Fields.of(path, json);
  for (const name of ['do_resize', 'do_rescale', 'do_normalize', 'do_convert_rgb']) {
    if (!fields.bool(name, true))
      throw createError('CHECKPOINT_UNSUPPORTED', `${fields.where}: ${name} false is not supported`);
  }
  const resample = fields.count('resample', BICUBIC);
  if (resample !== BICUBIC)
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `${fields.where}: resample is ${resample}; only 3 (bicubic) is supported`,
    );
  const { height, width } = readSize(fields);
  if (height !== imageSize || width !== imageSize) {
    throw createError(
      'CHECKPOINT_INVALID',
      `${fields.where} makes pictures of ${height}x${width}, but the vision encoder takes ${imageSize}x${imageSize} (config.json: vision_config.image_size)`,
    );
  }
  const std = fields.triple('image_std', CLIP_STD);
  if (std.some(value => value <= 0)) fields.fail('image_std', 'three positive numbers');
  const rescaleFactor = fields.positive('rescale_factor', 1 / 255);
  return { height, width, mean: fields.triple('image_mean', CLIP_MEAN), std, rescaleFactor, resample };
}
