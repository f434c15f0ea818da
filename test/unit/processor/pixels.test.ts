import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeImage } from '../../../src/processor/decode.js';
import { DEFAULT_IMAGE_LIMITS } from '../../../src/processor/image-limits.js';
import { ImageProcessor } from '../../../src/processor/image-processor.js';
import { FIXTURES, HUB_SETTINGS, sha256 } from './support/settings.js';

interface Expected {
  readonly size: [number, number];
  readonly rgb: string;
  readonly pixels: string;
}
const { files } = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as {
  files: Record<string, Expected>;
};

describe('pixels are those of transformers 4.34 with Pillow 9.4', () => {
  const processor = new ImageProcessor(HUB_SETTINGS);

  it.each(Object.entries(files))('%s', async (name, expected) => {
    const bytes = readFileSync(join(FIXTURES, name));
    const image = await decodeImage({ kind: 'encoded', bytes, name }, DEFAULT_IMAGE_LIMITS);
    expect([image.width, image.height]).toEqual(expected.size);
    expect(sha256(image.data)).toBe(expected.rgb);
    expect(sha256(await processor.process(join(FIXTURES, name)))).toBe(expected.pixels);
  });
});
