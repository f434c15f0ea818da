import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { createError } from '../errors.js';
import {
  LANGUAGE_MODEL_TYPES,
  type LanguageModelType,
  parseFileType,
  VISION_TYPES,
  type VisionType,
} from '../gguf/tensor-types.js';
import { loadAddon } from '../native/load-addon.js';
import { type CheckpointConfig, readCheckpointConfig } from './checkpoint-config.js';
import { CheckpointFiles } from './checkpoint-files.js';
import { type ConversionOptions, checkConversionOptions, checkPath } from './conversion-options.js';
import { languageModelMetadata } from './language-model-metadata.js';
import { normalizedMetadata, readNormalizedTokens } from './normalized-tokens.js';
import { OutputFiles } from './output-files.js';
import { qformerTensors } from './qformer-tensors.js';
import { readQFormerVocabulary } from './qformer-vocabulary.js';
import { readLanguageRows, readQFormerRows, rowsMetadata } from './row-settings.js';
import { checkAllUsed, planTensors } from './tensor-plan.js';
import type { TensorRule } from './tensor-rules.js';
import { textModel } from './text-models.js';
import { convolutionType, languageTensorTypes, mixtureModel, visionMatrixType } from './type-policy.js';
import { visionMetadata } from './vision-metadata.js';
import { visionTensors } from './vision-tensors.js';
import { type GgufPlan, planGguf, writeGguf } from './write-gguf.js';

export interface ConvertOptions extends ConversionOptions {
  /** Type of the language model: F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M or Q4_0. Default Q4_K_M. */
  readonly languageModelType?: LanguageModelType;
  /** Type of vision encoder, Q-Former and projection: F32, F16, BF16, Q8_0 or Q4_0. Default F16. */
  readonly visionType?: VisionType;
  /** Name of the model in file names and metadata. Default: the checkpoint folder's name. */
  readonly name?: string;
}

/** The files that were written. */
export interface ConvertResult {
  readonly visionPath: string;
  readonly languageModelPath: string;
}

interface Settings {
  readonly languageModelType: LanguageModelType;
  readonly visionType: VisionType;
  readonly name: string;
}

function readSettings(checkpoint: string, options: ConvertOptions): Settings {
  checkConversionOptions(options, ['languageModelType', 'visionType', 'name']);
  const name = options.name ?? basename(resolve(checkpoint));
  if (!/^[^\s./\\:*?"<>|][^/\\:*?"<>|\p{Cc}]*$/u.test(name))
    throw createError('OPTION_INVALID', `name is '${name}'; it must be usable in a file name`);
  return {
    languageModelType: parseFileType(options.languageModelType ?? 'Q4_K_M', LANGUAGE_MODEL_TYPES, 'languageModelType'),
    visionType: parseFileType(options.visionType ?? 'F16', VISION_TYPES, 'visionType'),
    name,
  };
}

async function checkFolder(checkpoint: string): Promise<void> {
  const found = await stat(checkpoint).catch(() => undefined);
  if (!found?.isDirectory()) throw createError('CHECKPOINT_NOT_FOUND', `${checkpoint} is not a folder`);
}

