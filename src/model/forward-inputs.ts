/** The inputs of `InstructBlipForConditionalGeneration.forward`, checked before any work. */

import type { InstructBlipConfig } from '../config/instruct-blip-config.js';
import { invalidOption } from '../errors.js';
import { boolean } from '../generation/option-rules.js';
import { Tensor } from '../tensor.js';
import { checkNamed } from './ask-options.js';
import { IGNORED } from './cross-entropy.js';
import type { MaskedIds } from './language-forward.js';
import { checkQFormerIds } from './qformer-model.js';
import { anything, OUTPUT_RULES, type OutputOptions } from './stage-options.js';
import { checkDims, checkIds, INTS, maskOf, rowOf, shapeOf, tensor } from './tensor-inputs.js';
import { checkPixels } from './vision-model.js';

/** What `InstructBlipForConditionalGeneration.forward` takes; B pictures, one text each. */
export interface ForwardInputs extends OutputOptions {
  /** Normalized pixels, as the processor makes them: [B,3,S,S]. */
  readonly pixelValues: Tensor<Float32Array>;
  /** Ids of the Q-Former, [B,Q]; only a model whose Q-Former takes no text goes without. */
  readonly qformerInputIds?: Tensor<Int32Array>;
  /** [B,Q] of 0 and 1. Default: all 1. */
  readonly qformerAttentionMask?: Tensor<Int32Array>;
  /** Ids of the language model, [B,T]. */
  readonly inputIds: Tensor<Int32Array>;
  /** [B,T] of 0 and 1. Default: all 1. */
  readonly attentionMask?: Tensor<Int32Array>;
  /** T5: what its decoder reads, [B,D]. Left out: `labels`, behind the start token. */
  readonly decoderInputIds?: Tensor<Int32Array>;
  /** T5: [B,D] of 0 and 1; the first is 1. Default: all 1. */
  readonly decoderAttentionMask?: Tensor<Int32Array>;
  /**
   * Ids to compute the loss with; -100 does not count. LLaMA, OPT: [B,n] of the last n rows of picture and text, each compared with the row before it;
   * the logits returned are those n. T5: [B,D].
   */
  readonly labels?: Tensor<Int32Array>;
  /** As in `InstructBlipVisionModel.forward`. Default false. */
  readonly interpolatePosEncoding?: boolean;
}

const RULES = {
  ...OUTPUT_RULES,
  interpolatePosEncoding: boolean,
  pixelValues: anything,
  qformerInputIds: anything,
  qformerAttentionMask: anything,
  inputIds: anything,
  attentionMask: anything,
  decoderInputIds: anything,
  decoderAttentionMask: anything,
  labels: anything,
};

/** Checked. */
export interface ForwardBatch {
  readonly options: OutputOptions;
  readonly pixels: Tensor<Float32Array>;
  readonly instruction: { readonly ids: Tensor<Int32Array>; readonly mask: Tensor<Int32Array> | undefined } | undefined;
  readonly prompt: MaskedIds;
  /** Of an encoder-decoder. */
  readonly answer: MaskedIds | undefined;
  readonly labels: Tensor<Int32Array> | undefined;
}

function maskedIds(
  given: Tensor<Int32Array>,
  givenMask: Tensor<Int32Array> | undefined,
  [name, maskName]: readonly [string, string],
  batch: number,
  vocabSize: number,
): MaskedIds {
  const ids = tensor(given, name, INTS);
  checkDims(ids, name, [batch, null], `[${batch}, tokens], one row for each picture`);
  checkIds(ids, name, vocabSize);
  return { ids, mask: maskOf(givenMask, maskName, [batch, ids.dims[1] as number], name) };
}

function instructionOf(
  { qformerInputIds, qformerAttentionMask }: ForwardInputs,
  batch: number,
  { qformerConfig }: InstructBlipConfig,
  textInput: boolean,
): ForwardBatch['instruction'] {
  if (!textInput) return undefined; // it has no way into the model, as in BLIP-2
  if (qformerInputIds === undefined)
    throw invalidOption('qformerInputIds are needed: the Q-Former reads the instruction');
  const ids = checkQFormerIds(qformerInputIds, 'qformerInputIds', batch, qformerConfig) as Tensor<Int32Array>;
  const sizes = [batch, ids.dims[1] as number] as const;
  return { ids, mask: maskOf(qformerAttentionMask, 'qformerAttentionMask', sizes, 'qformerInputIds') };
}

