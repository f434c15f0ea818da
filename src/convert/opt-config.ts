import { createError } from '../errors.js';
import { checkHeads, type Fields } from './json-fields.js';
import { type Activation, activationOf, type CommonTextConfig, MOST_OWN_LAYERS } from './text-config.js';

/** HF `OPTConfig`. */
export interface OptConfig extends CommonTextConfig {
  readonly type: 'opt';
  readonly maxPositions: number;
  /** Pre-norm: norms stand before attention and feed-forward. Otherwise behind their sums. */
  readonly normBefore: boolean;
  /** A norm behind the last layer. */
  readonly finalNorm: boolean;
  readonly activation: Activation;
  /** Of all matrices; norms have theirs always. */
  readonly bias: boolean;
  /** Norms have weights: otherwise they are ones and zeros. */
  readonly normWeights: boolean;
}

function checkEmbeddingWidth(fields: Fields, hiddenSize: number): void {
  const width = fields.count('word_embed_proj_dim', hiddenSize);
  if (width === hiddenSize) return;
  throw createError(
    'CHECKPOINT_UNSUPPORTED',
    `${fields.where}: word_embed_proj_dim is ${width}, hidden_size ${hiddenSize}. Inside InstructBLIP they must be equal: the picture's tokens are ${hiddenSize} wide and stand beside the text's, and transformers cannot run such a checkpoint either`,
  );
}

/** Every default is that of transformers 4.34's `OPTConfig`. @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED */
export function readOptConfig(fields: Fields): OptConfig {
  const hiddenSize = fields.count('hidden_size', 768);
  const heads = fields.count('num_attention_heads', 12);
  checkHeads(fields, hiddenSize, heads);
  checkEmbeddingWidth(fields, hiddenSize);
  const normBefore = fields.bool('do_layer_norm_before', true);
  return {
    type: 'opt',
    vocabSize: fields.count('vocab_size', 50272),
    hiddenSize,
    intermediateSize: fields.count('ffn_dim', 3072),
    layers: fields.count('num_hidden_layers', 12, MOST_OWN_LAYERS),
    heads,
    maxPositions: fields.count('max_position_embeddings', 2048),
    normBefore,
    finalNorm: normBefore && !fields.bool('_remove_final_layer_norm', false),
    activation: activationOf(fields, 'activation_function', fields.string('activation_function', 'relu')),
    bias: fields.bool('enable_bias', true),
    normWeights: fields.bool('layer_norm_elementwise_affine', true),
    tied: fields.bool('tie_word_embeddings', true),
    bosTokenId: fields.tokenId('bos_token_id', 2),
    eosTokenIds: fields.tokenIds('eos_token_id', [2]),
    padTokenId: fields.tokenId('pad_token_id', 1),
    decoderStartTokenId: -1,
  };
}
