import type { VisionConfig } from './checkpoint-config.js';
import { linear, norm, type TensorRule } from './tensor-rules.js';

/** Tensors of the vision encoder (HF `InstructBlipVisionModel`); names in docs/gguf.md. */
export function visionTensors(config: VisionConfig): TensorRule[] {
  const { hiddenSize: H, intermediateSize: F, patchSize: P, imageSize } = config;
  const positions = Math.floor(imageSize / P) ** 2 + 1;
  const root = 'vision_model.embeddings';
  const rules: TensorRule[] = [
    { name: 'v.class_embd', shape: [H], role: 'exact', source: `${root}.class_embedding`, sourceShape: [1, 1, H] },
    { name: 'v.patch_embd.weight', shape: [H, 3, P, P], role: 'convolution', source: `${root}.patch_embedding.weight` },
    { name: 'v.patch_embd.bias', shape: [H], role: 'exact', source: `${root}.patch_embedding.bias` },
    {
      name: 'v.position_embd.weight',
      shape: [positions, H],
      role: 'exact',
      source: `${root}.position_embedding`,
      sourceShape: [1, positions, H],
    },
  ];
  for (let layer = 0; layer < config.layers; layer++) {
    const from = `vision_model.encoder.layers.${layer}`;
    const to = `v.blk.${layer}`;
    rules.push(
      ...norm(`${to}.ln1`, `${from}.layer_norm1`, H),
      { name: `${to}.attn_qkv.weight`, shape: [3 * H, H], role: 'matrix', source: `${from}.self_attn.qkv.weight` },
      {
        name: `${to}.attn_qkv.bias`,
        shape: [3 * H],
        role: 'exact',
        source: `${from}.self_attn.qkv.bias`,
        ...(config.qkvBias ? {} : { constant: 0 }),
      },
      ...linear(`${to}.attn_out`, `${from}.self_attn.projection`, H, H),
      ...norm(`${to}.ln2`, `${from}.layer_norm2`, H),
      ...linear(`${to}.ffn_up`, `${from}.mlp.fc1`, F, H),
      ...linear(`${to}.ffn_down`, `${from}.mlp.fc2`, H, F),
    );
  }
  return [...rules, ...norm('v.post_ln', 'vision_model.post_layernorm', H)];
}
