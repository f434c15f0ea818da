import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointConfig } from '../src/convert/checkpoint-config.js';
import type { ConversionProgress } from '../src/convert/conversion-options.js';
import { languageModelMetadata } from '../src/convert/language-model-metadata.js';
import { OutputFiles } from '../src/convert/output-files.js';
import { qformerTensors } from '../src/convert/qformer-tensors.js';
import type { PlannedTensor } from '../src/convert/tensor-plan.js';
import type { TensorRule } from '../src/convert/tensor-rules.js';
import { textModel } from '../src/convert/text-models.js';
import { convolutionType, languageTensorTypes, mixtureModel, visionMatrixType } from '../src/convert/type-policy.js';
import { visionMetadata } from '../src/convert/vision-metadata.js';
import { visionTensors } from '../src/convert/vision-tensors.js';
import { type GgufPlan, planGguf, writeGguf } from '../src/convert/write-gguf.js';
import { type LanguageModelType, rowByteLength, type TensorType, type VisionType } from '../src/gguf/tensor-types.js';
import { loadAddon } from '../src/native/load-addon.js';
import { type CheckpointFacts, checkpointFacts, type ShapeOverrides } from './checkpoint-shape.js';
import { NoiseBank } from './noise-rows.js';
import type { ShapeName } from './text-shapes.js';

export interface RandomModelOptions {
  readonly shape: ShapeName;
  readonly overrides?: ShapeOverrides;
  readonly languageModelType: LanguageModelType;
  readonly visionType: VisionType;
  /** Of both files; says what is not the shape's own. */
  readonly name: string;
  readonly outFolder: string;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ConversionProgress) => void;
}

export interface RandomModelFiles {
  readonly visionPath: string;
  readonly languageModelPath: string;
  /** Bytes of both. */
  readonly size: number;
  /** The files that had to be written; the others were there. */
  readonly written: readonly string[];
  readonly config: CheckpointConfig;
  /** Bytes of the weights that every token of an answer reads. */
  readonly tokenBytes: number;
}

const EMBEDDING_DEVIATION = 0.02;
const product = (shape: readonly number[]): number => shape.reduce((total, length) => total * length, 1);

/** Center and deviation that keep activations in the range of a trained net: unit variance through every product, norms near one. */
function scaleOf({ name, shape, role }: TensorRule): { center: number; deviation: number } {
  if (/norm\.weight$|\bln\d?\.weight$|post_ln\.weight$/.test(name))
    return { center: 1, deviation: EMBEDDING_DEVIATION };
  // Biases, positions, queries; embeddings are looked up, not multiplied.
  if (role === 'exact' || /^(token_embd|v\.proj_embd\.tokens)\.weight$/.test(name))
    return { center: 0, deviation: EMBEDDING_DEVIATION };
  return { center: 0, deviation: 1 / Math.sqrt(product(shape.slice(1))) };
}

function planNoise(rules: readonly TensorRule[], bank: NoiseBank, typeOf: (rule: TensorRule) => TensorType) {
  return rules.map((rule, index): PlannedTensor => {
    const type = typeOf(rule);
    const kind = { type, rowLength: rule.shape.at(-1)!, ...scaleOf(rule) };
    return { name: rule.name, shape: rule.shape, type, rows: bank.rows(kind, product(rule.shape.slice(0, -1)), index) };
  });
}

/** Both files, but for their weights: the converter's own tables say what is in them. */
function planFiles(
  { name, outFolder, visionType, languageModelType }: RandomModelOptions,
  { config, tokenizer, qformerVocabulary }: CheckpointFacts,
  bank: NoiseBank,
): readonly [GgufPlan, GgufPlan] {
  const visionTensorType = (rule: TensorRule) => {
    if (rule.role === 'exact') return 'f32';
    return rule.role === 'convolution' ? convolutionType(visionType) : visionMatrixType(visionType, rule.shape);
  };
  const model = textModel(config.text);
  const languageRules = model.tensors(config.text);
  const mixture = mixtureModel(config.text.type, model.metadata(config.text));
  const languageTypes = languageTensorTypes(languageModelType, languageRules, mixture);
  return [
    planGguf(
      join(outFolder, `mmproj-${name}-${visionType}.gguf`),
      visionMetadata(name, visionType, config, tokenizer, qformerVocabulary),
      planNoise([...visionTensors(config.vision), ...qformerTensors(config)], bank, visionTensorType),
    ),
    planGguf(
      join(outFolder, `${name}-${languageModelType}.gguf`),
      languageModelMetadata(name, languageModelType, config.text, tokenizer, {}),
      planNoise(languageRules, bank, tensor => languageTypes.get(tensor.name)!),
    ),
  ];
}

/** Whether each step of an answer multiplies with this matrix; an encoder-decoder's encoder and the keys and values it is seen by are used once. */
function isReadAtEachToken(name: string, tied: boolean): boolean {
  if (/^(dec\.)?blk\./.test(name)) return !/cross_attn_[kv]\.weight$/.test(name);
  return name === (tied ? 'token_embd.weight' : 'output.weight');
}

function tokenBytes({ tensors }: GgufPlan, { text }: CheckpointConfig): number {
  const read = tensors.filter(({ name }) => isReadAtEachToken(name, text.tied));
  return read.reduce(
    (sum, { type, shape }) => sum + product(shape.slice(0, -1)) * rowByteLength(type, shape.at(-1)!),
    0,
  );
}

/** A file appears complete or not at all, so one of the planned size is the planned one. */
const isThere = (plan: GgufPlan): Promise<boolean> =>
  stat(plan.path).then(
    ({ size }) => size === plan.fileSize,
    () => false,
  );

async function writeFiles(plans: readonly GgufPlan[], { signal, onProgress }: RandomModelOptions): Promise<void> {
  const total = plans.reduce((sum, plan) => sum + plan.fileSize, 0);
  const outputs = new OutputFiles(true);
  const context = { addon: loadAddon().addon, signal, invalidCode: 'MODEL_FILE_TENSOR_INVALID' } as const;
  let loaded = 0;
  try {
    // All are opened first: each checks that the disk has room for all.
    const opened = [];
    for (const plan of plans) opened.push({ plan, output: await outputs.create(plan.path, total) });
    for (const { plan, output } of opened) {
      const stage = plan.entries.some(({ key }) => key.startsWith('clip.')) ? 'vision' : 'language-model';
      await writeGguf(plan, output, context, count => {
        loaded += count;
        onProgress?.({ stage, loaded, total });
      });
    }
    await outputs.commit(signal);
  } finally {
    await outputs.discard();
  }
}

/**
 * Makes the two GGUF files of an InstructBLIP with random weights, in the types, shapes and metadata of a converted one. Streams: memory does not grow with
 * the size. Files that are there already in the right size stay. The same seed gives the same bytes.
 */
export async function makeRandomModel(options: RandomModelOptions): Promise<RandomModelFiles> {
  const bank = new NoiseBank(loadAddon().addon, options.seed ?? 1, options.signal);
  const facts = await checkpointFacts(options.shape, options.overrides);
  const plans = planFiles(options, facts, bank);
  const absent: GgufPlan[] = [];
  for (const plan of plans) if (!(await isThere(plan))) absent.push(plan);
  if (absent.length > 0) await writeFiles(absent, options);
  const [vision, languageModel] = plans;
  return {
    visionPath: vision.path,
    languageModelPath: languageModel.path,
    size: vision.fileSize + languageModel.fileSize,
    written: absent.map(({ path }) => path),
    config: facts.config,
    tokenBytes: tokenBytes(languageModel, facts.config),
  };
}
