import { bool, f32, type GgufEntry, string, u32 } from '../gguf/gguf-header.js';
import type { OptConfig } from './opt-config.js';

/** torch's default, which HF's OPT leaves. */
const LAYER_NORM_EPSILON = 1e-5;

/** llama.cpp has no OPT: the names are ours (docs/gguf.md). */
export function optMetadata(config: OptConfig): GgufEntry[] {
  return [
    u32('opt.context_length', config.maxPositions),
    u32('opt.embedding_length', config.hiddenSize),
    u32('opt.feed_forward_length', config.intermediateSize),
    u32('opt.block_count', config.layers),
    u32('opt.attention.head_count', config.heads),
    f32('opt.attention.layer_norm_epsilon', LAYER_NORM_EPSILON),
    u32('opt.word_embed_proj_dim', config.hiddenSize),
    bool('opt.do_layer_norm_before', config.normBefore),
    string('opt.activation_function', config.activation),
  ];
}
