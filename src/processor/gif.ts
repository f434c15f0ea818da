import { createError, type InstructBlipError } from '../errors.js';
import { decompressLzw } from './gif-lzw.js';
import type { ImageLimits } from './image-limits.js';
import type { RgbImage } from './resize.js';

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const GRAPHIC_CONTROL = 0xf9;

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly interlaced: boolean;
  readonly palette: Uint8Array;
  /** Compressed indices. */
  readonly data: Uint8Array;
  readonly codeSize: number;
}

/** The bytes of a GIF; whatever is read beyond the end is an error. */
class GifReader {
  at = 6;
  constructor(
    readonly bytes: Uint8Array,
    readonly name: string,
  ) {}

  corrupt(reason: string): InstructBlipError {
    return createError(
      'IMAGE_CORRUPT',
      `${this.name}: the picture is truncated or damaged (GIF: ${reason}); get it again`,
    );
  }
  u8(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw this.corrupt('it ends too early');
    return value;
  }
  u16(): number {
    return this.u8() | (this.u8() << 8);
  }
  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw this.corrupt('it ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  /** Sub-blocks up to the empty one. */
  blocks(): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let length = this.u8(); length > 0; length = this.u8()) parts.push(this.take(length));
    return Buffer.concat(parts);
  }
  palette(flags: number): Uint8Array | undefined {
    return flags & 0x80 ? this.take(3 << ((flags & 7) + 1)) : undefined;
  }
}

/**
 * The first frame of a GIF as Pillow 9.4's `convert("RGB")` gives it: pixels have the colour of their palette entry, transparent ones too. What the frame
 * does not cover has the transparent entry's, or the first.
 * @throws IMAGE_CORRUPT, IMAGE_TOO_LARGE
 */
export function decodeGif(bytes: Uint8Array, name: string, limits: ImageLimits): RgbImage {
  const reader = new GifReader(bytes, name);
  const width = reader.u16();
  const height = reader.u16();
  const flags = reader.u8();
  reader.take(2);
  const global = reader.palette(flags);
  const { frame, transparent } = readFirstFrame(reader, global);
  // The frame may be larger than the screen: Pillow then grows the picture.
  const size = { width: Math.max(width, frame.left + frame.width), height: Math.max(height, frame.top + frame.height) };
  if (size.width * size.height > limits.pixels) {
    const text = `${name}: ${size.width} x ${size.height} is over the limit of ${limits.pixels} pixels: make the picture smaller`;
    throw createError('IMAGE_TOO_LARGE', text);
  }
  const indices = new Uint8Array(size.width * size.height).fill(transparent ?? 0);
  drawFrame(reader, frame, indices, size.width);
  return { data: lookUp(indices, frame.palette), ...size };
}

function readFirstFrame(
  reader: GifReader,
  global: Uint8Array | undefined,
): { frame: Frame; transparent: number | undefined } {
  let transparent: number | undefined;
  for (;;) {
    const block = reader.u8();
    if (block === EXTENSION) {
      const label = reader.u8();
      const data = reader.blocks();
      if (label === GRAPHIC_CONTROL && (data[0] ?? 0) & 1) transparent = data[3];
    } else if (block === IMAGE) {
      return { frame: readFrame(reader, global), transparent };
    } else if (block === 0x3b) {
      throw reader.corrupt('it has no frame');
    }
  }
}

function readFrame(reader: GifReader, global: Uint8Array | undefined): Frame {
  const [left, top, width, height] = [reader.u16(), reader.u16(), reader.u16(), reader.u16()];
  const flags = reader.u8();
  const palette = completePalette(reader.palette(flags) ?? global);
  const codeSize = reader.u8();
  if (width === 0 || height === 0) throw reader.corrupt('its frame is empty');
  if (codeSize < 1 || codeSize > 11) throw reader.corrupt(`code size ${codeSize}`);
  return { left, top, width, height, interlaced: (flags & 0x40) !== 0, palette, codeSize, data: reader.blocks() };
}

/** Pillow takes a palette that says nothing for none: indices are gray values then, those beyond it too. Else those are black. */
function completePalette(palette: Uint8Array | undefined): Uint8Array {
  const gray = Uint8Array.from({ length: 768 }, (_, i) => Math.trunc(i / 3));
  if (!palette || palette.every((value, i) => value === gray[i])) return gray;
  const complete = new Uint8Array(768);
  complete.set(palette);
  return complete;
}

/** Rows in the order in which they come. */
function* rowsOf(height: number, interlaced: boolean): Generator<number> {
  const passes = interlaced
    ? ([
        [0, 8],
        [4, 8],
        [2, 4],
        [1, 2],
      ] as const)
    : ([[0, 1]] as const);
  for (const [start, step] of passes) for (let y = start; y < height; y += step) yield y;
}

function drawFrame(reader: GifReader, frame: Frame, indices: Uint8Array, stride: number): void {
  const pixels = new Uint8Array(frame.width * frame.height);
  const wrong = decompressLzw(frame.data, frame.codeSize, pixels);
  if (wrong) throw reader.corrupt(wrong);
  let from = 0;
  for (const y of rowsOf(frame.height, frame.interlaced)) {
    indices.set(pixels.subarray(from, from + frame.width), (frame.top + y) * stride + frame.left);
    from += frame.width;
  }
}

function lookUp(indices: Uint8Array, palette: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(indices.length * 3);
  for (let i = 0, to = 0; i < indices.length; i++, to += 3) {
    const from = (indices[i] as number) * 3;
    rgb[to] = palette[from] as number;
    rgb[to + 1] = palette[from + 1] as number;
    rgb[to + 2] = palette[from + 2] as number;
  }
  return rgb;
}
