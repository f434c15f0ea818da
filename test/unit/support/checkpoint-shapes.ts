/** Names and shapes of an InstructBLIP checkpoint's tensors, as HF has them, for any sizes. */

export interface VisionSizes {
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  readonly image: number;
  readonly patch: number;
  readonly qkvBias: boolean;
}

export interface QFormerSizes {
  readonly vocabulary: number;
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  readonly positions: number;
  /** Cross-attention in every layer whose number this divides. */
  readonly crossAttentionFrequency: number;
  readonly queries: number;
}

export interface LlamaSizes {
  readonly type?: 'llama';
  readonly vocabulary: number;
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly tied: boolean;
  readonly attentionBias: boolean;
}

export interface T5Sizes {
  readonly type: 't5';
  readonly vocabulary: number;
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly decoderLayers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly buckets: number;
  readonly gated: boolean;
  readonly tied: boolean;
}

export interface OptSizes {
  readonly type: 'opt';
  readonly vocabulary: number;
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  /** `max_position_embeddings`: the table has 2 rows more. */
  readonly positions: number;
  /** Pre-norm, which has a norm behind the last layer too. */
  readonly normBefore: boolean;
  /** `enable_bias`: of the matrices; norms have theirs always. */
  readonly bias: boolean;
  readonly tied: boolean;
}

export type TextSizes = LlamaSizes | T5Sizes | OptSizes;

export interface CheckpointSizes<Text extends TextSizes = LlamaSizes> {
  readonly vision: VisionSizes;
  readonly qformer: QFormerSizes;
  readonly text: Text;
}

export type NamedShape = [string, number[]];

const linear = (name: string, outputs: number, inputs: number): NamedShape[] => [
  [`${name}.weight`, [outputs, inputs]],
  [`${name}.bias`, [outputs]],
];
const norm = (name: string, size: number): NamedShape[] => [
  [`${name}.weight`, [size]],
  [`${name}.bias`, [size]],
];

function visionShapes({ hidden: H, feedForward: F, patch: P, image, layers, qkvBias }: VisionSizes): NamedShape[] {
  const root = 'vision_model.embeddings';
  const shapes: NamedShape[] = [
    [`${root}.class_embedding`, [1, 1, H]],
    [`${root}.position_embedding`, [1, 1 + (image / P) ** 2, H]],
    [`${root}.patch_embedding.weight`, [H, 3, P, P]],
    [`${root}.patch_embedding.bias`, [H]],
    ...norm('vision_model.post_layernorm', H),
  ];
  for (let i = 0; i < layers; i++) {
    const layer = `vision_model.encoder.layers.${i}`;
    const qkv = linear(`${layer}.self_attn.qkv`, 3 * H, H);
    shapes.push(
      ...(qkvBias ? qkv : qkv.slice(0, 1)),
      ...linear(`${layer}.self_attn.projection`, H, H),
      ...norm(`${layer}.layer_norm1`, H),
      ...norm(`${layer}.layer_norm2`, H),
      ...linear(`${layer}.mlp.fc1`, F, H),
      ...linear(`${layer}.mlp.fc2`, H, F),
    );
  }
  return shapes;
}

function qformerLayerShapes(sizes: CheckpointSizes<TextSizes>, i: number): NamedShape[] {
  const { hidden: D, feedForward: G, crossAttentionFrequency } = sizes.qformer;
  const layer = `qformer.encoder.layer.${i}`;
  const shapes: NamedShape[] = [];
  for (const [part, keySize] of [
    ['attention', D],
    ['crossattention', sizes.vision.hidden],
  ] as const) {
    if (part === 'crossattention' && i % crossAttentionFrequency !== 0) continue;
    shapes.push(
      ...linear(`${layer}.${part}.attention.query`, D, D),
      ...linear(`${layer}.${part}.attention.key`, D, keySize),
      ...linear(`${layer}.${part}.attention.value`, D, keySize),
      ...linear(`${layer}.${part}.output.dense`, D, D),
      ...norm(`${layer}.${part}.output.LayerNorm`, D),
    );
  }
  for (const half of ['', '_query']) {
    shapes.push(
      ...linear(`${layer}.intermediate${half}.dense`, G, D),
      ...linear(`${layer}.output${half}.dense`, D, G),
      ...norm(`${layer}.output${half}.LayerNorm`, D),
    );
  }
  return shapes;
}

function qformerShapes(sizes: CheckpointSizes<TextSizes>): NamedShape[] {
  const { hidden: D, vocabulary, positions, queries, layers } = sizes.qformer;
  return [
    ['query_tokens', [1, queries, D]],
    ['qformer.embeddings.word_embeddings.weight', [vocabulary, D]],
    ['qformer.embeddings.position_embeddings.weight', [positions, D]],
    ...norm('qformer.embeddings.layernorm', D),
    ...linear('language_projection', sizes.text.hidden, D),
    ...Array.from({ length: layers }, (_, i) => qformerLayerShapes(sizes, i)).flat(),
  ];
}

