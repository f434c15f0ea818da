import { join } from 'node:path';
import { type GenerationFields, readGenerationFields } from '../config/generation-fields.js';
import { createError } from '../errors.js';
import { type ImageSettings, readImageSettings } from './image-settings.js';
import { checkActivation, checkHeads, Fields, readJson } from './json-fields.js';
import { MOST_OWN_LAYERS, type TextConfig } from './text-config.js';
import { readTextConfig } from './text-models.js';

/** HF `InstructBlipVisionConfig`. */
export interface VisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly layerNormEps: number;
  readonly qkvBias: boolean;
}

/** HF `InstructBlipQFormerConfig`. */
export interface QFormerConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly maxPositions: number;
  readonly layerNormEps: number;
  readonly crossAttentionFrequency: number;
}

export interface CheckpointConfig {
  readonly vision: VisionConfig;
  readonly qformer: QFormerConfig;
  readonly text: TextConfig;
  /** `text_config.architectures[0]`; '' where there is none. */
  readonly textArchitecture: string;
  /** What `text_config` says of generating; most say nothing. */
  readonly generation: GenerationFields;
  readonly image: ImageSettings;
  readonly queryCount: number;
  /** -1 = a revision without image tokens. */
  readonly imageTokenId: number;
}

function readArchitecture(fields: Fields): string {
  const names = fields.object.architectures ?? [];
  if (!Array.isArray(names) || !names.every(name => typeof name === 'string'))
    fields.fail('architectures', 'a list of names');
  return names[0] ?? '';
}

function readGeneration({ where, object }: Fields): GenerationFields {
  try {
    return readGenerationFields(object);
  } catch (error) {
    throw createError('CHECKPOINT_INVALID', `${where}: ${(error as Error).message}`, { cause: error });
  }
}

const unsupported = (message: string): Error => createError('CHECKPOINT_UNSUPPORTED', message);

function checkKind(config: Fields): void {
  const type = config.string('model_type', 'missing');
  if (type === 'blip-2' || type === 'blip_2') {
    throw unsupported(
      `this is a BLIP-2 checkpoint (model_type '${type}'): its Q-Former does not read the instruction. Use an InstructBLIP checkpoint, e.g. Salesforce/instructblip-vicuna-7b`,
    );
  }
  if (type !== 'instructblip')
    throw unsupported(`${config.where}: model_type is '${type}'; only 'instructblip' can be converted`);
  for (const holder of [config, config.child('text_config')]) {
    if (!holder.has('quantization_config')) continue;
    const method = holder.child('quantization_config').string('quant_method', '8-bit or 4-bit');
    throw unsupported(
      `the checkpoint's weights are already quantized (${method}, ${holder.where}: quantization_config). Convert the original fp32, fp16 or bf16 checkpoint and choose a quantized type there`,
    );
  }
}

function readVision(fields: Fields): VisionConfig {
  checkActivation(fields, 'hidden_act', 'gelu');
  const config = {
    hiddenSize: fields.count('hidden_size', 1408),
    intermediateSize: fields.count('intermediate_size', 6144),
    layers: fields.count('num_hidden_layers', 39, MOST_OWN_LAYERS),
    heads: fields.count('num_attention_heads', 16),
    imageSize: fields.count('image_size', 224),
    patchSize: fields.count('patch_size', 14),
    layerNormEps: fields.epsilon('layer_norm_eps', 1e-6),
    qkvBias: fields.bool('qkv_bias', true),
  };
  checkHeads(fields, config.hiddenSize, config.heads);
  if (config.patchSize > config.imageSize) fields.fail('patch_size', `at most image_size (${config.imageSize})`);
  return config;
}

function readQFormer(fields: Fields): QFormerConfig {
  checkActivation(fields, 'hidden_act', 'gelu');
  checkActivation(fields, 'position_embedding_type', 'absolute');
  const config = {
    vocabSize: fields.count('vocab_size', 30522),
    hiddenSize: fields.count('hidden_size', 768),
    layers: fields.count('num_hidden_layers', 12, MOST_OWN_LAYERS),
    heads: fields.count('num_attention_heads', 12),
    intermediateSize: fields.count('intermediate_size', 3072),
    maxPositions: fields.count('max_position_embeddings', 512),
    layerNormEps: fields.epsilon('layer_norm_eps', 1e-12),
    crossAttentionFrequency: fields.count('cross_attention_frequency', 2, MOST_OWN_LAYERS),
  };
  checkHeads(fields, config.hiddenSize, config.heads);
  return config;
}

/**
 * Reads and checks `config.json` and `preprocessor_config.json` of a hub-layout folder. A field that is missing has the default of transformers 4.34.
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export async function readCheckpointConfig(folder: string): Promise<CheckpointConfig> {
  const json = await readJson(join(folder, 'config.json'));
  if (!json) {
    throw createError(
      'CHECKPOINT_NOT_FOUND',
      `${folder} holds no config.json: give the folder of a checkpoint in the hub's layout (config.json, *.safetensors, tokenizer.model, …)`,
    );
  }
  const fields = new Fields('config.json', json);
  checkKind(fields);
  const vision = readVision(fields.child('vision_config'));
  const text = readTextConfig(fields.child('text_config'));
  const imageTokenId = fields.tokenId('image_token_index', -1);
  if (imageTokenId >= text.vocabSize)
    fields.fail('image_token_index', `below the language model's vocab_size (${text.vocabSize})`);
  return {
    vision,
    qformer: readQFormer(fields.child('qformer_config')),
    text,
    generation: readGeneration(fields.child('text_config')),
    textArchitecture: readArchitecture(fields.child('text_config')),
    image: await readImageSettings(folder, vision.imageSize),
    queryCount: fields.count('num_query_tokens', 32),
    imageTokenId,
  };
}
