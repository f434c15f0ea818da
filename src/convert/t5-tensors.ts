import type { T5Config } from './t5-config.js';
import { embeddings, matrix, type TensorRule, vector } from './tensor-rules.js';

const ROOT = 'language_model';

/** `layer` holds the attention, under HF's name `module`, and its norm; `name` is llama.cpp's. The projections have no biases. */
function attention(name: string, layer: string, module: string, config: T5Config): TensorRule[] {
  const { hiddenSize: D } = config;
  const inner = config.heads * config.headDim;
  return [
    ...['q', 'k', 'v'].map(part => matrix(`${name}_${part}`, `${layer}.${module}.${part}`, inner, D)),
    matrix(`${name}_o`, `${layer}.${module}.o`, D, inner),
    vector(`${name}_norm.weight`, `${layer}.layer_norm.weight`, D),
  ];
}

/** Gated: the activation of `wi_0` times `wi_1`. */
function feedForward(name: string, layer: string, config: T5Config): TensorRule[] {
  const { hiddenSize: D, intermediateSize: F } = config;
  const module = `${layer}.DenseReluDense`;
  const inputs = config.gated
    ? [matrix(`${name}_gate`, `${module}.wi_0`, F, D), matrix(`${name}_up`, `${module}.wi_1`, F, D)]
    : [matrix(`${name}_up`, `${module}.wi`, F, D)];
  return [
    ...inputs,
    matrix(`${name}_down`, `${module}.wo`, D, F),
    vector(`${name}_norm.weight`, `${layer}.layer_norm.weight`, D),
  ];
}

function relativeBias(name: string, layer: string, { buckets, heads }: T5Config): TensorRule {
  const source = `${layer}.SelfAttention.relative_attention_bias.weight`;
  return { name: `${name}_rel_b.weight`, shape: [buckets, heads], role: 'exact', source };
}

function stack(to: 'enc' | 'dec', from: 'encoder' | 'decoder', layers: number, config: T5Config): TensorRule[] {
  const rules: TensorRule[] = [];
  for (let i = 0; i < layers; i++) {
    const block = `${to}.blk.${i}`;
    const source = `${ROOT}.${from}.block.${i}.layer`;
    rules.push(...attention(`${block}.attn`, `${source}.0`, 'SelfAttention', config));
    // The table of the first block serves all.
    if (i === 0) rules.push(relativeBias(`${block}.attn`, `${source}.0`, config));
    if (to === 'dec') rules.push(...attention(`${block}.cross_attn`, `${source}.1`, 'EncDecAttention', config));
    rules.push(...feedForward(`${block}.ffn`, `${source}.${to === 'dec' ? 2 : 1}`, config));
  }
  return [...rules, vector(`${to}.output_norm.weight`, `${ROOT}.${from}.final_layer_norm.weight`, config.hiddenSize)];
}

/** Tensors of the language model (HF `T5ForConditionalGeneration`), in llama.cpp's names. */
export function t5Tensors(config: T5Config): TensorRule[] {
  const names = ['shared', 'encoder.embed_tokens', 'decoder.embed_tokens'].map(name => `${ROOT}.${name}`);
  return [
    ...embeddings(names as [string, ...string[]], config),
    ...stack('enc', 'encoder', config.layers, config),
    ...stack('dec', 'decoder', config.decoderLayers, config),
  ];
}