function llamaShapes(sizes: LlamaSizes): NamedShape[] {
  const { hidden: H, feedForward: F, vocabulary: V } = sizes;
  const keys = (H / sizes.heads) * sizes.kvHeads;
  const root = 'language_model.model';
  const shapes: NamedShape[] = [
    [`${root}.embed_tokens.weight`, [V, H]],
    [`${root}.norm.weight`, [H]],
  ];
  if (!sizes.tied) shapes.push(['language_model.lm_head.weight', [V, H]]);
  for (let i = 0; i < sizes.layers; i++) {
    const layer = `${root}.layers.${i}`;
    for (const [part, rows] of [
      ['q', H],
      ['k', keys],
      ['v', keys],
      ['o', H],
    ] as const) {
      const both = linear(`${layer}.self_attn.${part}_proj`, rows, H);
      shapes.push(...(sizes.attentionBias ? both : both.slice(0, 1)));
    }
    shapes.push(
      [`${layer}.mlp.gate_proj.weight`, [F, H]],
      [`${layer}.mlp.up_proj.weight`, [F, H]],
      [`${layer}.mlp.down_proj.weight`, [H, F]],
      [`${layer}.input_layernorm.weight`, [H]],
      [`${layer}.post_attention_layernorm.weight`, [H]],
    );
  }
  return shapes;
}

function t5BlockShapes(sizes: T5Sizes, half: 'encoder' | 'decoder', i: number): NamedShape[] {
  const { hidden: D, feedForward: F, heads, headDim } = sizes;
  const block = `language_model.${half}.block.${i}`;
  const attentions = half === 'encoder' ? ['SelfAttention'] : ['SelfAttention', 'EncDecAttention'];
  const shapes = attentions.flatMap((name, layer): NamedShape[] => [
    ...['q', 'k', 'v'].map(
      (part): NamedShape => [`${block}.layer.${layer}.${name}.${part}.weight`, [heads * headDim, D]],
    ),
    [`${block}.layer.${layer}.${name}.o.weight`, [D, heads * headDim]],
    [`${block}.layer.${layer}.layer_norm.weight`, [D]],
  ]);
  if (i === 0) shapes.push([`${block}.layer.0.SelfAttention.relative_attention_bias.weight`, [sizes.buckets, heads]]);
  const last = `${block}.layer.${attentions.length}`;
  for (const part of sizes.gated ? ['wi_0', 'wi_1'] : ['wi'])
    shapes.push([`${last}.DenseReluDense.${part}.weight`, [F, D]]);
  shapes.push([`${last}.DenseReluDense.wo.weight`, [D, F]], [`${last}.layer_norm.weight`, [D]]);
  return shapes;
}

function t5Shapes(sizes: T5Sizes): NamedShape[] {
  const { hidden: D, vocabulary: V } = sizes;
  const shapes: NamedShape[] = [['language_model.shared.weight', [V, D]]];
  for (const [half, layers] of [
    ['encoder', sizes.layers],
    ['decoder', sizes.decoderLayers],
  ] as const) {
    for (let i = 0; i < layers; i++) shapes.push(...t5BlockShapes(sizes, half, i));
    shapes.push([`language_model.${half}.final_layer_norm.weight`, [D]]);
  }
  if (!sizes.tied) shapes.push(['language_model.lm_head.weight', [V, D]]);
  return shapes;
}

function optShapes(sizes: OptSizes): NamedShape[] {
  const { hidden: D, feedForward: F, vocabulary: V } = sizes;
  const root = 'language_model.model.decoder';
  const dense = (...shape: Parameters<typeof linear>) => linear(...shape).slice(0, sizes.bias ? 2 : 1);
  const shapes: NamedShape[] = [
    [`${root}.embed_tokens.weight`, [V, D]],
    [`${root}.embed_positions.weight`, [sizes.positions + 2, D]],
    ...(sizes.normBefore ? norm(`${root}.final_layer_norm`, D) : []),
  ];
  for (let i = 0; i < sizes.layers; i++) {
    const layer = `${root}.layers.${i}`;
    shapes.push(
      ...['q', 'k', 'v', 'out'].flatMap(part => dense(`${layer}.self_attn.${part}_proj`, D, D)),
      ...norm(`${layer}.self_attn_layer_norm`, D),
      ...dense(`${layer}.fc1`, F, D),
      ...dense(`${layer}.fc2`, D, F),
      ...norm(`${layer}.final_layer_norm`, D),
    );
  }
  if (!sizes.tied) shapes.push(['language_model.lm_head.weight', [V, D]]);
  return shapes;
}

function textShapes(sizes: TextSizes): NamedShape[] {
  if (sizes.type === 't5') return t5Shapes(sizes);
  return sizes.type === 'opt' ? optShapes(sizes) : llamaShapes(sizes);
}

export const checkpointShapes = (sizes: CheckpointSizes<TextSizes>): NamedShape[] => [
  ...visionShapes(sizes.vision),
  ...qformerShapes(sizes),
  ...textShapes(sizes.text),
];