async function planFiles(
  checkpoint: string,
  outFolder: string,
  config: CheckpointConfig,
  files: CheckpointFiles,
  { name, languageModelType, visionType }: Settings,
): Promise<{ vision: GgufPlan; languageModel: GgufPlan }> {
  const visionRules = [...visionTensors(config.vision), ...qformerTensors(config)];
  const model = textModel(config.text);
  const languageRules = model.tensors(config.text);
  const visionType_ = (rule: TensorRule) => {
    if (rule.role === 'exact') return 'f32';
    return rule.role === 'convolution' ? convolutionType(visionType) : visionMatrixType(visionType, rule.shape);
  };
  const mixture = mixtureModel(config.text.type, model.metadata(config.text));
  const languageTypes = languageTensorTypes(languageModelType, languageRules, mixture);
  const visionPlan = planTensors(visionRules, files, visionType_);
  const languagePlan = planTensors(languageRules, files, ({ name }) => languageTypes.get(name)!);
  checkAllUsed([...visionRules, ...languageRules], files);
  // After the tensors: now the vocabulary sizes of the config are those of real weights.
  const tokenizer = await model.readTokenizer(checkpoint, config.text.vocabSize, config.imageTokenId);
  const qformerVocabulary = await readQFormerVocabulary(checkpoint, config.qformer.vocabSize);
  const rows = rowsMetadata(await readLanguageRows(checkpoint, config.text.type), await readQFormerRows(checkpoint));
  const isLlama = config.text.type === 'llama';
  const normalized = isLlama ? [normalizedMetadata(await readNormalizedTokens(checkpoint, tokenizer.entries))] : [];
  return {
    vision: planGguf(
      join(outFolder, `mmproj-${name}-${visionType}.gguf`),
      [...visionMetadata(name, visionType, config, tokenizer, qformerVocabulary), ...rows, ...normalized],
      visionPlan,
    ),
    languageModel: planGguf(
      join(outFolder, `${name}-${languageModelType}.gguf`),
      languageModelMetadata(name, languageModelType, config.text, tokenizer, config.generation),
      languagePlan,
    ),
  };
}

async function writeBoth(vision: GgufPlan, languageModel: GgufPlan, options: ConvertOptions): Promise<void> {
  const { signal, onProgress } = options;
  const total = vision.fileSize + languageModel.fileSize;
  const outputs = new OutputFiles(options.force ?? false);
  const context = { addon: loadAddon().addon, signal, invalidCode: 'CHECKPOINT_TENSOR_INVALID' } as const;
  let loaded = 0;
  try {
    const visionOutput = await outputs.create(vision.path, total);
    const languageOutput = await outputs.create(languageModel.path, total);
    const parts = [
      { stage: 'vision', plan: vision, output: visionOutput },
      { stage: 'language-model', plan: languageModel, output: languageOutput },
    ] as const;
    for (const { stage, plan, output } of parts) {
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
 * Converts an InstructBLIP checkpoint in the hub's layout (config.json, safetensors, tokenizer files) to the two GGUF files that this package runs:
 * `mmproj-<name>-<type>.gguf` (vision encoder, Q-Former, projection) and `<name>-<type>.gguf` (language model: LLaMA, T5 or OPT; any llama.cpp tool opens the first two).
 * Streams: memory stays below 1 GB whatever the size. Files appear complete or not at all.
 * @param checkpoint folder of the checkpoint
 * @param outFolder folder for the files; made where there is none
 * @returns the paths of the files
 * @throws `CHECKPOINT_NOT_FOUND`, `CHECKPOINT_INVALID`, `CHECKPOINT_UNSUPPORTED`, `CHECKPOINT_TENSOR_MISSING`, `CHECKPOINT_TENSOR_INVALID`, `OUTPUT_EXISTS`,
 *   `OUTPUT_WRITE_FAILED`, `OPTION_INVALID`, `OPTION_UNKNOWN`
 * @example await convert('instructblip-vicuna-7b', 'models', { languageModelType: 'Q4_K_M', visionType: 'F16' });
 */
export async function convert(
  checkpoint: string,
  outFolder: string,
  options: ConvertOptions = {},
): Promise<ConvertResult> {
  checkPath(checkpoint, 'the checkpoint');
  checkPath(outFolder, 'the output folder');
  const settings = readSettings(checkpoint, options);
  options.signal?.throwIfAborted();
  await checkFolder(checkpoint);
  const config = await readCheckpointConfig(checkpoint);
  const files = await CheckpointFiles.open(checkpoint);
  try {
    const { vision, languageModel } = await planFiles(checkpoint, outFolder, config, files, settings);
    await writeBoth(vision, languageModel, options);
    return { visionPath: vision.path, languageModelPath: languageModel.path };
  } finally {
    await files.close();
  }
}
