import type { InstructBlipQFormerConfig } from '../config/qformer-config.js';
import { invalidOption, OptionError } from '../errors.js';
import { nativeWork } from '../native/native-call.js';
import type { Tensor } from '../tensor.js';
import { checkNamed } from './ask-options.js';
import { BatchOutputs, layerNames } from './batch-outputs.js';
import { qformerConfigOf } from './gguf-facts.js';
import { underSignals } from './linked-signal.js';
import { type LoadedStage, loadStage } from './load.js';
import type { StageLoadOptions } from './load-options.js';
import type { VisionSource } from './model-files.js';
import { anything, OUTPUT_RULES, type OutputOptions, type StageEngine } from './stage-options.js';
import { checkDims, checkFinite, checkIds, FLOATS, INTS, maskOf, rowOf, rowOrNone, tensor } from './tensor-inputs.js';

/** What `InstructBlipQFormerModel.forward` takes. Q = queries, T = ids, M = rows of the picture. */
export interface QFormerForwardInputs extends OutputOptions {
  /** [B,T]; left out for queries only. */
  readonly inputIds?: Tensor<Int32Array>;
  /** [B,Q+T] of 0 and 1, queries first; rows with 0 are not seen by others. Default: all 1. */
  readonly attentionMask?: Tensor<Int32Array>;
  /** [B,Q,hidden] or [1,Q,hidden]; left out: the model's own query tokens; null: none, text only. */
  readonly queryEmbeds?: Tensor<Float32Array> | null;
  /** The vision encoder's `lastHiddenState`, [B,M,encoder hidden]. */
  readonly encoderHiddenStates: Tensor<Float32Array>;
  /** [B,M] of 0 and 1. Default: all 1. */
  readonly encoderAttentionMask?: Tensor<Int32Array>;
}

/** HF's `BaseModelOutputWithPoolingAndCrossAttentions`. */
export interface QFormerOutputs {
  /** [B,Q+T,hidden] */
  readonly lastHiddenState: Tensor<Float32Array>;
  /** The first row, [B,hidden]. */
  readonly poolerOutput: Tensor<Float32Array>;
  /** The embeddings' and each layer's output, [B,Q+T,hidden] each. */
  readonly hiddenStates?: readonly Tensor<Float32Array>[];
  /** Of each layer, [B,heads,Q+T,Q+T]. */
  readonly attentions?: readonly Tensor<Float32Array>[];
  /** Of each layer that looks at the picture, [B,heads,Q,M]; none without queries. */
  readonly crossAttentions?: readonly Tensor<Float32Array>[];
}

const RULES = {
  ...OUTPUT_RULES,
  inputIds: anything,
  attentionMask: anything,
  queryEmbeds: anything,
  encoderHiddenStates: anything,
  encoderAttentionMask: anything,
};

/** Checked inputs. */
export interface QFormerBatch {
  readonly batch: number;
  readonly queryCount: number;
  readonly ids: Tensor<Int32Array> | undefined;
  readonly mask: Tensor<Int32Array> | undefined;
  /** null: the model's own. */
  readonly queries: Tensor<Float32Array> | null;
  readonly features: Tensor<Float32Array>;
  readonly featureMask: Tensor<Int32Array> | undefined;
}

/** @throws OPTION_INVALID naming the tensor */
export function checkQFormerIds(
  given: Tensor<Int32Array> | undefined,
  name: string,
  batch: number,
  config: InstructBlipQFormerConfig,
): Tensor<Int32Array> | undefined {
  if (given === undefined) return undefined;
  const ids = tensor(given, name, INTS);
  checkDims(ids, name, [batch, null], `[${batch}, tokens], one row for each picture`);
  checkIds(ids, name, config.vocabSize);
  const most = config.maxPositionEmbeddings;
  if ((ids.dims[1] as number) > most)
    throw invalidOption(`${name} has ${ids.dims[1]} tokens, but the Q-Former has ${most} positions`);
  return ids;
}

function queriesOf(
  given: Tensor<Float32Array> | null | undefined,
  batch: number,
  hiddenSize: number,
): Tensor<Float32Array> | null {
  if (given === undefined || given === null) return null;
  const queries = tensor(given, 'queryEmbeds', FLOATS);
  const rows = queries.dims[0] === 1 ? 1 : batch;
  checkDims(queries, 'queryEmbeds', [rows, null, hiddenSize], `[${batch} or 1, queries, ${hiddenSize}]`);
  checkFinite(queries, 'queryEmbeds');
  return queries;
}

function checkInputs(
  inputs: QFormerForwardInputs,
  config: InstructBlipQFormerConfig,
  { queryTokens, textInput }: QFormerFacts,
): QFormerBatch {
  const features = tensor(inputs.encoderHiddenStates, 'encoderHiddenStates', FLOATS);
  const { encoderHiddenSize } = config;
  const wanted = `[batch, rows, ${encoderHiddenSize}] with at least one row`;
  checkDims(features, 'encoderHiddenStates', [null, null, encoderHiddenSize], wanted);
  checkFinite(features, 'encoderHiddenStates');
  const [batch, rows] = features.dims as [number, number];
  if (inputs.inputIds !== undefined && !textInput)
    throw new OptionError('OPTION_UNSUPPORTED', "this model's Q-Former takes no text: leave inputIds out");
  const ids = checkQFormerIds(inputs.inputIds, 'inputIds', batch, config);
  if (inputs.queryEmbeds === null && !ids) throw invalidOption('inputIds are needed where queryEmbeds is null');
  const queries = queriesOf(inputs.queryEmbeds, batch, config.hiddenSize);
  const queryCount = inputs.queryEmbeds === null ? 0 : ((queries?.dims[1] as number | undefined) ?? queryTokens);
  const own = queryCount + (ids ? (ids.dims[1] as number) : 0);
  return {
    batch,
    queryCount,
    ids,
    mask: maskOf(inputs.attentionMask, 'attentionMask', [batch, own], 'queries and ids have so many rows'),
    queries,
    features,
    featureMask: maskOf(
      inputs.encoderAttentionMask,
      'encoderAttentionMask',
      [batch, rows],
      'encoderHiddenStates has so many rows',
    ),
  };
}

