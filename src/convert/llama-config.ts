import { createError } from '../errors.js';
import { checkActivation, checkHeads, type Fields } from './json-fields.js';
import { type CommonTextConfig, MOST_LAYERS } from './text-config.js';

/** HF `LlamaConfig`. */
export interface LlamaConfig extends CommonTextConfig {
  readonly type: 'llama';
  readonly kvHeads: number;
  readonly headDim: number;
  readonly maxPositions: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** Factor of linear position scaling; 1 = none. */
  readonly ropeFactor: number;
  readonly attentionBias: boolean;
}

function readRopeFactor(fields: Fields): number {
  if (!fields.has('rope_scaling')) return 1;
  const scaling = fields.child('rope_scaling');
  const type = scaling.string(scaling.has('type') ? 'type' : 'rope_type', 'missing');
  if (type === 'default') return 1;
  if (type !== 'linear')
    throw createError('CHECKPOINT_UNSUPPORTED', `${scaling.where}: type is '${type}'; only 'linear' is supported`);
  return scaling.positive('factor', 0);
}

/** Every default is that of transformers 4.34's `LlamaConfig`. @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED */
export function readLlamaConfig(fields: Fields): LlamaConfig {
  checkActivation(fields, 'hidden_act', 'silu');
  if (fields.bool('mlp_bias', false))
    throw createError('CHECKPOINT_UNSUPPORTED', `${fields.where}: mlp_bias is not supported`);
  const hiddenSize = fields.count('hidden_size', 4096);
  const heads = fields.count('num_attention_heads', 32);
  const kvHeads = fields.count('num_key_value_heads', heads);
  if (!fields.has('head_dim')) checkHeads(fields, hiddenSize, heads);
  if (heads % kvHeads !== 0) fields.fail('num_key_value_heads', `a divisor of num_attention_heads (${heads})`);
  const headDim = fields.count('head_dim', hiddenSize / heads);
  if (headDim % 2 !== 0)
    throw createError(
      'CHECKPOINT_INVALID',
      `${fields.where}: the head size is ${headDim}; rotary positions need an even one`,
    );
  return {
    type: 'llama',
    vocabSize: fields.count('vocab_size', 32000),
    hiddenSize,
    intermediateSize: fields.count('intermediate_size', 11008),
    layers: fields.count('num_hidden_layers', 32, MOST_LAYERS),
    heads,
    kvHeads,
    headDim,
    maxPositions: fields.count('max_position_embeddings', 2048),
    rmsNormEps: fields.epsilon('rms_norm_eps', 1e-6),
    ropeTheta: fields.positive('rope_theta', 10000),
    ropeFactor: readRopeFactor(fields),
    tied: fields.bool('tie_word_embeddings', false),
    attentionBias: fields.bool('attention_bias', false),
    bosTokenId: fields.tokenId('bos_token_id', 1),
    eosTokenIds: fields.tokenIds('eos_token_id', [2]),
    padTokenId: fields.tokenId('pad_token_id', -1),
    decoderStartTokenId: -1,
  };
}
