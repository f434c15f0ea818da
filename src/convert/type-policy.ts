import { createError } from '../errors.js';
import type { GgufEntry, GgufTensorInfo } from '../gguf/gguf-header.js';
import { blockLength, type LanguageModelType, type TensorType, type VisionType } from '../gguf/tensor-types.js';

/** Facts of a language model that llama.cpp's mixtures depend on. */
export interface MixtureModel {
  readonly architecture: string;
  /** Of an encoder-decoder: those of the encoder. */
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
}

type Tensor = Pick<GgufTensorInfo, 'name' | 'shape'>;

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

/** Always F32: norms and biases, and tables of positions, though they are matrices. */
const isExact = ({ name, shape }: Tensor): boolean =>
  shape.length < 2 || !name.endsWith('.weight') || /(^position_embd|attn_rel_b)\.weight$/.test(name);

/** llama.cpp's order of tensors (`weight_name_comparer`): by layer where the name begins with one, then by name. */
function inMixtureOrder<T extends Tensor>(tensors: readonly T[]): T[] {
  const layerOf = ({ name }: Tensor): number => Number(/^blk\.(\d+)/.exec(name)?.[1] ?? -1);
  return [...tensors].sort((a, b) => layerOf(a) - layerOf(b) || (a.name < b.name ? -1 : 1));
}

/** What `llama_tensor_get_type` (src/llama-quant.cpp) knows while it goes through the tensors of a file. */
class Mixture {
  private values = 0;
  private downs = 0;
  private readonly valueCount: number;
  private readonly tied: boolean;
  private readonly medium: boolean;

  constructor(
    fileType: LanguageModelType,
    private readonly base: TensorType,
    tensors: readonly Tensor[],
    private readonly model: MixtureModel,
  ) {
    this.medium = fileType === 'Q4_K_M' || fileType === 'Q5_K_M';
    this.valueCount = tensors.filter(({ name }) => name.includes('attn_v.weight')).length;
    this.tied = !tensors.some(({ name }) => name === 'output.weight');
  }

  next({ name, shape }: Tensor): TensorType {
    if (name === 'output.weight' || (name === 'token_embd.weight' && this.tied)) return this.outputType(shape.at(-1)!);
    // Cross-attention's values are counted with the others.
    if (name.includes('attn_v.weight')) return this.valueType();
    // An encoder-decoder's are counted through both halves, the decoder's first, against the encoder's layers.
    if (name.includes('ffn_down') && this.medium && usesMoreBits(this.downs++, this.model.layers)) return 'q6_K';
    return this.base;
  }

  private outputType(rowLength: number): TensorType {
    return !fits(this.base, rowLength) || this.base === 'q8_0' ? 'q8_0' : 'q6_K';
  }

  private valueType(): TensorType {
    const { architecture, layers, heads, kvHeads } = this.model;
    if (this.medium && usesMoreBits(this.values++, this.valueCount)) return 'q6_K';
    // llama.cpp's "70B": values are shared by many heads, so they are small and worth more bits.
    const shared = architecture === 'llama' && layers === 80 && heads !== kvHeads;
    return shared && this.base === 'q4_K' ? 'q5_K' : this.base;
  }
}

/**
 * Types of a language model's tensors by name: as `llama_model_quantize` chooses them without an importance matrix. OPT, which llama.cpp does not
 * know, gets what its rules give to any model with tensors of these names.
 */
export function languageTensorTypes(
  fileType: LanguageModelType,
  tensors: readonly Tensor[],
  model: MixtureModel,
): ReadonlyMap<string, TensorType> {
  const base = BASE_TYPES[fileType];
  const float = base === 'f32' || base === 'f16' || base === 'bf16';
  const mixture = new Mixture(fileType, base, tensors, model);
  const typeOf = (tensor: Tensor): TensorType => {
    if (isExact(tensor)) return 'f32';
    return float ? base : fallback(mixture.next(tensor), tensor.shape.at(-1)!);
  };
  return new Map(inMixtureOrder(tensors).map(tensor => [tensor.name, typeOf(tensor)]));
}

/**
 * What a language model's metadata say about mixtures.
 * @throws MODEL_FILE_KEY_MISSING
 */
export function mixtureModel(architecture: string, metadata: readonly GgufEntry[]): MixtureModel {
  const numberOf = (name: string, fallbackValue?: number): number => {
    const key = `${architecture}.${name}`;
    const value = metadata.find(entry => entry.key === key)?.value ?? fallbackValue;
    if (typeof value !== 'number') throw createError('MODEL_FILE_KEY_MISSING', `the file has no number ${key}`);
    return value;
  };
  const heads = numberOf('attention.head_count');
  return { architecture, layers: numberOf('block_count'), heads, kvHeads: numberOf('attention.head_count_kv', heads) };
}

/** Type of a matrix of the vision file. */
export function visionMatrixType(fileType: VisionType, shape: readonly number[]): TensorType {
  return fallback(BASE_TYPES[fileType], shape.at(-1)!);
}

/** Patch embedding: small and first, never quantized. BF16 files keep its range, so F32. */
export const convolutionType = (fileType: VisionType): TensorType =>
  fileType === 'F32' || fileType === 'BF16' ? 'f32' : 'f16';
