import { createError, type ErrorCode } from '../errors.js';
import type { TensorType } from '../gguf/tensor-types.js';
import type { NativeAddon } from '../native/addon.js';
import { nativeWork } from '../native/native-call.js';
import type { RowSource } from './row-source.js';

/** Values per chunk: 16 MiB as F32. Memory is a small multiple of it, whatever the tensor's size. */
const CHUNK_VALUES = 4 << 20;
/** Larger values round to infinity in F16. */
const F16_LIMIT = 65520;

/** What encoding needs besides rows. */
export interface EncoderContext {
  readonly addon: Pick<NativeAddon, 'CancelToken' | 'quantizeRows' | 'dequantizeRows'>;
  readonly signal: AbortSignal | undefined;
  /** Code of the error for a value that is not a number. */
  readonly invalidCode: ErrorCode;
  readonly chunkValues?: number;
}

const floatsOf = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const bytesOf = (floats: Float32Array): Uint8Array =>
  new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);

const notFinite = (name: string, code: ErrorCode): Error =>
  createError(code, `tensor ${name} holds values that are not finite numbers: the weights are damaged`);

/** @throws `context.invalidCode` for NaN and infinity, OPTION_INVALID for values that F16 cannot hold */
function checkFloats(name: string, values: Float32Array, target: TensorType, code: ErrorCode): void {
  const limit = target === 'f16' ? F16_LIMIT : Number.POSITIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Math.abs(value) < limit) continue;
    if (!Number.isFinite(value)) throw notFinite(name, code);
    throw createError(
      'OPTION_INVALID',
      `tensor ${name} holds ${value}, which is beyond F16's range: choose BF16 or F32`,
    );
  }
}

/** F16 and BF16 that are copied: infinity and NaN have all exponent bits set. */
function checkHalves(name: string, bytes: Uint8Array, type: 'f16' | 'bf16', code: ErrorCode): void {
  const values = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  const exponent = type === 'f16' ? 0x7c00 : 0x7f80;
  for (let i = 0; i < values.length; i++) {
    if ((values[i]! & exponent) === exponent) throw notFinite(name, code);
  }
}

async function encode(
  name: string,
  bytes: Uint8Array,
  rows: RowSource,
  target: TensorType,
  { addon, signal, invalidCode }: EncoderContext,
): Promise<Uint8Array> {
  if (rows.type === target && target !== 'f32') {
    if (target === 'f16' || target === 'bf16') checkHalves(name, bytes, target, invalidCode);
    return bytes;
  }
  const values =
    rows.type === 'f32'
      ? floatsOf(bytes)
      : await nativeWork(addon, signal, cancel => addon.dequantizeRows(rows.type, bytes, rows.rowLength, cancel));
  checkFloats(name, values, target, invalidCode);
  if (target === 'f32') return bytesOf(values);
  return nativeWork(addon, signal, cancel => addon.quantizeRows(target, values, rows.rowLength, cancel));
}

/** The rows of a source, converted to `target`, chunk by chunk. */
export async function* encodeRows(
  name: string,
  rows: RowSource,
  target: TensorType,
  context: EncoderContext,
): AsyncGenerator<Uint8Array> {
  const wanted = Math.max(1, Math.floor((context.chunkValues ?? CHUNK_VALUES) / rows.rowLength));
  const step = Math.max(1, Math.floor(wanted / rows.rowMultiple)) * rows.rowMultiple;
  for (let first = 0; first < rows.rows; first += step) {
    context.signal?.throwIfAborted();
    const bytes = await rows.read(first, Math.min(step, rows.rows - first));
    yield await encode(name, bytes, rows, target, context);
  }
}
