import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bpeFiles, smallBpeVocabulary } from './bpe-vocabulary.js';
import { aroundText, json, randomTensors, tinyShapes, writeFolder } from './checkpoint.js';
import type { OptSizes, T5Sizes } from './checkpoint-shapes.js';
import { safetensors, type TestTensor } from './safetensors.js';
import { smallUnigramTokenizer, unigramTokenizerConfig } from './unigram-vocabulary.js';

/** Tiny checkpoints of T5 and OPT. Every size is different, so that a mix-up shows; 3 heads of 24 do not fill T5's 64. */
export const TINY_T5: T5Sizes = {
  type: 't5',
  vocabulary: 352,
  hidden: 64,
  feedForward: 96,
  layers: 2,
  decoderLayers: 3,
  heads: 3,
  headDim: 24,
  buckets: 10,
  gated: true,
  tied: false,
};

export const TINY_OPT: OptSizes = {
  type: 'opt',
  vocabulary: 384,
  hidden: 60,
  feedForward: 96,
  layers: 2,
  heads: 3,
  positions: 50,
  normBefore: true,
  bias: true,
  tied: true,
};

const t5Json = (sizes: T5Sizes): Record<string, unknown> => ({
  model_type: 't5',
  vocab_size: sizes.vocabulary,
  d_model: sizes.hidden,
  d_ff: sizes.feedForward,
  num_layers: sizes.layers,
  num_decoder_layers: sizes.decoderLayers,
  num_heads: sizes.heads,
  d_kv: sizes.headDim,
  relative_attention_num_buckets: sizes.buckets,
  feed_forward_proj: sizes.gated ? 'gated-gelu' : 'relu',
  tie_word_embeddings: sizes.tied,
  decoder_start_token_id: 0,
});

const optJson = (sizes: OptSizes): Record<string, unknown> => ({
  model_type: 'opt',
  vocab_size: sizes.vocabulary,
  hidden_size: sizes.hidden,
  ffn_dim: sizes.feedForward,
  num_hidden_layers: sizes.layers,
  num_attention_heads: sizes.heads,
  max_position_embeddings: sizes.positions,
  do_layer_norm_before: sizes.normBefore,
  enable_bias: sizes.bias,
  tie_word_embeddings: sizes.tied,
});

type Sizes = T5Sizes | OptSizes;

/** Tensors by HF name. */
export const textTensors = (sizes: Sizes): Map<string, TestTensor> => randomTensors(tinyShapes(sizes));

const T5_TOKENIZER = (): Record<string, string> => ({
  'tokenizer.json': json(smallUnigramTokenizer()),
  'tokenizer_config.json': json(unigramTokenizerConfig(2)),
});

const OPT_TOKENIZER = (): Record<string, string> => ({
  ...bpeFiles(smallBpeVocabulary()),
  'tokenizer_config.json': json({ tokenizer_class: 'GPT2Tokenizer', add_bos_token: true, bos_token: '</s>' }),
});

export interface TextCheckpointOptions {
  /** Fields of `text_config` in place of those of the sizes; undefined takes one away. */
  readonly text?: Readonly<Record<string, unknown>>;
  /** What the other kind of model usually has. */
  readonly otherTokenizer?: boolean;
  /** In place of random ones of the sizes. */
  readonly tensors?: ReadonlyMap<string, TestTensor>;
}

/** A hub-layout folder with a random checkpoint whose language model is T5 or OPT. */
export function makeTextCheckpoint(sizes: Sizes, options: TextCheckpointOptions = {}): string {
  const own = sizes.type === 't5' ? t5Json(sizes) : optJson(sizes);
  const usesT5 = (sizes.type === 't5') !== (options.otherTokenizer ?? false);
  const folder = writeFolder({
    'config.json': json(aroundText({ ...own, ...options.text }, { qkvBias: true, imageTokenId: undefined })),
    ...(usesT5 ? T5_TOKENIZER() : OPT_TOKENIZER()),
  });
  writeFileSync(join(folder, 'model.safetensors'), safetensors(options.tensors ?? textTensors(sizes), 'F32'));
  return folder;
}
