import { f32, type GgufEntry, string, u32 } from '../gguf/gguf-header.js';
import type { T5Config } from './t5-config.js';

/** The keys that llama.cpp's converter writes, and what its T5 has not: they begin with `instructblip.`. */
export function t5Metadata(config: T5Config): GgufEntry[] {
  return [
    u32('t5.context_length', config.positions),
    u32('t5.embedding_length', config.hiddenSize),
    u32('t5.feed_forward_length', config.intermediateSize),
    u32('t5.block_count', config.layers),
    u32('t5.decoder_block_count', config.decoderLayers),
    u32('t5.attention.head_count', config.heads),
    u32('t5.attention.key_length', config.headDim),
    u32('t5.attention.value_length', config.headDim),
    f32('t5.attention.layer_norm_epsilon', config.layerNormEps),
    f32('t5.attention.layer_norm_rms_epsilon', config.layerNormEps),
    u32('t5.attention.relative_buckets_count', config.buckets),
    u32('t5.decoder_start_token_id', config.decoderStartTokenId),
    u32('instructblip.t5.relative_attention_max_distance', config.maxDistance),
    string('instructblip.t5.dense_act_fn', config.activation),
  ];
}
