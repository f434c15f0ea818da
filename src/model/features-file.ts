/**
 * Saved image features. Little-endian: magic (8 bytes), version, rows, columns, length of the name (u32 each), digest of the vision encoder (32 bytes), its name
 * (UTF-8), rows x columns float32, SHA-256 of all that (32 bytes).
 */
import { createHash } from 'node:crypto';
import { createError, type InstructBlipError } from '../errors.js';
import type { VisionIdentity } from './vision-identity.js';

/** As PNG's: a transfer as text damages it at once. */
const MAGIC = Buffer.from('\x89IBF\r\n\x1a\n', 'latin1');
const VERSION = 1;
const HASH_BYTES = 32;
const NAME_START = MAGIC.length + 4 * 4 + HASH_BYTES;
/** More is cut off: it is for messages. */
const MOST_NAME_BYTES = 1024;

export interface SavedFeatures {
  readonly vision: VisionIdentity;
  readonly shape: readonly [number, number];
  readonly data: Float32Array;
}

/** Bytes that features of this shape take at most. */
export const largestFile = ([rows, columns]: readonly [number, number]): number =>
  NAME_START + MOST_NAME_BYTES + 4 * rows * columns + HASH_BYTES;

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

export function encodeFeatures({ vision, shape, data }: SavedFeatures): Uint8Array {
  const name = Buffer.from(vision.name).subarray(0, MOST_NAME_BYTES);
  const numbers = new Uint32Array([VERSION, ...shape, name.length]);
  const values = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const body = Buffer.concat([MAGIC, new Uint8Array(numbers.buffer), vision.digest, name, values]);
  return Buffer.concat([body, sha256(body)]);
}

/** What is wrong with the bytes; `source` names them. */
const invalid = (source: string, problem: string): InstructBlipError =>
  createError('IMAGE_FEATURES_INVALID', `${source} ${problem}: encode the picture again and save its features`);

/** @throws IMAGE_FEATURES_INVALID */
export function decodeFeatures(bytes: Uint8Array, source: string): SavedFeatures {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.subarray(0, MAGIC.length).equals(MAGIC)) throw invalid(source, 'has no image features in it');
  const number = (index: number) => buffer.readUInt32LE(MAGIC.length + 4 * index);
  if (buffer.length < NAME_START + HASH_BYTES)
    throw invalid(source, `ends after ${buffer.length} bytes, in its header`);
  if (number(0) !== VERSION) throw invalid(source, `is of version ${number(0)}, but this package reads ${VERSION}`);
  const [rows, columns, nameBytes] = [number(1), number(2), number(3)];
  const valuesStart = NAME_START + nameBytes;
  const size = valuesStart + 4 * rows * columns + HASH_BYTES;
  if (buffer.length !== size) throw invalid(source, `has ${buffer.length} bytes, but its header says ${size}`);
  const body = buffer.subarray(0, -HASH_BYTES);
  if (!sha256(body).equals(buffer.subarray(-HASH_BYTES))) throw invalid(source, 'is damaged: its checksum is another');
  // A copy of its own, at a place where floats may be.
  const values = Uint8Array.from(body.subarray(valuesStart));
  return {
    vision: {
      name: body.toString('utf8', NAME_START, valuesStart),
      digest: Uint8Array.from(body.subarray(NAME_START - HASH_BYTES, NAME_START)),
    },
    shape: [rows, columns],
    data: new Float32Array(values.buffer),
  };
}
