import { createError } from '../errors.js';
import type { FloatType } from '../gguf/tensor-types.js';
import { isObject } from './json-fields.js';

/** Where a tensor's bytes lie in a safetensors file. */
export interface SafetensorsEntry {
  readonly name: string;
  /** safetensors' name: F32, F16, BF16, I64, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** Largest header that safetensors itself accepts. */
export const MAX_HEADER_BYTES = 100_000_000;

const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
};

/** The tensor type of a dtype that weights may have. */
export const FLOAT_TYPES: Readonly<Record<string, FloatType>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every(isCount);

function parseEntry(
  file: string,
  name: string,
  value: unknown,
  dataStart: number,
  dataLength: number,
): SafetensorsEntry {
  const fail = (reason: string): never => {
    throw createError('CHECKPOINT_TENSOR_INVALID', `${file}: tensor ${name} ${reason}`);
  };
  if (!isObject(value)) return fail('is not described by an object');
  const { dtype, shape, data_offsets: offsets } = value;
  const bytes = typeof dtype === 'string' ? DTYPE_BYTES[dtype] : undefined;
  if (bytes === undefined) return fail(`has the unknown dtype ${JSON.stringify(dtype)}`);
  if (!isCounts(shape)) return fail(`has the impossible shape ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) return fail(`has impossible data_offsets ${JSON.stringify(offsets)}`);
  const [begin, end] = offsets as [number, number];
  if (end < begin || end > dataLength)
    return fail(`lies at ${begin}..${end}, outside of the file's ${dataLength} bytes of data`);
  const expected = shape.reduce((product, length) => product * length, bytes);
  if (end - begin !== expected)
    return fail(`has ${end - begin} bytes, but its shape [${shape.join(', ')}] of ${dtype} needs ${expected}`);
  return { name, dtype: dtype as string, shape, offset: dataStart + begin, byteLength: end - begin };
}

/** safetensors demands that tensors fill the file without overlap or gap: anything else is damage or an attack. */
function checkCoverage(file: string, entries: readonly SafetensorsEntry[], dataStart: number, fileSize: number): void {
  let end = dataStart;
  let last = 'the header';
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength)) {
    if (entry.offset !== end) {
      const relation = entry.offset < end ? 'overlaps' : 'leaves a gap after';
      throw createError('CHECKPOINT_TENSOR_INVALID', `${file}: tensor ${entry.name} ${relation} ${last}`);
    }
    end = entry.offset + entry.byteLength;
    last = `tensor ${entry.name}`;
  }
  if (end !== fileSize)
    throw createError('CHECKPOINT_INVALID', `${file} has ${fileSize - end} bytes after ${last}, which no tensor uses`);
}

/**
 * Parses a safetensors header and checks every bound.
 * @param json the header's bytes, without the length in front
 * @throws CHECKPOINT_INVALID, CHECKPOINT_TENSOR_INVALID
 */
export function parseSafetensorsHeader(file: string, json: Buffer, fileSize: number): SafetensorsEntry[] {
  let header: unknown;
  try {
    header = JSON.parse(json.toString('utf8'));
  } catch (error) {
    throw createError('CHECKPOINT_INVALID', `${file}: the header is not JSON; download the file again`, {
      cause: error,
    });
  }
  if (!isObject(header)) throw createError('CHECKPOINT_INVALID', `${file}: the header is not an object`);
  const dataStart = 8 + json.length;
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => parseEntry(file, name, value, dataStart, fileSize - dataStart));
  checkCoverage(file, entries, dataStart, fileSize);
  return entries;
}
