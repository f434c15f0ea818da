import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeImage } from '../../../src/processor/decode.js';
import { DEFAULT_IMAGE_LIMITS } from '../../../src/processor/image-limits.js';
import { ImageProcessor } from '../../../src/processor/image-processor.js';
import { HUB_SETTINGS } from './support/settings.js';

const FOLDER = join(__dirname, '../../fixtures/images');
interface Expected {
  readonly size: [number, number];
  readonly rgb: string;
  readonly pixels: string;
}
const { files } = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as {
  files: Record<string, Expected>;
};

const sha256 = (array: Uint8Array | Float32Array): string =>
  createHash('sha256')
    .update(Buffer.from(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex');

describe('pixels are those of transformers 4.34 with Pillow 9.4', () => {
  const processor = new ImageProcessor(HUB_SETTINGS);

  it.each(Object.entries(files))('%s', async (name, expected) => {
    const bytes = readFileSync(join(FOLDER, name));
    const image = await decodeImage({ kind: 'encoded', bytes, name }, DEFAULT_IMAGE_LIMITS);
    expect([image.width, image.height]).toEqual(expected.size);
    expect(sha256(image.data)).toBe(expected.rgb);
    expect(sha256(await processor.process(join(FOLDER, name)))).toBe(expected.pixels);
  });
});