function labelsOf(
  given: Tensor<Int32Array> | undefined,
  batch: number,
  vocabSize: number,
): Tensor<Int32Array> | undefined {
  if (given === undefined) return undefined;
  const labels = tensor(given, 'labels', INTS);
  checkDims(labels, 'labels', [batch, null], `[${batch}, labels], one row for each picture`);
  const wrong = labels.data.find(id => id !== IGNORED && (id < 0 || id >= vocabSize));
  if (wrong !== undefined)
    throw invalidOption(`labels has ${wrong}, which is neither -100 nor an id of the vocabulary's ${vocabSize}`);
  return labels;
}

/** `shift`: labels in front of it have no row that predicts them. */
function checkLabels(labels: Tensor<Int32Array>, most: number, shift: 0 | 1): void {
  const [batch, length] = labels.dims as [number, number];
  if (length > most)
    throw invalidOption(`labels must have at most ${most} in a row, as there are rows, but is ${shapeOf(labels.dims)}`);
  for (let row = 0; row < batch; row++)
    if (
      rowOf(labels, row)
        .subarray(shift)
        .some(id => id !== IGNORED)
    )
      return;
  throw invalidOption(
    `labels has none that counts: all are -100${shift ? ' or the first of a row, which nothing predicts' : ''}`,
  );
}

/** HF's `_shift_right`: the start token, then all but the last; what does not count becomes padding. */
function shiftRight(labels: Tensor<Int32Array>, start: number, pad: number): Tensor<Int32Array> {
  const [batch, length] = labels.dims as [number, number];
  const data = Int32Array.from(labels.data, (_, i) => {
    const before = labels.data[i - 1] as number;
    return i % length === 0 ? start : before === IGNORED ? pad : before;
  });
  return new Tensor(data, [batch, length]);
}

function answerOf(
  given: ForwardInputs,
  batch: number,
  config: InstructBlipConfig,
  labels: Tensor<Int32Array> | undefined,
) {
  const { decoderStartTokenId, padTokenId, vocabSize } = config.textConfig;
  const ids = given.decoderInputIds ?? (labels && shiftRight(labels, decoderStartTokenId ?? 0, padTokenId ?? 0));
  if (ids === undefined)
    throw invalidOption('decoderInputIds or labels are needed: an encoder-decoder reads them with its decoder');
  const names = ['decoderInputIds', 'decoderAttentionMask'] as const;
  const answer = maskedIds(ids, given.decoderAttentionMask, names, batch, vocabSize);
  for (let row = 0; answer.mask && row < batch; row++)
    if (rowOf(answer.mask, row)[0] === 0)
      throw invalidOption(`row ${row} of decoderAttentionMask hides the first token, which would then see nothing`);
  if (labels && String(labels.dims) !== String(answer.ids.dims))
    throw invalidOption(
      `labels must be as decoderInputIds, ${shapeOf(answer.ids.dims)}, but is ${shapeOf(labels.dims)}`,
    );
  return answer;
}

/** @throws OPTION_INVALID, OPTION_UNKNOWN naming the input */
export function readForward(inputs: ForwardInputs, config: InstructBlipConfig, textInput: boolean): ForwardBatch {
  const given = checkNamed(inputs, RULES);
  const { vocabSize } = config.textConfig;
  const pixels = checkPixels(given.pixelValues, config.visionConfig, given.interpolatePosEncoding ?? false);
  const batch = pixels.dims[0] as number;
  const instruction = instructionOf(given, batch, config, textInput);
  const prompt = maskedIds(given.inputIds, given.attentionMask, ['inputIds', 'attentionMask'], batch, vocabSize);
  const labels = labelsOf(given.labels, batch, vocabSize);
  const encodes = !config.useDecoderOnlyLanguageModel;
  if (!encodes && (given.decoderInputIds !== undefined || given.decoderAttentionMask !== undefined))
    throw invalidOption(
      'decoderInputIds and decoderAttentionMask are for encoder-decoders (T5), which this model is not',
    );
  const answer = encodes ? answerOf(given, batch, config, labels) : undefined;
  const rows = answer ? answer.ids.dims[1] : config.numQueryTokens + (prompt.ids.dims[1] as number);
  if (labels) checkLabels(labels, rows as number, encodes ? 0 : 1);
  return { options: given, pixels, instruction, prompt, answer, labels };
}
