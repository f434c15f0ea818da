import { GGUF_VALUE_TYPES, type NativeGgufEntry } from '../native/addon.js';
import { ByteWriter } from './byte-writer.js';
import { rowByteLength, type TensorType, tensorTypeId } from './tensor-types.js';

/** One metadata entry to write; the same form in which the native reader gives them. */
export type GgufEntry = NativeGgufEntry;

/** A tensor to write. `shape` is in PyTorch order. */
export interface GgufTensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
}

export interface GgufLayout {
  /** All bytes before the first tensor, padded. */
  readonly header: Buffer;
  /** Offset of each tensor from the file's start. */
  readonly offsets: readonly number[];
  readonly fileSize: number;
}

/** Tensors start at multiples of this (GGUF's default; no `general.alignment` key needed). */
export const GGUF_ALIGNMENT = 32;
const MAGIC = 'GGUF';
const VERSION = 3;

export const string = (key: string, value: string): GgufEntry => ({ key, type: 'string', value });
export const bool = (key: string, value: boolean): GgufEntry => ({ key, type: 'bool', value });
export const u32 = (key: string, value: number): GgufEntry => ({ key, type: 'u32', value });
export const i32 = (key: string, value: number): GgufEntry => ({ key, type: 'i32', value });
export const f32 = (key: string, value: number): GgufEntry => ({ key, type: 'f32', value });
export const f64 = (key: string, value: number): GgufEntry => ({ key, type: 'f64', value });
export const strings = (key: string, value: readonly string[]): GgufEntry => ({
  key,
  type: 'array',
  elementType: 'string',
  value,
});
export const i32s = (key: string, value: readonly number[]): GgufEntry => ({
  key,
  type: 'array',
  elementType: 'i32',
  value: Int32Array.from(value),
});
export const f32s = (key: string, value: readonly number[]): GgufEntry => ({
  key,
  type: 'array',
  elementType: 'f32',
  value: Float32Array.from(value),
});

export const u8s = (key: string, value: Uint8Array): GgufEntry => ({ key, type: 'array', elementType: 'u8', value });

export const pad = (size: number): number => Math.ceil(size / GGUF_ALIGNMENT) * GGUF_ALIGNMENT;

/** Bytes of a tensor's data, without padding. */
export const tensorByteLength = ({ shape, type }: Pick<GgufTensorInfo, 'shape' | 'type'>): number =>
  shape.slice(0, -1).reduce((product, length) => product * length, 1) * rowByteLength(type, shape.at(-1) ?? 1);

function writeEntry(writer: ByteWriter, { key, type, elementType, value }: GgufEntry): void {
  writer.string(key);
  writer.u32(GGUF_VALUE_TYPES.indexOf(type));
  if (type !== 'array') {
    writer.scalar(type, value as string | number | boolean);
    return;
  }
  if (!elementType) throw new TypeError(`array ${key} has no element type`);
  const values = value as ArrayLike<string | number | boolean>;
  writer.u32(GGUF_VALUE_TYPES.indexOf(elementType));
  writer.u64(values.length);
  for (let i = 0; i < values.length; i++) writer.scalar(elementType, values[i]!);
}

/** Serializes a GGUF file's header and decides where each tensor lies. */
export function layoutGguf(entries: readonly GgufEntry[], tensors: readonly GgufTensorInfo[]): GgufLayout {
  const writer = new ByteWriter();
  writer.bytes(Buffer.from(MAGIC));
  writer.u32(VERSION);
  writer.u64(tensors.length);
  writer.u64(entries.length);
  for (const entry of entries) writeEntry(writer, entry);
  let offset = 0;
  const relative = tensors.map(tensor => {
    writer.string(tensor.name);
    writer.u32(tensor.shape.length);
    for (const length of [...tensor.shape].reverse()) writer.u64(length);
    writer.u32(tensorTypeId(tensor.type));
    writer.u64(offset);
    const at = offset;
    offset += pad(tensorByteLength(tensor));
    return at;
  });
  writer.bytes(new Uint8Array(pad(writer.size) - writer.size));
  const header = writer.finish();
  return { header, offsets: relative.map(at => header.length + at), fileSize: header.length + offset };
}
