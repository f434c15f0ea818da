import type { CheckpointSizes } from './checkpoint-shapes.js';
import type { Dtype } from './safetensors.js';

/**
 * Random checkpoints that are compared with transformers stage by stage. Odd on purpose: no two sizes are equal by chance, each has something that the
 * others have not, and the epsilons are large enough to show.
 */
export interface ParityRecipe {
  readonly name: string;
  readonly seed: number;
  readonly sizes: CheckpointSizes;
  readonly dtype: Dtype;
  readonly shards: number;
  /** 'real': the hub's LLaMA and BERT vocabularies; 'small': those of checkpoint.ts. */
  readonly vocabularies: 'real' | 'small';
  /** Fields of config.json beside the sizes. */
  readonly vision: Record<string, unknown>;
  readonly qformer: Record<string, unknown>;
  readonly text: Record<string, unknown>;
  readonly imageTokenId: number | undefined;
  readonly image: Record<string, unknown>;
  /** Standard deviation of token embeddings, and gain of the head (of a tied one, the embedding itself). */
  readonly embeddingScale: number;
  readonly headGain: number;
  /** Factor of the stop id's row of the head: how often answers end early. */
  readonly stopFactor: number;
}

const REAL: ParityRecipe = {
  name: 'real-vocabulary',
  seed: 11,
  sizes: {
    vision: { hidden: 40, feedForward: 72, layers: 3, heads: 4, image: 224, patch: 28, qkvBias: true },
    qformer: {
      vocabulary: 30523,
      hidden: 36,
      feedForward: 60,
      layers: 4,
      heads: 3,
      positions: 64,
      crossAttentionFrequency: 2,
      queries: 7,
    },
    text: {
      vocabulary: 32064,
      hidden: 48,
      feedForward: 88,
      layers: 3,
      heads: 4,
      kvHeads: 4,
      tied: false,
      attentionBias: false,
    },
  },
  dtype: 'F32',
  shards: 1,
  vocabularies: 'real',
  vision: {},
  qformer: {},
  text: { bos_token_id: 0, eos_token_id: 1, pad_token_id: 32000 },
  imageTokenId: 32001,
  image: {},
  embeddingScale: 1,
  headGain: 4,
  stopFactor: 2,
};

/** As the hub's old revisions: no image token, no padding id. Grouped heads, tied head, no qkv bias, three BF16 shards. */
const OLD: ParityRecipe = {
  name: 'old-revision',
  seed: 12,
  sizes: {
    vision: { hidden: 33, feedForward: 50, layers: 2, heads: 3, image: 28, patch: 14, qkvBias: false },
    qformer: {
      vocabulary: 30523,
      hidden: 28,
      feedForward: 44,
      layers: 3,
      heads: 2,
      positions: 48,
      crossAttentionFrequency: 1,
      queries: 5,
    },
    text: {
      vocabulary: 32001,
      hidden: 64,
      feedForward: 96,
      layers: 4,
      heads: 8,
      kvHeads: 2,
      tied: true,
      attentionBias: false,
    },
  },
  dtype: 'BF16',
  shards: 3,
  vocabularies: 'real',
  vision: { layer_norm_eps: 1e-5 },
  qformer: { layer_norm_eps: 1e-7 },
  text: { bos_token_id: 0, eos_token_id: 1, pad_token_id: -1, rms_norm_eps: 1e-5, rope_theta: 500000 },
  imageTokenId: undefined,
  image: {},
  embeddingScale: 0.4,
  headGain: 1,
  stopFactor: 1,
};

/** Epsilons that dominate, linear position scaling, biases in the attention of the language model, F16. */
const LOOSE: ParityRecipe = {
  name: 'loose-epsilons',
  seed: 13,
  sizes: {
    vision: { hidden: 56, feedForward: 90, layers: 4, heads: 2, image: 30, patch: 10, qkvBias: true },
    qformer: {
      vocabulary: 40,
      hidden: 24,
      feedForward: 52,
      layers: 5,
      heads: 4,
      positions: 40,
      crossAttentionFrequency: 3,
      queries: 3,
    },
    text: {
      vocabulary: 320,
      hidden: 60,
      feedForward: 100,
      layers: 2,
      heads: 6,
      kvHeads: 3,
      tied: false,
      attentionBias: true,
    },
  },
  dtype: 'F16',
  shards: 1,
  vocabularies: 'small',
  vision: { layer_norm_eps: 0.03 },
  qformer: { layer_norm_eps: 0.2 },
  text: {
    bos_token_id: 0,
    eos_token_id: 1,
    pad_token_id: 268,
    rms_norm_eps: 0.05,
    rope_theta: 1000,
    rope_scaling: { type: 'linear', factor: 2.5 },
  },
  imageTokenId: 269,
  image: { image_mean: [0.5, 0.25, 0.125], image_std: [0.5, 0.4, 0.3], rescale_factor: 0.004 },
  embeddingScale: 1,
  headGain: 4,
  stopFactor: 1.4,
};

/** Head sizes and token counts of the published models: 88 and 257 in the vision encoder, 64 in the Q-Former, 128 in the language model. */
const HEADS: ParityRecipe = {
  name: 'real-heads',
  seed: 14,
  sizes: {
    vision: { hidden: 176, feedForward: 96, layers: 2, heads: 2, image: 224, patch: 14, qkvBias: true },
    qformer: {
      vocabulary: 40,
      hidden: 128,
      feedForward: 72,
      layers: 2,
      heads: 2,
      positions: 512,
      crossAttentionFrequency: 2,
      queries: 32,
    },
    text: {
      vocabulary: 352,
      hidden: 256,
      feedForward: 160,
      layers: 2,
      heads: 2,
      kvHeads: 1,
      tied: false,
      attentionBias: false,
    },
  },
  dtype: 'F32',
  shards: 1,
  vocabularies: 'small',
  vision: {},
  qformer: {},
  text: { bos_token_id: 1, eos_token_id: 2, pad_token_id: 268 },
  imageTokenId: 269,
  image: {},
  embeddingScale: 1,
  headGain: 4,
  stopFactor: 1.4,
};

export const PARITY_RECIPES: readonly ParityRecipe[] = [REAL, OLD, LOOSE, HEADS];

export const PARITY_QUESTIONS = [
  'What is unusual about this image?',
  'How many people are there?',
  'Is this a dog? Answer yes or no.',
  'Describe the picture  in detail:',
  'Où est le café ☕, à gauche?',
  '',
] as const;
