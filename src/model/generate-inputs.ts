/** The tensors of `generate`, checked, as prompts without padding. */
import type { NativeModelInfo } from '../native/addon.js';
import type { Tensor } from '../tensor.js';
import { checkIds, FLOATS, INTS, invalid, shapeOf, tensor } from './tensor-inputs.js';

/** What the processor makes of pictures and texts. B pictures, one text each. */
export interface GenerateInputs {
  /** [B,3,S,S] */
  readonly pixelValues: Tensor<Float32Array>;
  /** [B,T] ids of the language model. */
  readonly inputIds: Tensor<Int32Array>;
  /** [B,T] of 0 and 1; tokens with 0 are padding and are left out. Default: all 1. */
  readonly attentionMask?: Tensor<Int32Array>;
  /** [B,Q] ids of the Q-Former. */
  readonly qformerInputIds: Tensor<Int32Array>;
  /** [B,Q]; as `attentionMask`. */
  readonly qformerAttentionMask?: Tensor<Int32Array>;
}

/** One row of the batch. */
export interface GeneratePrompt {
  /** [1,3,S,S] */
  readonly pixels: Float32Array;
  readonly instruction: Int32Array;
  readonly ids: Int32Array;
}

export const INPUT_NAMES = [
  'pixelValues',
  'inputIds',
  'attentionMask',
  'qformerInputIds',
  'qformerAttentionMask',
] as const satisfies readonly (keyof GenerateInputs)[];

/** @throws OPTION_INVALID naming the tensor */
export function readInputs(inputs: GenerateInputs, info: NativeModelInfo): GeneratePrompt[] {
  const pixels = tensor(inputs.pixelValues, 'pixelValues', FLOATS);
  const { imageSize: side } = info;
  const batch = pixels.dims[0] ?? 0;
  if (batch < 1 || String(pixels.dims) !== String([batch, 3, side, side]))
    throw invalid(
      `pixelValues must be [batch, 3, ${side}, ${side}] with a batch of at least 1, but is ${shapeOf(pixels.dims)}`,
    );
  const ids = rows(inputs.inputIds, inputs.attentionMask, ['inputIds', 'attentionMask'], batch, info.vocabularySize);
  const instructions = rows(
    inputs.qformerInputIds,
    inputs.qformerAttentionMask,
    ['qformerInputIds', 'qformerAttentionMask'],
    batch,
    info.qformerVocabularySize,
  );
  const size = 3 * side * side;
  return ids.map((row, i) => ({
    pixels: pixels.data.subarray(i * size, (i + 1) * size),
    instruction: instructions[i] as Int32Array,
    ids: row,
  }));
}

/** The ids of each row that the mask leaves. */
function rows(
  idsTensor: Tensor<Int32Array>,
  maskTensor: Tensor<Int32Array> | undefined,
  [name, maskName]: readonly [string, string],
  batch: number,
  vocabularySize: number,
): Int32Array[] {
  const { dims, data } = tensor(idsTensor, name, INTS);
  if (dims.length !== 2 || dims[0] !== batch)
    throw invalid(`${name} must be [${batch}, tokens], as there are ${batch} pictures, but is ${shapeOf(dims)}`);
  checkIds(idsTensor, name, vocabularySize);
  const mask = maskTensor === undefined ? undefined : tensor(maskTensor, maskName, INTS);
  if (mask && String(mask.dims) !== String(dims))
    throw invalid(`${maskName} must be as ${name}, ${shapeOf(dims)}, but is ${shapeOf(mask.dims)}`);
  if (mask?.data.some(value => value !== 0 && value !== 1)) throw invalid(`${maskName} must be of 0 and 1`);
  const length = dims[1] as number;
  return Array.from({ length: batch }, (_, row) => {
    const kept = data.slice(row * length, (row + 1) * length).filter((_id, i) => mask?.data[row * length + i] !== 0);
    if (kept.length === 0) throw invalid(`row ${row} of ${name} has no token${mask ? ` that ${maskName} leaves` : ''}`);
    return kept;
  });
}
