/** The language model's part of `forward`: rows of [soft tokens][ids], with or without a decoder of their own. */
import type { TextConfig } from '../config/instruct-blip-config.js';
import { nativeWork } from '../native/native-call.js';
import type { Tensor } from '../tensor.js';
import { BatchOutputs, layerNames } from './batch-outputs.js';
import type { OutputOptions, StageEngine } from './stage-options.js';
import { rowOf, rowOrNone } from './tensor-inputs.js';

/** HF's `CausalLMOutputWithPast` or `Seq2SeqLMOutput`, without the cache. V = vocabulary. */
export interface LanguageModelOutputs {
  /** Decoder-only: [B,queries+T,V]; else [B,decoder ids,V]. */
  readonly logits: Tensor<Float32Array>;
  /** LLaMA, OPT: the embeddings' and each layer's output, the last behind the last norm. */
  readonly hiddenStates?: readonly Tensor<Float32Array>[];
  /** LLaMA, OPT: of each layer, [B,heads,rows,rows]. */
  readonly attentions?: readonly Tensor<Float32Array>[];
  /** T5: [B,queries+T,hidden]. */
  readonly encoderLastHiddenState?: Tensor<Float32Array>;
  /** T5: as `hiddenStates`, of the encoder. */
  readonly encoderHiddenStates?: readonly Tensor<Float32Array>[];
  /** T5: of each layer of the encoder. */
  readonly encoderAttentions?: readonly Tensor<Float32Array>[];
  /** T5: as `hiddenStates`, of the decoder. */
  readonly decoderHiddenStates?: readonly Tensor<Float32Array>[];
  /** T5: of each layer of the decoder, [B,heads,decoder ids,decoder ids]. */
  readonly decoderAttentions?: readonly Tensor<Float32Array>[];
  /** T5: of each layer of the decoder, [B,heads,decoder ids,queries+T]. */
  readonly crossAttentions?: readonly Tensor<Float32Array>[];
}

/** Checked ids with their mask (undefined = all 1). */
export interface MaskedIds {
  readonly ids: Tensor<Int32Array>;
  readonly mask: Tensor<Int32Array> | undefined;
}

/** Hidden states of a stack: its input, what lies between its layers, and its end, which is behind a norm. */
const stateNames = (stack: string, layers: number): string[] => [
  `${stack}.embeddings`,
  ...layerNames(`${stack}.layer`, layers).slice(0, -1),
  `${stack}.output`,
];

/** Outputs that are several tensors: their name, what they are called inside, and their sizes. */
interface Part {
  readonly name: Exclude<keyof LanguageModelOutputs, 'logits' | 'encoderLastHiddenState'>;
  readonly names: readonly string[];
  readonly dims: readonly number[];
}

/** All that may be asked for, for rows of the prompt and of the decoder. */
function partsOf(config: TextConfig, rows: number, decoderRows: number): { states: Part[]; weights: Part[] } {
  const { hiddenSize, numAttentionHeads: heads } = config;
  if (config.modelType !== 't5') {
    const { modelType: stack, numHiddenLayers: layers } = config;
    return {
      states: [{ name: 'hiddenStates', names: stateNames(stack, layers), dims: [rows, hiddenSize] }],
      weights: [
        { name: 'attentions', names: layerNames(`${stack}.attention_weights`, layers), dims: [heads, rows, rows] },
      ],
    };
  }
  const { numLayers, numDecoderLayers } = config;
  const weights = (name: Part['name'], step: string, layers: number, dims: number[]): Part => ({
    name,
    names: layerNames(`${step}_attention_weights`, layers),
    dims: [heads, ...dims],
  });
  return {
    states: [
      { name: 'encoderHiddenStates', names: stateNames('encoder', numLayers), dims: [rows, hiddenSize] },
      { name: 'decoderHiddenStates', names: stateNames('decoder', numDecoderLayers), dims: [decoderRows, hiddenSize] },
    ],
    weights: [
      weights('encoderAttentions', 'encoder.self', numLayers, [rows, rows]),
      weights('decoderAttentions', 'decoder.self', numDecoderLayers, [decoderRows, decoderRows]),
      weights('crossAttentions', 'decoder.cross', numDecoderLayers, [decoderRows, rows]),
    ],
  };
}

/** softTokens [B,queries,hidden]; `answer`: what a decoder reads (T5). Rows of a batch are computed one after another. */
export async function runLanguageModel(
  { addon, model }: StageEngine,
  config: TextConfig,
  softTokens: Tensor<Float32Array>,
  prompt: MaskedIds,
  answer: MaskedIds | undefined,
  { outputHiddenStates = false, outputAttentions = false }: OutputOptions,
  signal: AbortSignal,
): Promise<LanguageModelOutputs> {
  const [batch, queries] = softTokens.dims as [number, number];
  const rows = queries + (prompt.ids.dims[1] as number);
  const decoderRows = answer ? (answer.ids.dims[1] as number) : 0;
  const { states, weights } = partsOf(config, rows, decoderRows);
  const parts = [...(outputHiddenStates ? states : []), ...(outputAttentions ? weights : [])];
  const encoded = answer ? ['encoder.output'] : [];
  const names = ['language.logits', ...encoded, ...parts.flatMap(part => part.names)];
  const outputs = new BatchOutputs(batch);
  for (let i = 0; i < batch; i++) {
    const [ids, mask] = [rowOf(prompt.ids, i), rowOrNone(prompt.mask, i)];
    const [answerIds, answerMask] = [rowOrNone(answer?.ids, i), rowOrNone(answer?.mask, i)];
    const tensors = await nativeWork(addon, signal, cancel =>
      model.runLanguage(rowOf(softTokens, i), ids, mask, answerIds, answerMask, names, cancel),
    );
    outputs.add(i, tensors);
  }
  return {
    logits: outputs.tensor('language.logits', [decoderRows || rows, config.vocabSize]),
    ...(answer ? { encoderLastHiddenState: outputs.tensor('encoder.output', [rows, config.hiddenSize]) } : {}),
    ...Object.fromEntries(parts.map(part => [part.name, outputs.tensors(part.names, part.dims)])),
  };
}
