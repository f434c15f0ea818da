import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import type { ImageInput } from '../../../src/processor/image-input.js';
import { ImageProcessor } from '../../../src/processor/image-processor.js';
import { randomNumbers } from '../support/random.js';
import { FIXTURES, HUB_SETTINGS } from './support/settings.js';

const processor = new ImageProcessor(HUB_SETTINGS);
const fixtures = readdirSync(FIXTURES).filter(name => !name.endsWith('.json'));
const outcome = (input: ImageInput, with_ = processor): Promise<string> =>
  with_.process(input).then(
    pixels => (pixels.length === 3 * 224 * 224 ? 'pixels' : 'wrong size'),
    error => (error.name === 'ImageError' ? error.code : `untyped: ${error.message}`),
  );

describe('formats that are refused', () => {
  it.each<[string, string | Buffer]>([
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ['SVG', '<?xml version="1.0"?>\n<!-- x --><svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['PDF', '%PDF-1.7\n'],
    ['HTML', '<!DOCTYPE html><html></html>'],
    ['AVIF', Buffer.from('\0\0\0\x20ftypavif\0\0\0\0', 'latin1')],
    ['HEIC', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1')],
    ['JPEG XL', Buffer.from('\0\0\0\x0cJXL \r\n\x87\n', 'latin1')],
    ['JPEG 2000', Buffer.from('\0\0\0\x0cjP  \r\n\x87\n', 'latin1')],
    ['BMP', Buffer.from('BM\x36\0\0\0', 'latin1')],
    ['Netpbm', 'P6\n1 1\n255\n...'],
    ['GGUF', 'GGUF\x03\0\0\0'],
    ['unknown \\(starts with 0102030405060708\\)', Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9])],
  ])('%s', async (name, content) => {
    const error = await processor.process(Buffer.from(content)).catch(reason => reason);
    expect(error).toMatchObject({ name: 'ImageError', code: 'IMAGE_FORMAT_UNSUPPORTED' });
    expect(error.message).toMatch(new RegExp(`the format is ${name};.*convert it to PNG or JPEG`));
  });

  it('a real AVIF, which the decoder would read and Pillow would not', async () => {
    const avif = await sharp({ create: { width: 16, height: 16, channels: 3, background: 'red' } })
      .avif()
      .toBuffer();
    expect(await outcome(avif)).toBe('IMAGE_FORMAT_UNSUPPORTED');
  });

  it('TIFF with floating-point pixels', async () => {
    const error = await processor.process(tinyTiff(32, 1, 3)).catch(reason => reason);
    expect(error).toMatchObject({ code: 'IMAGE_FORMAT_UNSUPPORTED' });
    expect(error.message).toMatch(/TIFF with such pixels is not read \(1 channel\(s\), .*float\); convert it/);
  });

  it('TIFF with thousands of channels, on which libvips 8.17 crashes', async () => {
    expect(await outcome(tinyTiff(8, 2049, 1))).toBe('IMAGE_FORMAT_UNSUPPORTED');
  });
});

/** One pixel, little endian. */
function tinyTiff(bits: number, samples: number, sampleFormat: number): Buffer {
  const tags = [
    [256, 1],
    [257, 1],
    [258, bits],
    [259, 1],
    [262, 1],
    [273, 8],
    [277, samples],
    [278, 1],
    [279, 4],
    [339, sampleFormat],
  ];
  const file = Buffer.alloc(12 + 2 + tags.length * 12 + 4);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(12, 4);
  file.writeFloatLE(0.5, 8);
  file.writeUInt16LE(tags.length, 12);
  for (const [i, [tag, value]] of tags.entries()) {
    const at = 14 + i * 12;
    file.writeUInt16LE(tag!, at);
    file.writeUInt16LE(3, at + 2);
    file.writeUInt32LE(1, at + 4);
    file.writeUInt16LE(value!, at + 8);
  }
  return file;
}

