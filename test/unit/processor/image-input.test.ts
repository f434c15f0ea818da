import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import type { ImageInput, RawImage } from '../../../src/processor/image-input.js';
import { ImageProcessor } from '../../../src/processor/image-processor.js';
import { FIXTURES, HUB_SETTINGS, sha256 } from './support/settings.js';

const PATH = join(FIXTURES, 'rgb-interlaced.png');
const bytes = readFileSync(PATH);
const processor = new ImageProcessor(HUB_SETTINGS);
/** Comparing 150,000 values one by one takes Jest long. */
const process = async (input: ImageInput): Promise<string> => sha256(await processor.process(input));
const arrayBuffer = (): ArrayBuffer => new Uint8Array(bytes).buffer;
const piped = () => Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]).pipe(sharp());

async function rawPixels(name: string, channels: RawImage['channels']): Promise<RawImage> {
  const { data, info } = await sharp(join(FIXTURES, name))
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  // Gray comes as three equal channels: the first, and alpha.
  const kept = { 1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3] }[channels] as number[];
  const pixels = Array.from({ length: info.width * info.height }, (_, i) =>
    kept.map(c => data[i * info.channels + c]!),
  );
  return { data: Uint8Array.from(pixels.flat()), width: info.width, height: info.height, channels };
}

describe('every form of a picture gives the same pixels', () => {
  const forms: [string, () => ImageInput | Promise<ImageInput>][] = [
    ['path', () => PATH],
    ['file: URL', () => pathToFileURL(PATH).href],
    ['URL object', () => pathToFileURL(PATH)],
    ['data: URL', () => `data:image/png;base64,${bytes.toString('base64')}`],
    [
      'data: URL with white space and escapes',
      () => `data:;base64,${bytes.toString('base64').replace(/.{76}/g, '$&\n')}`,
    ],
    ['data: URL in base64url', () => new URL(`data:image/png;base64,${bytes.toString('base64url')}`)],
    [
      'data: URL, percent-encoded',
      () => `data:image/png,${[...bytes].map(b => `%${b.toString(16).padStart(2, '0')}`).join('')}`,
    ],
    ['Buffer', () => bytes],
    ['Uint8Array inside a larger buffer', () => new Uint8Array(Buffer.concat([Buffer.alloc(3), bytes])).subarray(3)],
    ['ArrayBuffer', arrayBuffer],
    ['Blob', () => new Blob([arrayBuffer()])],
    ['sharp', () => sharp(bytes)],
    ['sharp, piped into', piped],
    ['raw pixels', () => rawPixels('rgb-interlaced.png', 3)],
  ];
  let expected: string;
  beforeAll(async () => {
    expected = await process(PATH);
  });

  it.each(forms)('%s', async (_, make) => {
    expect(await process(await make())).toBe(expected);
  });

  it('sharp, piped into long ago, and twice', async () => {
    const image = piped();
    await new Promise(resolve => image.once('finish', resolve));
    expect(await process(image)).toBe(expected);
    expect(await process(image)).toBe(expected);
  });

  it('leaves the sharp instance as it was, and takes what its pipeline makes', async () => {
    const image = sharp(bytes).negate().jpeg();
    expect(await process(image)).not.toBe(expected);
    expect((await image.toBuffer()).subarray(0, 2).toString('hex')).toBe('ffd8');
  });

  it('is done with the memory when the call returns', async () => {
    const own = new Uint8Array(bytes);
    const raw = await rawPixels('rgb-interlaced.png', 3);
    const calls = [process(own), process(raw)];
    own.fill(0);
    raw.data.fill(0);
    expect(await Promise.all(calls)).toEqual([expected, expected]);
  });
});

describe('raw pixels', () => {
  it.each<[string, RawImage['channels']]>([
    ['gray-8.png', 1],
    ['gray-alpha.png', 2],
    ['rgba.png', 4],
  ])('%s with %d channels: alpha is dropped', async (name, channels) => {
    const raw = await rawPixels(name, channels);
    const expected = await process(join(FIXTURES, name));
    expect(await process(raw)).toBe(expected);
    expect(await process({ ...raw, data: new Uint8ClampedArray(raw.data) })).toBe(expected);
  });

  const data = new Uint8Array(12);
  it.each<[string, object, RegExp]>([
    ['too few bytes', { data, width: 2, height: 3, channels: 3 }, /needs 18 bytes, but there are 12/],
    ['width 0', { data, width: 0, height: 2, channels: 3 }, /width must be a whole number from 1, but is 0/],
    ['height NaN', { data, width: 2, height: Number.NaN, channels: 3 }, /height .* NaN/],
    ['height missing', { data, width: 2, channels: 3 }, /height .* undefined/],
    ['width as text', { data, width: '2', height: 2, channels: 3 }, /width .* '2'/],
    ['5 channels', { data, width: 2, height: 2, channels: 5 }, /channels must be 1, 2, 3 or 4, but is 5/],
    ['floats', { data: new Float32Array(12), width: 2, height: 2, channels: 3 }, /but is a value of type Float32Array/],
    ['an array', { data: [1, 2, 3], width: 1, height: 1, channels: 3 }, /but is a value of type Array/],
  ])('refuses %s', async (_, image, message) => {
    const error = processor.process(image as RawImage);
    await expect(error).rejects.toMatchObject({ code: 'IMAGE_INPUT_INVALID', message: expect.stringMatching(message) });
  });
});

describe('what is no picture', () => {
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['an empty object', {}],
    ['an array', [1, 2, 3]],
    ['a function', () => {}],
    ['another typed array', new Float32Array(3)],
    ['a Date', new Date()],
    ['an object without a prototype', Object.create(null)],
    ['ftp:', 'ftp://example.test/a.png'],
    ['a broken URL', 'http://[x'],
    ['a data: URL without a comma', 'data:image/png;base64'],
    ['a data: URL that is not base64', 'data:image/png;base64,####'],
    ['a file: URL of another host', 'file://elsewhere.test/a.png'],
  ])('%s', async (_, value) => {
    await expect(processor.process(value as ImageInput)).rejects.toMatchObject({
      name: 'ImageError',
      code: 'IMAGE_INPUT_INVALID',
    });
  });

  it.each([
    ['a missing file', join(FIXTURES, 'none.png')],
    ['an empty path', ''],
    ['a folder', FIXTURES],
    ['a device without end', '/dev/zero'],
    ['a path with NUL', 'a\0b.png'],
    ['a very long path', 'x'.repeat(100_000)],
    ['a text that is a question', 'What is this?'],
    ['a sharp instance of a missing file', sharp(join(FIXTURES, 'none.png'))],
  ])('%s', async (_, value) => {
    const error = await processor.process(value).catch(reason => reason);
    expect(error).toMatchObject({ name: 'ImageError', code: 'IMAGE_NOT_FOUND' });
    expect(error.message.length).toBeLessThan(400);
  });
});

describe('abort', () => {
  const reason = new Error('enough');
  it.each<[string, () => ImageInput]>([
    ['a path', () => join(FIXTURES, 'baseline.jpg')],
    ['bytes', () => bytes],
    ['a sharp instance', () => sharp(bytes)],
    ['a sharp instance that waits for its stream', () => new Readable({ read() {} }).pipe(sharp())],
  ])('of %s: before and during', async (_, make) => {
    await expect(processor.process(make(), AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const call = processor.process(make(), controller.signal);
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });
});
