import { blockLength, type LanguageModelType, type TensorType, type VisionType } from '../gguf/tensor-types.js';

/** Facts of a language model that llama.cpp's mixtures depend on. */
export interface MixtureModel {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** No `output.weight`: the token embedding serves as output too. */
  readonly tied: boolean;
}

const BASE_TYPES: Readonly<Record<LanguageModelType, TensorType>> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  Q8_0: 'q8_0',
  Q4_0: 'q4_0',
  Q5_K_M: 'q5_K',
  Q4_K_M: 'q4_K',
  Q6_K: 'q6_K',
};

/** Where rows are not whole blocks of 256, as `tensor_type_fallback`. */
const FALLBACKS: Partial<Record<TensorType, TensorType>> = { q4_K: 'q5_0', q5_K: 'q5_1', q6_K: 'q8_0' };

const fits = (type: TensorType, rowLength: number): boolean => rowLength % blockLength(type) === 0;

function fallback(type: TensorType, rowLength: number): TensorType {
  if (fits(type, rowLength)) return type;
  const smaller = FALLBACKS[type];
  return smaller && fits(smaller, rowLength) ? smaller : 'f16';
}

/** The layers to which the medium mixtures give more bits: the first and last eighth, and every third between. */
const usesMoreBits = (layer: number, layers: number): boolean =>
  layer < Math.floor(layers / 8) || layer >= Math.floor((7 * layers) / 8) || (layer - Math.floor(layers / 8)) % 3 === 2;

function outputType(base: TensorType, rowLength: number): TensorType {
  if (!fits(base, rowLength) || base === 'q8_0') return 'q8_0';
  return 'q6_K';
}

function valueType(base: TensorType, medium: boolean, layer: number, model: MixtureModel): TensorType {
  if (medium && usesMoreBits(layer, model.layers)) return 'q6_K';
  // llama.cpp's "70B": values are shared by many heads, so they are small and worth more bits.
  const shared = model.layers === 80 && model.heads !== model.kvHeads;
  return shared && base === 'q4_K' ? 'q5_K' : base;
}

/**
 * Type of a language model's tensor, as llama.cpp's `llama_tensor_get_type` (src/llama-quant.cpp) chooses it for architecture `llama` without an
 * importance matrix. Norms and biases are always F32.
 */
export function languageTensorType(
  fileType: LanguageModelType,
  name: string,
  shape: readonly number[],
  model: MixtureModel,
): TensorType {
  const rowLength = shape.at(-1)!;
  if (shape.length < 2 || !name.endsWith('.weight')) return 'f32';
  const base = BASE_TYPES[fileType];
  if (base === 'f32' || base === 'f16' || base === 'bf16') return base;
  const medium = fileType === 'Q4_K_M' || fileType === 'Q5_K_M';
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  let type: TensorType = base;
  if (name === 'output.weight' || (name === 'token_embd.weight' && model.tied)) type = outputType(base, rowLength);
  else if (part === 'attn_v') type = valueType(base, medium, Number(layer), model);
  else if (part === 'ffn_down' && medium && usesMoreBits(Number(layer), model.layers)) type = 'q6_K';
  return fallback(type, rowLength);
}

/** Type of a matrix of the vision file. */
export function visionMatrixType(fileType: VisionType, shape: readonly number[]): TensorType {
  return fallback(BASE_TYPES[fileType], shape.at(-1)!);
}

/** Patch embedding: small and first, never quantized. BF16 files keep its range, so F32. */
export const convolutionType = (fileType: VisionType): TensorType =>
  fileType === 'F32' || fileType === 'BF16' ? 'f32' : 'f16';
