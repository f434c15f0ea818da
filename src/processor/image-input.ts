import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Sharp } from 'sharp';
import { createError } from '../errors.js';
import { fetchImage, tooManyBytes } from './fetch-image.js';
import type { ImageLimits } from './image-limits.js';
import { describeValue, shorten } from './shorten.js';

/** 8-bit pixels: rows from the top, channels interleaved, nothing between rows. */
export interface RawImage {
  readonly data: Uint8Array | Uint8ClampedArray;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. Alpha is dropped. */
  readonly channels: 1 | 2 | 3 | 4;
}

/**
 * A picture in any form: a file path; a `file:`, `http(s):` or `data:` URL (text or `URL`); the bytes of a file; a `Blob`; decoded pixels; a `sharp`
 * instance. docs/images.md says what becomes of each.
 */
export type ImageInput = string | URL | Uint8Array | ArrayBuffer | Blob | RawImage | Sharp;

interface EncodedImage {
  readonly kind: 'encoded';
  readonly bytes: Uint8Array;
  /** For messages. */
  readonly name: string;
}

/** An `ImageInput`, brought here but not decoded. */
export type LoadedImage =
  | EncodedImage
  | { readonly kind: 'raw'; readonly image: RawImage }
  | { readonly kind: 'sharp'; readonly image: Sharp };

// By tag, not by instanceof: values may come from another realm (Jest, Electron, vm).
const tagOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

const isSharp = (value: object): value is Sharp =>
  ['clone', 'metadata', 'raw', 'toBuffer'].every(
    name => typeof (value as Record<string, unknown>)[name] === 'function',
  );

/**
 * Brings a picture here: reads, fetches or takes over its bytes.
 * @throws IMAGE_INPUT_INVALID, IMAGE_NOT_FOUND, IMAGE_FETCH_FAILED, IMAGE_TOO_LARGE, or the signal's reason
 */
export async function loadImage(input: ImageInput, limits: ImageLimits, signal?: AbortSignal): Promise<LoadedImage> {
  signal?.throwIfAborted();
  if (typeof input === 'string') return fromText(input, limits, signal);
  if (typeof input === 'object' && input !== null) {
    const tag = tagOf(input);
    if (tag === 'URL') return fromUrl(input as URL, limits, signal);
    if (tag === 'ArrayBuffer' || tag === 'SharedArrayBuffer')
      return fromCallersBytes(new Uint8Array(input as ArrayBuffer), limits);
    if (tag === 'Uint8Array' || tag === 'Uint8ClampedArray')
      return fromCallersBytes(bytesOf(input as Uint8Array), limits);
    if (tag === 'Blob' || tag === 'File') return fromBlob(input as Blob, limits, signal);
    if (isSharp(input)) return { kind: 'sharp', image: input };
    if ('data' in input) return { kind: 'raw', image: checkRawImage(input as RawImage, limits) };
  }
  throw createError(
    'IMAGE_INPUT_INVALID',
    `${describeValue(input)} is not a picture: give a path, a URL, the bytes of a file, a Blob, { data, width, height, channels } or a sharp instance`,
  );
}

function fromText(text: string, limits: ImageLimits, signal: AbortSignal | undefined): Promise<LoadedImage> {
  // At least two letters: `C:\photo.jpg` is a path.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return fromFile(text, limits, signal);
  if (scheme === 'data') return fromDataUrl(text, limits);
  const isUrl = ['http', 'https', 'file'].includes(scheme) || text.slice(scheme.length + 1).startsWith('//');
  if (!isUrl) return fromFile(text, limits, signal);
  if (!URL.canParse(text)) throw createError('IMAGE_INPUT_INVALID', `'${shorten(text)}' is not a valid URL`);
  return fromUrl(new URL(text), limits, signal);
}

async function fromUrl(url: URL, limits: ImageLimits, signal: AbortSignal | undefined): Promise<LoadedImage> {
  const { protocol, href } = url;
  if (protocol === 'data:') return fromDataUrl(href, limits);
  if (protocol === 'file:') return fromFile(pathOf(href), limits, signal);
  if (protocol === 'http:' || protocol === 'https:') {
    return { kind: 'encoded', bytes: await fetchImage(href, limits, signal), name: `'${shorten(href)}'` };
  }
  throw createError(
    'IMAGE_INPUT_INVALID',
    `'${shorten(href)}': URLs may be file:, http:, https: or data:, not ${protocol}`,
  );
}

function pathOf(href: string): string {
  try {
    return fileURLToPath(href);
  } catch (error) {
    throw createError('IMAGE_INPUT_INVALID', `'${shorten(href)}' does not name a file here`, { cause: error });
  }
}

const MISSING = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE', 'ELOOP'];

