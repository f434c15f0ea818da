/** `forward` of the whole model: the stages, one after another, with everything that was asked for. */
import type { InstructBlipConfig } from '../config/instruct-blip-config.js';
import { Tensor } from '../tensor.js';
import { crossEntropy } from './cross-entropy.js';
import { type ForwardBatch, type ForwardInputs, readForward } from './forward-inputs.js';
import { type LanguageModelOutputs, runLanguageModel } from './language-forward.js';
import { underSignals } from './linked-signal.js';
import type { Engine } from './loaded-model.js';
import { type QFormerOutputs, runQFormer } from './qformer-model.js';
import { rowOf } from './tensor-inputs.js';
import { runVision, type VisionOutputs } from './vision-model.js';

/** HF's `InstructBlipForConditionalGenerationModelOutput`. */
export interface ForwardOutputs {
  /** With `labels`: the mean cross-entropy over those that count. */
  readonly loss?: number;
  /** LLaMA, OPT: [B,queries+T,V], with `labels` only the last rows, as many as labels. T5: [B,D,V]. */
  readonly logits: Tensor<Float32Array>;
  readonly visionOutputs: VisionOutputs;
  readonly qformerOutputs: QFormerOutputs;
  /** Its logits are of all rows. */
  readonly languageModelOutputs: LanguageModelOutputs;
}

/** @param textInput whether the Q-Former takes text */
export async function forward(
  engine: Engine,
  config: InstructBlipConfig,
  textInput: boolean,
  inputs: ForwardInputs,
): Promise<ForwardOutputs> {
  const batch = readForward(inputs, config, textInput);
  return underSignals([batch.options.signal, engine.lifetime], signal => runStages(engine, config, batch, signal));
}

async function runStages(
  engine: Engine,
  config: InstructBlipConfig,
  { options, pixels, instruction, prompt, answer, labels }: ForwardBatch,
  signal: AbortSignal,
): Promise<ForwardOutputs> {
  const visionOutputs = await runVision(engine, config.visionConfig, pixels, options, signal);
  const [size] = pixels.dims as [number];
  const queryCount = config.numQueryTokens;
  const asked = {
    batch: size,
    queryCount,
    ids: instruction?.ids,
    mask: instruction?.mask && behindOnes(instruction.mask, queryCount),
    queries: null,
    features: visionOutputs.lastHiddenState,
    featureMask: undefined,
  };
  const softTokens = 'projection.output';
  const { outputs, others } = await runQFormer(engine, config.qformerConfig, asked, options, signal, [softTokens]);
  const projected = others.tensor(softTokens, [queryCount, config.textConfig.hiddenSize]);
  const language = await runLanguageModel(engine, config.textConfig, projected, prompt, answer, options, signal);
  const logits = labels && !answer ? lastRows(language.logits, labels.dims[1] as number) : language.logits;
  return {
    ...(labels ? { loss: crossEntropy(logits, labels, answer ? 0 : 1) } : {}),
    logits,
    visionOutputs,
    qformerOutputs: outputs,
    languageModelOutputs: language,
  };
}

/** [B,T] → [B,count+T] */
function behindOnes(mask: Tensor<Int32Array>, count: number): Tensor<Int32Array> {
  const [batch, length] = mask.dims as [number, number];
  const data = new Int32Array(batch * (count + length)).fill(1);
  for (let row = 0; row < batch; row++) data.set(rowOf(mask, row), row * (count + length) + count);
  return new Tensor(data, [batch, count + length]);
}

/** The last `count` of [B,N,V]. */
function lastRows(logits: Tensor<Float32Array>, count: number): Tensor<Float32Array> {
  const [batch, length, width] = logits.dims as [number, number, number];
  if (count === length) return logits;
  const data = new Float32Array(batch * count * width);
  for (let row = 0; row < batch; row++) {
    const end = (row + 1) * length * width;
    data.set(logits.data.subarray(end - count * width, end), row * count * width);
  }
  return new Tensor(data, [batch, count, width]);
}
