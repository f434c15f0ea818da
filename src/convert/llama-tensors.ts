import type { LlamaConfig } from './llama-config.js';
import { embeddings, matrix, type TensorRule, vector } from './tensor-rules.js';

function attention(to: string, from: string, config: LlamaConfig): TensorRule[] {
  const { hiddenSize, headDim, attentionBias } = config;
  const queries = config.heads * headDim;
  const keys = config.kvHeads * headDim;
  const projections: readonly [string, string, number, number, boolean][] = [
    [`${to}.attn_q`, `${from}.q_proj`, queries, hiddenSize, true],
    [`${to}.attn_k`, `${from}.k_proj`, keys, hiddenSize, true],
    [`${to}.attn_v`, `${from}.v_proj`, keys, hiddenSize, false],
    [`${to}.attn_output`, `${from}.o_proj`, hiddenSize, queries, false],
  ];
  return projections.flatMap(([name, source, rows, columns, rotated]) => {
    const permute = rotated ? { permuteHeads: headDim } : {};
    const weight = { ...matrix(name, source, rows, columns), ...permute };
    return attentionBias ? [weight, { ...vector(`${name}.bias`, `${source}.bias`, rows), ...permute }] : [weight];
  });
}

/** Tensors of the language model (HF `LlamaForCausalLM`), in llama.cpp's names. */
export function llamaTensors(config: LlamaConfig): TensorRule[] {
  const { hiddenSize: H, intermediateSize: F } = config;
  const root = 'language_model.model';
  const [embedding, ...head] = embeddings([`${root}.embed_tokens`], config);
  const rules = [embedding];
  for (let layer = 0; layer < config.layers; layer++) {
    const from = `${root}.layers.${layer}`;
    const to = `blk.${layer}`;
    rules.push(
      vector(`${to}.attn_norm.weight`, `${from}.input_layernorm.weight`, H),
      ...attention(to, `${from}.self_attn`, config),
      vector(`${to}.ffn_norm.weight`, `${from}.post_attention_layernorm.weight`, H),
      matrix(`${to}.ffn_gate`, `${from}.mlp.gate_proj`, F, H),
      matrix(`${to}.ffn_up`, `${from}.mlp.up_proj`, F, H),
      matrix(`${to}.ffn_down`, `${from}.mlp.down_proj`, H, F),
    );
  }
  return [...rules, vector('output_norm.weight', `${root}.norm.weight`, H), ...head];
}