async function fromFile(path: string, limits: ImageLimits, signal: AbortSignal | undefined): Promise<LoadedImage> {
  const name = `'${shorten(path)}'`;
  try {
    return { kind: 'encoded', bytes: await readFile(path, name, limits, signal), name };
  } catch (error) {
    signal?.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('IMAGE_')) throw error;
    const text = MISSING.includes(code ?? '') ? 'there is no such file' : `cannot be read (${shorten(message)})`;
    throw createError('IMAGE_NOT_FOUND', `${name}: ${text}; check the path`, { cause: error });
  }
}

async function readFile(
  path: string,
  name: string,
  limits: ImageLimits,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  // Before it is opened: a named pipe would wait, a device never ends.
  const { size } = await statFile(path, name);
  if (size > limits.bytes) throw tooManyBytes(name, limits.bytes, size);
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of createReadStream(path, signal ? { signal } : {}) as AsyncIterable<Uint8Array>) {
    total += chunk.length;
    // It grew since.
    if (total > limits.bytes) throw tooManyBytes(name, limits.bytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, total);
}

async function statFile(path: string, name: string): Promise<{ size: number }> {
  const found = await stat(path);
  if (!found.isFile()) throw createError('IMAGE_NOT_FOUND', `${name} is not a file; check the path`);
  return found;
}

async function fromDataUrl(text: string, limits: ImageLimits): Promise<LoadedImage> {
  const name = `'${shorten(text, 40)}'`;
  const match = /^data:([^,]*),/i.exec(text);
  if (!match)
    throw createError('IMAGE_INPUT_INVALID', `${name} has no comma: a data URL is data:[type][;base64],<data>`);
  const body = text.slice(match[0].length);
  const base64 = /;\s*base64\s*$/i.test(match[1] as string);
  if (body.length > limits.bytes * (base64 ? 2 : 3)) throw tooManyBytes(name, limits.bytes, body.length);
  let bytes: Uint8Array;
  try {
    bytes = base64 ? decodeBase64(body) : percentDecoded(body);
  } catch (error) {
    throw createError('IMAGE_INPUT_INVALID', `${name}: the data is not valid ${base64 ? 'base64' : 'URL encoding'}`, {
      cause: error,
    });
  }
  return fromBytes(bytes, limits, name);
}

function decodeBase64(body: string): Uint8Array {
  const text = (body.includes('%') ? decodeURIComponent(body) : body).replace(/\s+/g, '');
  // Buffer.from skips what is not base64: a damaged picture would come out.
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new SyntaxError('not base64');
  return Buffer.from(text, 'base64');
}

/** %XX becomes a byte, any other character its code; characters beyond Latin-1 must be escaped. */
function percentDecoded(body: string): Uint8Array {
  const text = body.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(text, 'latin1');
}

async function fromBlob(blob: Blob, limits: ImageLimits, signal: AbortSignal | undefined): Promise<LoadedImage> {
  if (blob.size > limits.bytes) throw tooManyBytes('the Blob', limits.bytes, blob.size);
  const bytes = new Uint8Array(await blob.arrayBuffer());
  signal?.throwIfAborted();
  return { kind: 'encoded', bytes, name: 'the Blob' };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array | Uint8ClampedArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A copy: the caller may reuse or transfer the memory at once, and another thread decodes. */
function fromCallersBytes(bytes: Uint8Array, limits: ImageLimits): LoadedImage {
  return { ...fromBytes(bytes, limits), bytes: bytes.slice() };
}

function fromBytes(bytes: Uint8Array, limits: ImageLimits, name = 'the bytes given'): EncodedImage {
  if (bytes.length > limits.bytes) throw tooManyBytes(name, limits.bytes, bytes.length);
  return { kind: 'encoded', bytes, name };
}

function checkRawImage(image: RawImage, limits: ImageLimits): RawImage {
  const { data, width, height, channels } = image;
  const wrong = (message: string) => createError('IMAGE_INPUT_INVALID', `raw pixels: ${message}`);
  for (const [name, value] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw wrong(`${name} must be a whole number from 1, but is ${describeValue(value)}`);
  }
  if (![1, 2, 3, 4].includes(channels)) throw wrong(`channels must be 1, 2, 3 or 4, but is ${describeValue(channels)}`);
  if (width * height > limits.pixels) {
    throw createError(
      'IMAGE_TOO_LARGE',
      `raw pixels: ${width} x ${height} is over the limit of ${limits.pixels} pixels: make the picture smaller`,
    );
  }
  const isBytes = typeof data === 'object' && data !== null && /^Uint8(Clamped)?Array$/.test(tagOf(data));
  if (!isBytes) throw wrong(`data must be a Uint8Array or Uint8ClampedArray, but is ${describeValue(data)}`);
  if (data.length !== width * height * channels) {
    throw wrong(
      `${width} x ${height} x ${channels} needs ${width * height * channels} bytes, but there are ${data.length}`,
    );
  }
  return { data: bytesOf(data).slice(), width, height, channels };
}
