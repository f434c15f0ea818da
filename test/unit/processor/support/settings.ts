import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ImageSettings } from '../../../../src/processor/image-processor.js';

/** preprocessor_config.json of the hub's checkpoints. */
export const HUB_SETTINGS: ImageSettings = {
  imageSize: 224,
  imageMean: [0.48145466, 0.4578275, 0.40821073],
  imageStd: [0.26862954, 0.26130258, 0.27577711],
  rescaleFactor: 0.00392156862745098,
};

export const FIXTURES = join(__dirname, '../../../fixtures/images');

export const sha256 = (array: Uint8Array | Float32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex');
