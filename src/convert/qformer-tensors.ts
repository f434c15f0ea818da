import type { CheckpointConfig, QFormerConfig } from './checkpoint-config.js';
import { linear, norm, type TensorRule } from './tensor-rules.js';

function attention(name: string, source: string, size: number, keySize: number): TensorRule[] {
  return [
    ...linear(`${name}_q`, `${source}.attention.query`, size, size),
    ...linear(`${name}_k`, `${source}.attention.key`, size, keySize),
    ...linear(`${name}_v`, `${source}.attention.value`, size, keySize),
    ...linear(`${name}_out`, `${source}.output.dense`, size, size),
    ...norm(`${name}_norm`, `${source}.output.LayerNorm`, size),
  ];
}

/** `kind` '' is the text half, '_query' the queries' half: they have weights of their own. */
function feedForward(name: string, source: string, kind: '' | '_query', config: QFormerConfig): TensorRule[] {
  const { hiddenSize: D, intermediateSize: G } = config;
  return [
    ...linear(`${name}_up`, `${source}.intermediate${kind}.dense`, G, D),
    ...linear(`${name}_down`, `${source}.output${kind}.dense`, D, G),
    ...norm(`${name}_norm`, `${source}.output${kind}.LayerNorm`, D),
  ];
}

/** Tensors of query tokens, Q-Former (HF `InstructBlipQFormerModel`) and `language_projection`; names in docs/gguf.md. */
export function qformerTensors({ qformer, vision, text, queryCount }: CheckpointConfig): TensorRule[] {
  const { hiddenSize: D, vocabSize: V, maxPositions: C } = qformer;
  const root = 'qformer.embeddings';
  const rules: TensorRule[] = [
    {
      name: 'v.proj_query',
      shape: [queryCount, D],
      role: 'exact',
      source: 'query_tokens',
      sourceShape: [1, queryCount, D],
    },
    { name: 'v.proj_embd.tokens.weight', shape: [V, D], role: 'matrix', source: `${root}.word_embeddings.weight` },
    { name: 'v.proj_embd.position.weight', shape: [C, D], role: 'exact', source: `${root}.position_embeddings.weight` },
    ...norm('v.proj_norm', `${root}.layernorm`, D),
  ];
  for (let layer = 0; layer < qformer.layers; layer++) {
    const from = `qformer.encoder.layer.${layer}`;
    const to = `v.proj_blk.${layer}`;
    rules.push(...attention(`${to}.self_attn`, `${from}.attention`, D, D));
    if (layer % qformer.crossAttentionFrequency === 0)
      rules.push(...attention(`${to}.cross_attn`, `${from}.crossattention`, D, vision.hiddenSize));
    rules.push(
      ...feedForward(`${to}.ffn`, from, '_query', qformer),
      ...feedForward(`${to}.ffn_text`, from, '', qformer),
    );
  }
  return [...rules, ...linear('v.proj_linear', 'language_projection', text.hiddenSize, D)];
}
