/** The tensors of `generate`, checked, as prompts without padding. */
import { invalidOption } from '../errors.js';
import { shown } from '../generation/validate-options.js';
import type { NativeModelInfo } from '../native/addon.js';
import type { Tensor } from '../tensor.js';
import { featuresOf, type PictureFeatures } from './engine-stages.js';
import { ImageFeatures } from './image-features.js';
import type { Engine } from './loaded-model.js';
import { checkFinite, checkIds, FLOATS, INTS, shapeOf, tensor } from './tensor-inputs.js';

/** What the processor makes of pictures and texts: B rows, one text each. The pictures are pixels, or what the vision encoder made of them. */
export interface GenerateInputs {
  /** [B,3,S,S], or of videos [B,F,3,S,S]: F frames, each read by the Q-Former with the row's instruction, as HF's InstructBlipVideo does. */
  readonly pixelValues?: Tensor<Float32Array>;
  /** In place of `pixelValues`: for each row the features of its picture, or of several in their order (`encodeImages`, `loadImageFeatures`). */
  readonly imageFeatures?: readonly (ImageFeatures | readonly ImageFeatures[])[];
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
  /** At least one. */
  readonly pictures: readonly PictureFeatures[];
  readonly instruction: Int32Array;
  readonly ids: Int32Array;
  /** `ids` with the padding that the caller gave, where there is some. */
  readonly paddedIds?: Int32Array;
}

export const INPUT_NAMES = [
  'pixelValues',
  'imageFeatures',
  'inputIds',
  'attentionMask',
  'qformerInputIds',
  'qformerAttentionMask',
] as const satisfies readonly (keyof GenerateInputs)[];

/** @throws OPTION_INVALID naming the tensor, IMAGE_FEATURES_MISMATCH */
export function readInputs(inputs: GenerateInputs, engine: Engine): GeneratePrompt[] {
  const { info } = engine.model;
  const pictures = picturesOf(inputs, engine);
  const batch = pictures.length;
  const ids = rows(inputs.inputIds, inputs.attentionMask, ['inputIds', 'attentionMask'], batch, info.vocabularySize);
  const instructions = rows(
    inputs.qformerInputIds,
    inputs.qformerAttentionMask,
    ['qformerInputIds', 'qformerAttentionMask'],
    batch,
    info.qformerVocabularySize,
  );
  return ids.map((row, i) => ({
    pictures: pictures[i] as readonly PictureFeatures[],
    instruction: (instructions[i] as Row).kept,
    ids: row.kept,
    paddedIds: row.all,
  }));
}

/** Of each row. */
function picturesOf({ pixelValues, imageFeatures }: GenerateInputs, engine: Engine): PictureFeatures[][] {
  if (imageFeatures === undefined)
    return pixelsOf(pixelValues, engine.model.info).map(frames =>
      frames.map(
        (pixels): PictureFeatures =>
          call =>
            featuresOf(call, pixels),
      ),
    );
  if (pixelValues !== undefined)
    throw invalidOption('pixelValues and imageFeatures exclude each other: give the pictures in one of the two forms');
  return featureRows(imageFeatures).map(row =>
    row.map((each): PictureFeatures => {
      const data = ImageFeatures.dataOf(each, engine.owner);
      return async () => data;
    }),
  );
}

function featureRows(imageFeatures: unknown): ImageFeatures[][] {
  const rows: unknown[][] = Array.isArray(imageFeatures) ? imageFeatures.map(row => [row].flat()) : [];
  if (rows.length > 0 && rows.every(row => row.length > 0 && row.every(each => each instanceof ImageFeatures)))
    return rows as ImageFeatures[][];
  throw invalidOption(
    `imageFeatures must be an array with image features, or with an array of them, for each row, but is ${shown(imageFeatures)}`,
  );
}

/**
 * Pixels [1,3,S,S] of each frame of each row; a picture is a row of one frame.
 * @throws OPTION_INVALID
 */
export function pixelsOf(
  pixelValues: Tensor<Float32Array> | undefined,
  { imageSize: side }: Pick<NativeModelInfo, 'imageSize'>,
): Float32Array[][] {
  const pixels = tensor(pixelValues, 'pixelValues', FLOATS);
  const { dims, data } = pixels;
  const [batch = 0, frames = 0] = dims.length === 5 ? dims : [dims[0], 1];
  if (batch < 1 || frames < 1 || String(dims.slice(dims.length === 5 ? 2 : 1)) !== String([3, side, side]))
    throw invalidOption(
      `pixelValues must be [batch, 3, ${side}, ${side}] or, with frames, [batch, frames, 3, ${side}, ${side}], of at least 1 each, but is ${shapeOf(dims)}`,
    );
  checkFinite(pixels, 'pixelValues');
  const size = 3 * side * side;
  const frame = (index: number) => data.subarray(index * size, (index + 1) * size);
  return Array.from({ length: batch }, (_, row) => Array.from({ length: frames }, (_, i) => frame(row * frames + i)));
}

interface Row {
  readonly all: Int32Array;
  /** Those that the mask leaves. */
  readonly kept: Int32Array;
}

/** The ids of each row. */
function rows(
  idsTensor: Tensor<Int32Array>,
  maskTensor: Tensor<Int32Array> | undefined,
  [name, maskName]: readonly [string, string],
  batch: number,
  vocabularySize: number,
): Row[] {
  const { dims, data } = tensor(idsTensor, name, INTS);
  if (dims.length !== 2 || dims[0] !== batch)
    throw invalidOption(`${name} must be [${batch}, tokens], as there are ${batch} pictures, but is ${shapeOf(dims)}`);
  checkIds(idsTensor, name, vocabularySize);
  const mask = maskTensor === undefined ? undefined : tensor(maskTensor, maskName, INTS);
  if (mask && String(mask.dims) !== String(dims))
    throw invalidOption(`${maskName} must be as ${name}, ${shapeOf(dims)}, but is ${shapeOf(mask.dims)}`);
  if (mask?.data.some(value => value !== 0 && value !== 1)) throw invalidOption(`${maskName} must be of 0 and 1`);
  const length = dims[1] as number;
  return Array.from({ length: batch }, (_, row) => {
    const all = data.slice(row * length, (row + 1) * length);
    const kept = all.filter((_id, i) => mask?.data[row * length + i] !== 0);
    if (kept.length === 0)
      throw invalidOption(`row ${row} of ${name} has no token${mask ? ` that ${maskName} leaves` : ''}`);
    return { all, kept };
  });
}
