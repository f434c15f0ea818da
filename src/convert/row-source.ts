import type { FileHandle } from 'node:fs/promises';
import { rowByteLength, type TensorType } from '../gguf/tensor-types.js';
import { readFully } from './checkpoint-files.js';

/** A tensor seen as rows of its last dimension, read in chunks so that memory does not grow with the tensor. */
export interface RowSource {
  readonly type: TensorType;
  readonly rows: number;
  readonly rowLength: number;
  /** Chunks must start at, and (but for the last) have, multiples of this many rows. */
  readonly rowMultiple: number;
  /** Bytes of rows `first` .. `first + count`. */
  read(first: number, count: number): Promise<Uint8Array>;
}

/** Rows that lie one after another in a file. */
export function fileRows(
  place: { file: FileHandle; path: string; offset: number },
  type: TensorType,
  rows: number,
  rowLength: number,
): RowSource {
  const rowBytes = rowByteLength(type, rowLength);
  return {
    type,
    rows,
    rowLength,
    rowMultiple: 1,
    async read(first, count) {
      // Not from the pool of Buffers: views of floats need alignment.
      const bytes = new Uint8Array(count * rowBytes);
      await readFully(place.file, place.path, bytes, place.offset + first * rowBytes);
      return bytes;
    },
  };
}

/** One number everywhere, for a parameter that the checkpoint is configured not to have. */
export function constantRows(value: number, rows: number, rowLength: number): RowSource {
  const read = async (_first: number, count: number) =>
    new Uint8Array(new Float32Array(count * rowLength).fill(value).buffer);
  return { type: 'f32', rows, rowLength, rowMultiple: 1, read };
}

/**
 * Rows of a q or k projection in llama.cpp's order. HF rotates value i of a head with value i + headDim/2, llama.cpp value 2i with 2i + 1:
 * row 2i + j of a head here is row j * headDim/2 + i there.
 * `rows` may also be the single values of a bias: rowLength 1.
 */
export function permutedRows(source: RowSource, headDim: number): RowSource {
  const rowBytes = rowByteLength(source.type, source.rowLength);
  const half = headDim / 2;
  return {
    ...source,
    rowMultiple: headDim,
    async read(first, count) {
      const bytes = await source.read(first, count);
      const permuted = new Uint8Array(bytes.length);
      for (let row = 0; row < count; row++) {
        const inHead = row % headDim;
        const from = row - inHead + (inHead % 2) * half + (inHead >> 1);
        permuted.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), row * rowBytes);
      }
      return permuted;
    },
  };
}
