import { createError } from '../errors.js';
import type { Fields } from './json-fields.js';
import {
  type Activation,
  activationOf,
  type CommonTextConfig,
  MOST_OWN_LAYERS,
  MOST_POSITIONS,
} from './text-config.js';

/** HF `T5Config`; `layers` are the encoder's. Heads times head size need not be the hidden size. */
export interface T5Config extends CommonTextConfig {
  readonly type: 't5';
  readonly decoderLayers: number;
  readonly headDim: number;
  /** Informative: relative positions have no end. */
  readonly positions: number;
  readonly layerNormEps: number;
  readonly buckets: number;
  readonly maxDistance: number;
  readonly gated: boolean;
  readonly activation: Activation;
}

/** `feed_forward_proj` says both; `is_gated_act` and `dense_act_fn`, where they are written, win (the hub's InstructBLIP: gated-gelu, but erf). */
function readFeedForward(fields: Fields): { gated: boolean; activation: Activation } {
  const projection = fields.string('feed_forward_proj', 'relu');
  const parts = projection.split('-');
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== 'gated'))
    fields.fail('feed_forward_proj', "an activation, or 'gated-' and one");
  const named = projection === 'gated-gelu' ? 'gelu_new' : parts.at(-1)!;
  const field = fields.has('dense_act_fn') ? 'dense_act_fn' : 'feed_forward_proj';
  return {
    gated: fields.bool('is_gated_act', parts[0] === 'gated'),
    activation: activationOf(fields, field, fields.string('dense_act_fn', named)),
  };
}

/** Half of the encoder's buckets, and of those again half, must hold one distance; the rest reaches up to the maximum on a log scale. */
function readRelativePositions(fields: Fields): { buckets: number; maxDistance: number } {
  const buckets = fields.count('relative_attention_num_buckets', 32);
  if (buckets < 4) fields.fail('relative_attention_num_buckets', 'at least 4');
  const maxDistance = fields.count('relative_attention_max_distance', 128, MOST_POSITIONS);
  if (maxDistance <= Math.floor(buckets / 2))
    fields.fail('relative_attention_max_distance', `above half of relative_attention_num_buckets (${buckets})`);
  return { buckets, maxDistance };
}

/** As HF's `generate`: the decoder begins with its own start token, else with the first token of a text. */
function readDecoderStart(fields: Fields, bosTokenId: number): number {
  const id = fields.tokenId('decoder_start_token_id', -1);
  const start = id >= 0 ? id : bosTokenId;
  if (start >= 0) return start;
  throw createError(
    'CHECKPOINT_INVALID',
    `${fields.where} has neither decoder_start_token_id nor bos_token_id: the decoder would not know how to begin (Flan-T5: decoder_start_token_id 0)`,
  );
}

/** Every default is that of transformers 4.34's `T5Config`. @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED */
export function readT5Config(fields: Fields): T5Config {
  // T5Config's attribute_map: the general names are accepted, and win.
  const name = (general: string, own: string) => (fields.has(general) ? general : own);
  const layers = fields.count('num_layers', 6, MOST_OWN_LAYERS);
  const vocabSize = fields.count('vocab_size', 32128);
  const bosTokenId = fields.tokenId('bos_token_id', -1);
  const decoderStartTokenId = readDecoderStart(fields, bosTokenId);
  if (decoderStartTokenId >= vocabSize) fields.fail('decoder_start_token_id', `below vocab_size (${vocabSize})`);
  return {
    type: 't5',
    vocabSize,
    hiddenSize: fields.count(name('hidden_size', 'd_model'), 512),
    intermediateSize: fields.count('d_ff', 2048),
    layers: fields.count('num_hidden_layers', layers, MOST_OWN_LAYERS),
    decoderLayers: fields.count('num_decoder_layers', layers, MOST_OWN_LAYERS),
    heads: fields.count(name('num_attention_heads', 'num_heads'), 8),
    headDim: fields.count('d_kv', 64),
    positions: fields.count('n_positions', 512),
    layerNormEps: fields.epsilon('layer_norm_epsilon', 1e-6),
    ...readRelativePositions(fields),
    ...readFeedForward(fields),
    tied: fields.bool('tie_word_embeddings', true),
    bosTokenId,
    eosTokenIds: fields.tokenIds('eos_token_id', [1]),
    padTokenId: fields.tokenId('pad_token_id', 0),
    decoderStartTokenId,
  };
}