const NO_FLOATS = new Float32Array(0);

function queryRow({ queries, queryCount }: QFormerBatch, i: number): Float32Array | null {
  if (queryCount === 0) return NO_FLOATS;
  return queries && rowOf(queries, queries.dims[0] === 1 ? 0 : i);
}

/** What of the Q-Former the configuration does not say. */
export interface QFormerFacts {
  readonly queryTokens: number;
  readonly textInput: boolean;
}

/** The outputs, and what else was asked for by name. */
export interface QFormerRun {
  readonly outputs: QFormerOutputs;
  readonly others: BatchOutputs;
}

/** The Q-Former's forward on checked inputs. `others`: further intermediates that are wanted. */
export async function runQFormer(
  { addon, model }: StageEngine,
  config: InstructBlipQFormerConfig,
  inputs: QFormerBatch,
  { outputHiddenStates = false, outputAttentions = false }: OutputOptions,
  signal: AbortSignal,
  others: readonly string[] = [],
): Promise<QFormerRun> {
  const { batch, ids, mask, features, featureMask, queryCount } = inputs;
  const { hiddenSize, numHiddenLayers, numAttentionHeads, crossAttentionFrequency } = config;
  const states = outputHiddenStates ? ['qformer.embeddings', ...layerNames('qformer.layer', numHiddenLayers)] : [];
  const attentions = outputAttentions ? layerNames('qformer.self_attention_weights', numHiddenLayers) : [];
  const crossAttentions =
    outputAttentions && queryCount > 0
      ? layerNames('qformer.cross_attention_weights', numHiddenLayers).filter(
          (_, i) => i % crossAttentionFrequency === 0,
        )
      : [];
  const names = ['qformer.output', ...states, ...attentions, ...crossAttentions, ...others];
  const all = new BatchOutputs(batch);
  for (let i = 0; i < batch; i++) {
    const [id, seen, seenFeatures] = [rowOrNone(ids, i), rowOrNone(mask, i), rowOrNone(featureMask, i)];
    const [picture, queries] = [rowOf(features, i), queryRow(inputs, i)];
    const seenTensors = await nativeWork(addon, signal, cancel =>
      model.runQFormer(picture, id, seen, seenFeatures, queries, names, cancel),
    );
    all.add(i, seenTensors);
    all.set(i, 'pooler', (seenTensors['qformer.output']?.data as Float32Array).slice(0, hiddenSize));
  }
  const rows = queryCount + ((ids?.dims[1] as number | undefined) ?? 0);
  const outputs = {
    lastHiddenState: all.tensor('qformer.output', [rows, hiddenSize]),
    poolerOutput: all.tensor('pooler', [hiddenSize]),
    ...(outputHiddenStates ? { hiddenStates: all.tensors(states, [rows, hiddenSize]) } : {}),
    ...(outputAttentions
      ? {
          attentions: all.tensors(attentions, [numAttentionHeads, rows, rows]),
          crossAttentions: all.tensors(crossAttentions, [numAttentionHeads, queryCount, features.dims[1] as number]),
        }
      : {}),
  };
  return { outputs, others: all };
}

/**
 * HF's `InstructBlipQFormerModel`: the Q-Former alone. Nothing else is loaded.
 *
 * @example
 * const qformer = await InstructBlipQFormerModel.fromPretrained('models/demo');
 * const { lastHiddenState } = await qformer.forward({ inputIds, encoderHiddenStates: features });
 * await qformer.dispose();
 */
export class InstructBlipQFormerModel {
  /** What the file says; fields that it does not say have HF's defaults. */
  readonly config: InstructBlipQFormerConfig;
  readonly #stage: LoadedStage;

  /** @internal Use `fromPretrained`. */
  constructor(stage: LoadedStage) {
    this.#stage = stage;
    this.config = qformerConfigOf(stage.facts);
  }

  /**
   * Loads the Q-Former of a folder with one `mmproj-*.gguf`, or of that file.
   * @throws `MODEL_*`, `OPTION_*`, `DEVICE_*`, `ENGINE_*`, `OUT_OF_MEMORY`; the signal's reason when it aborts
   */
  static async fromPretrained(source: VisionSource, options: StageLoadOptions = {}): Promise<InstructBlipQFormerModel> {
    return new InstructBlipQFormerModel(await loadStage(source, 'qformer', options));
  }

  /**
   * Features and instruction → what the queries make of them. Rows of a batch are computed one after another.
   * @throws `OPTION_*`, `DISPOSED`, `OUT_OF_MEMORY`, `DEVICE_FAILED`; the signal's reason when it aborts
   */
  async forward(inputs: QFormerForwardInputs): Promise<QFormerOutputs> {
    const { life, facts, model } = this.#stage;
    return life.run(async () => {
      const { signal: outer, ...given } = checkNamed(inputs, RULES);
      const textInput = facts.flag('instructblip.qformer.text_input');
      const batch = checkInputs(given, this.config, { queryTokens: model.info.imageTokens, textInput });
      return underSignals(
        [outer, life.signal],
        async signal => (await runQFormer(this.#stage, this.config, batch, given, signal)).outputs,
      );
    });
  }

  /** Stops all work and frees the model; may be called more than once. */
  dispose(): Promise<void> {
    return this.#stage.life.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
