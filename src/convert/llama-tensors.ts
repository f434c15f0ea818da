import type { LlamaConfig } from './checkpoint-config.js';
import type { TensorRule } from './tensor-plan.js';

const matrix = (name: string, source: string, rows: number, columns: number): TensorRule => ({
  name: `${name}.weight`,
  shape: [rows, columns],
  role: 'matrix',
  source: `${source}.weight`,
});

const vector = (name: string, source: string, size: number): TensorRule => ({
  name,
  shape: [size],
  role: 'exact',
  source,
});

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
  const { hiddenSize: H, intermediateSize: F, vocabSize: V } = config;
  const root = 'language_model.model';
  const rules = [matrix('token_embd', `${root}.embed_tokens`, V, H)];
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
  rules.push(vector('output_norm.weight', `${root}.norm.weight`, H));
  return config.tied ? rules : [...rules, matrix('output', 'language_model.lm_head', V, H)];
}
