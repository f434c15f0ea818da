import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { json, PIECES, QFORMER_WORDS, sentencePieceModel } from './checkpoint.js';
import { checkpointShapes } from './checkpoint-shapes.js';
import type { ParityRecipe } from './parity-recipes.js';
import { randomNumbers } from './random.js';
import { type TestTensor, writeShards } from './safetensors.js';

/** FNV-1a: each tensor has random numbers of its own, so order does not matter. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ character.charCodeAt(0), 0x01000193);
  return value >>> 0;
}

interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** Activations of size one, attention that is far from uniform, biases and norms that matter. */
function spreadOf(name: string, shape: readonly number[], recipe: ParityRecipe): Spread {
  const fanIn = shape.slice(1).reduce((product, length) => product * length, 1);
  const scaled = (gain: number): Spread => ({ mean: 0, deviation: gain / Math.sqrt(fanIn) });
  if (name.endsWith('bias')) return { mean: 0, deviation: 0.2 };
  if (shape.length === 1) return { mean: 1, deviation: 0.2 };
  if (name.endsWith('embed_tokens.weight')) return { mean: 0, deviation: recipe.embeddingScale };
  if (/embedding(s\.weight)?$|query_tokens/.test(name)) return { mean: 0, deviation: 0.7 };
  if (name.endsWith('lm_head.weight')) return scaled(recipe.headGain);
  if (/(q_proj|k_proj|query|key|qkv)\.weight$/.test(name)) return scaled(1.5);
  return scaled(1.2);
}

function favourStop(head: Float32Array, width: number, { text, stopFactor }: ParityRecipe): void {
  const first = Number(text.eos_token_id) * width;
  for (let i = first; i < first + width; i++) head[i]! *= stopFactor;
}

/** Tensors by HF name. Uniform numbers; nothing but + - * / and sqrt, so that they are the same everywhere. */
function parityTensors(recipe: ParityRecipe): Map<string, TestTensor> {
  const tensors = new Map<string, TestTensor>();
  for (const [name, shape] of checkpointShapes(recipe.sizes)) {
    const random = randomNumbers(recipe.seed + hash(name));
    const { mean, deviation } = spreadOf(name, shape, recipe);
    const scale = deviation * Math.sqrt(3);
    const size = shape.reduce((product, length) => product * length, 1);
    const values = new Float32Array(size);
    for (let i = 0; i < size; i++) values[i] = mean + scale * random();
    if (name.endsWith('lm_head.weight')) favourStop(values, shape[1]!, recipe);
    tensors.set(name, { shape, values });
  }
  return tensors;
}

function configOf({ sizes, vision, qformer, text, imageTokenId }: ParityRecipe): Record<string, unknown> {
  return {
    architectures: ['InstructBlipForConditionalGeneration'],
    model_type: 'instructblip',
    num_query_tokens: sizes.qformer.queries,
    ...(imageTokenId === undefined ? {} : { image_token_index: imageTokenId }),
    vision_config: {
      model_type: 'instructblip_vision_model',
      hidden_size: sizes.vision.hidden,
      intermediate_size: sizes.vision.feedForward,
      num_hidden_layers: sizes.vision.layers,
      num_attention_heads: sizes.vision.heads,
      image_size: sizes.vision.image,
      patch_size: sizes.vision.patch,
      qkv_bias: sizes.vision.qkvBias,
      ...vision,
    },
    qformer_config: {
      model_type: 'instructblip_qformer',
      vocab_size: sizes.qformer.vocabulary,
      hidden_size: sizes.qformer.hidden,
      intermediate_size: sizes.qformer.feedForward,
      num_hidden_layers: sizes.qformer.layers,
      num_attention_heads: sizes.qformer.heads,
      max_position_embeddings: sizes.qformer.positions,
      cross_attention_frequency: sizes.qformer.crossAttentionFrequency,
      encoder_hidden_size: sizes.vision.hidden,
      ...qformer,
    },
    text_config: {
      // Not the hub's 'LLaMAForCausalLM', for which transformers rewrites id 0 in the result of `generate`.
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: sizes.text.vocabulary,
      hidden_size: sizes.text.hidden,
      intermediate_size: sizes.text.feedForward,
      num_hidden_layers: sizes.text.layers,
      num_attention_heads: sizes.text.heads,
      num_key_value_heads: sizes.text.kvHeads,
      tie_word_embeddings: sizes.text.tied,
      attention_bias: sizes.text.attentionBias,
      max_position_embeddings: 256,
      ...text,
    },
  };
}

/** Vocabulary files and the JSON around them, as on the hub. */
function writeTokenizers(folder: string, { vocabularies, imageTokenId }: ParityRecipe): void {
  const qformer = join(folder, 'qformer_tokenizer');
  mkdirSync(qformer, { recursive: true });
  const pad = vocabularies === 'real' ? 32000 : PIECES.length;
  const dec = vocabularies === 'real' ? 30522 : QFORMER_WORDS.length;
  if (vocabularies === 'real') {
    const source = 'test/fixtures/vocab';
    copyFileSync(join(source, 'llama-tokenizer.model'), join(folder, 'tokenizer.model'));
    copyFileSync(join(source, 'bert-vocab.txt'), join(qformer, 'vocab.txt'));
  } else {
    writeFileSync(join(folder, 'tokenizer.model'), sentencePieceModel());
    writeFileSync(join(qformer, 'vocab.txt'), `${QFORMER_WORDS.join('\n')}\n`);
  }
  const special = { bos_token: '</s>', eos_token: '</s>', unk_token: '</s>', pad_token: '[PAD]' };
  const files: Record<string, unknown> = {
    'tokenizer_config.json': { tokenizer_class: 'LlamaTokenizer', legacy: true, ...special },
    'special_tokens_map.json': special,
    'added_tokens.json': { '[PAD]': pad, ...(imageTokenId === undefined ? {} : { '<image>': imageTokenId }) },
    'qformer_tokenizer/tokenizer_config.json': {
      tokenizer_class: 'BertTokenizer',
      do_lower_case: true,
      bos_token: '[DEC]',
    },
    'qformer_tokenizer/special_tokens_map.json': {
      bos_token: '[DEC]',
      unk_token: '[UNK]',
      sep_token: '[SEP]',
      pad_token: '[PAD]',
      cls_token: '[CLS]',
      mask_token: '[MASK]',
    },
    'qformer_tokenizer/added_tokens.json': { '[DEC]': dec },
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), json(content));
}

/** Writes the checkpoint of a recipe as a hub-layout folder that transformers 4.34 and our converter read. */
export function writeParityCheckpoint(folder: string, recipe: ParityRecipe): void {
  mkdirSync(folder, { recursive: true });
  const side = recipe.sizes.vision.image;
  writeTokenizers(folder, recipe);
  writeFileSync(join(folder, 'config.json'), json(configOf(recipe)));
  writeFileSync(
    join(folder, 'preprocessor_config.json'),
    json({
      image_processor_type: 'BlipImageProcessor',
      processor_class: 'InstructBlipProcessor',
      size: { height: side, width: side },
      ...CLIP_IMAGE,
      ...recipe.image,
    }),
  );
  writeShards(folder, parityTensors(recipe), recipe.dtype, recipe.shards);
}

const CLIP_IMAGE = {
  do_convert_rgb: true,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  resample: 3,
  rescale_factor: 0.00392156862745098,
};
