import { createError } from '../errors.js';

/** ggml's tensor types that this package reads or writes, by ggml's name: number in the file, values and bytes of one block. */
const TENSOR_TYPES = {
  f32: { id: 0, blockLength: 1, blockBytes: 4 },
  f16: { id: 1, blockLength: 1, blockBytes: 2 },
  bf16: { id: 30, blockLength: 1, blockBytes: 2 },
  q4_0: { id: 2, blockLength: 32, blockBytes: 18 },
  q5_0: { id: 6, blockLength: 32, blockBytes: 22 },
  q5_1: { id: 7, blockLength: 32, blockBytes: 24 },
  q8_0: { id: 8, blockLength: 32, blockBytes: 34 },
  q4_K: { id: 12, blockLength: 256, blockBytes: 144 },
  q5_K: { id: 13, blockLength: 256, blockBytes: 176 },
  q6_K: { id: 14, blockLength: 256, blockBytes: 210 },
} as const;

/** A tensor type, by ggml's name. */
export type TensorType = keyof typeof TENSOR_TYPES;
/** Types of plain numbers: what checkpoints hold, and what may be quantized. */
export type FloatType = 'f32' | 'f16' | 'bf16';

/** Number of the type in GGUF. */
export const tensorTypeId = (type: TensorType): number => TENSOR_TYPES[type].id;
export const blockLength = (type: TensorType): number => TENSOR_TYPES[type].blockLength;
export const isTensorType = (name: string): name is TensorType => Object.hasOwn(TENSOR_TYPES, name);
export const isFloatType = (name: string): name is FloatType => name === 'f32' || name === 'f16' || name === 'bf16';

/** Bytes of one row; the row must be whole blocks. */
export function rowByteLength(type: TensorType, rowLength: number): number {
  const { blockLength: length, blockBytes } = TENSOR_TYPES[type];
  if (rowLength % length !== 0) throw new RangeError(`a row of ${rowLength} values is not whole blocks of ${type}`);
  return (rowLength / length) * blockBytes;
}

/** File types of a language model, with llama.cpp's number for `general.file_type`. */
const FILE_TYPES = { F32: 0, F16: 1, BF16: 32, Q8_0: 7, Q4_0: 2, Q5_K_M: 17, Q4_K_M: 15, Q6_K: 18 } as const;

/** Type of a language model file: F32, F16, BF16 or one of llama.cpp's quantization mixtures. */
export type LanguageModelType = keyof typeof FILE_TYPES;
export const LANGUAGE_MODEL_TYPES = Object.keys(FILE_TYPES) as readonly LanguageModelType[];
/** Type of a vision file. K-quants need rows of 256 values, which the vision encoder (1408) has not. */
export const VISION_TYPES = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'] as const satisfies readonly LanguageModelType[];
export type VisionType = (typeof VISION_TYPES)[number];

/** Value of `general.file_type`. */
export const fileTypeId = (type: LanguageModelType): number => FILE_TYPES[type];

/** `value` as one of `types`, in any case of letters. @throws OPTION_INVALID */
export function parseFileType<T extends LanguageModelType>(value: string, types: readonly T[], option: string): T {
  const found = types.find(type => type === String(value).toUpperCase());
  if (found) return found;
  throw createError('OPTION_INVALID', `${option} is '${value}'; it must be one of ${types.join(', ')}`);
}
