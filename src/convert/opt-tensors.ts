import type { OptConfig } from './opt-config.js';
import { embeddings, linear, norm, type TensorRule } from './tensor-rules.js';

/** HF's table begins with two rows that no position uses. */
const POSITION_OFFSET = 2;

/** A matrix with its bias, if the model has biases. */
const dense = (config: OptConfig, ...rest: Parameters<typeof linear>): TensorRule[] =>
  linear(...rest).slice(0, config.bias ? 2 : 1);

/** The graph always has weights in its norms. */
const layerNorm = (config: OptConfig, name: string, source: string): TensorRule[] => {
  const rules = norm(name, source, config.hiddenSize);
  return config.normWeights ? rules : rules.map((rule, i) => ({ ...rule, constant: i === 0 ? 1 : 0 }));
};

function block(to: string, from: string, config: OptConfig): TensorRule[] {
  const { hiddenSize: D, intermediateSize: F } = config;
  return [
    ...['q', 'k', 'v'].flatMap(part => dense(config, `${to}.attn_${part}`, `${from}.self_attn.${part}_proj`, D, D)),
    ...dense(config, `${to}.attn_output`, `${from}.self_attn.out_proj`, D, D),
    ...layerNorm(config, `${to}.attn_norm`, `${from}.self_attn_layer_norm`),
    ...dense(config, `${to}.ffn_up`, `${from}.fc1`, F, D),
    ...dense(config, `${to}.ffn_down`, `${from}.fc2`, D, F),
    ...layerNorm(config, `${to}.ffn_norm`, `${from}.final_layer_norm`),
  ];
}

/** Tensors of the language model (HF `OPTForCausalLM`); names in docs/gguf.md. */
export function optTensors(config: OptConfig): TensorRule[] {
  const root = 'language_model.model.decoder';
  const rules: TensorRule[] = [
    ...embeddings([`${root}.embed_tokens`], config),
    {
      name: 'position_embd.weight',
      shape: [config.maxPositions + POSITION_OFFSET, config.hiddenSize],
      role: 'exact',
      source: `${root}.embed_positions.weight`,
    },
  ];
  for (let i = 0; i < config.layers; i++) rules.push(...block(`blk.${i}`, `${root}.layers.${i}`, config));
  return config.finalNorm ? [...rules, ...layerNorm(config, 'output_norm', `${root}.final_layer_norm`)] : rules;
}