describe('limits', () => {
  const path = join(FIXTURES, 'baseline.jpg');
  const bytes = readFileSync(path);
  const few = new ImageProcessor(HUB_SETTINGS, { bytes: 1000 });
  const small = new ImageProcessor(HUB_SETTINGS, { pixels: 640 * 481 - 1 });
  const exact = new ImageProcessor(HUB_SETTINGS, { pixels: 640 * 481, bytes: bytes.length });

  it.each<[string, ImageInput]>([
    ['file', path],
    ['Buffer', bytes],
    ['Blob', new Blob([new Uint8Array(bytes)])],
    ['data: URL', `data:;base64,${bytes.toString('base64')}`],
  ])('bytes of a %s', async (_, input) => {
    expect(await outcome(input, few)).toBe('IMAGE_TOO_LARGE');
  });

  it.each<[string, ImageInput]>([
    ['JPEG', path],
    ['GIF', gifHeader(60_000, 60_000)],
    ['PNG', pngHeader(60_000, 60_000)],
    ['raw image', { data: new Uint8Array(3), width: 640, height: 481, channels: 3 }],
    ['sharp instance', sharp(bytes)],
  ])('pixels of a %s', async (_, input) => {
    const error = await small.process(input).catch(reason => reason);
    expect(error).toMatchObject({ name: 'ImageError', code: 'IMAGE_TOO_LARGE' });
    expect(error.message).toMatch(/over the limit of 307839 pixels: make the picture smaller/);
  });

  it('are not passed by what just fits', async () => {
    expect(await outcome(path, exact)).toBe('pixels');
  });

  it('hold for a bomb: a small file of very many pixels', async () => {
    expect(await outcome(pngHeader(65_535, 65_535))).toBe('IMAGE_TOO_LARGE');
  });
});

function pngHeader(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const chunk = (type: string, body: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(Buffer.concat([Buffer.from(type), body])));
    return Buffer.concat([length, Buffer.from(type), body, crc]);
  };
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  const data = deflateSync(Buffer.alloc(1000));
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function crc32(bytes: Buffer): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function gifHeader(width: number, height: number): Buffer {
  const gif = Buffer.from('GIF89a\0\0\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;', 'latin1');
  gif.writeUInt16LE(width, 6);
  gif.writeUInt16LE(height, 8);
  return gif;
}

describe('damaged files', () => {
  it.each(fixtures)('%s without its second half is an error', async name => {
    const bytes = readFileSync(join(FIXTURES, name));
    // Of an animation only the first picture is needed.
    if (name.startsWith('animated')) return;
    expect(await outcome(bytes.subarray(0, bytes.length >> 1))).toBe('IMAGE_CORRUPT');
    expect(await outcome(bytes.subarray(0, bytes.length - Math.max(20, bytes.length >> 4)))).toBe('IMAGE_CORRUPT');
  });

  it.each(fixtures)('%s cut and with flipped bits: pixels or a typed error', async name => {
    const bytes = readFileSync(join(FIXTURES, name));
    const random = randomNumbers(name.length * 1000 + bytes.length);
    const index = (end: number) => Math.floor(random() * end);
    const outcomes = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const damaged = Buffer.from(bytes.subarray(0, i % 3 === 0 ? index(bytes.length) : bytes.length));
      // Headers are where it hurts: half of the flips go there.
      for (let flip = 0; flip <= i % 4; flip++) {
        const at = index(flip % 2 === 0 ? Math.min(damaged.length, 200) : damaged.length);
        if (damaged.length > 0) damaged[at]! ^= 1 << index(8);
      }
      outcomes.add(await outcome(damaged));
    }
    const allowed = ['pixels', 'IMAGE_CORRUPT', 'IMAGE_FORMAT_UNSUPPORTED', 'IMAGE_TOO_LARGE'];
    expect([...outcomes].filter(each => !allowed.includes(each))).toEqual([]);
  });

  it('names the file and the remedy', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'instructblip-damaged-'));
    const path = join(folder, 'half.jpg');
    try {
      writeFileSync(path, readFileSync(join(FIXTURES, 'baseline.jpg')).subarray(0, 5000));
      const error = await processor.process(path).catch(reason => reason);
      expect(error).toMatchObject({ code: 'IMAGE_CORRUPT', message: expect.stringContaining('half.jpg') });
      expect(error.message).toMatch(/truncated or damaged \(.+\); get it again/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
