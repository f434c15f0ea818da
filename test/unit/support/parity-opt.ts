import type { OptRecipe } from './parity-recipe.js';

/** As OPT itself: pre-norm, ReLU, tied head, byte-level BPE with `</s>` in front; head size 64, rows of whole blocks, two BF16 shards. */
const BYTE_PAIRS: OptRecipe = {
  name: 'opt-byte-pairs',
  seed: 31,
  sizes: {
    vision: { hidden: 48, feedForward: 72, layers: 2, heads: 3, image: 28, patch: 14, qkvBias: true },
    qformer: {
      vocabulary: 40,
      hidden: 32,
      feedForward: 48,
      layers: 2,
      heads: 2,
      positions: 64,
      crossAttentionFrequency: 2,
      queries: 8,
    },
    text: {
      type: 'opt',
      vocabulary: 330,
      hidden: 256,
      feedForward: 768,
      layers: 2,
      heads: 4,
      positions: 128,
      normBefore: true,
      bias: true,
      tied: true,
    },
  },
  dtype: 'BF16',
  shards: 2,
  vocabularies: 'small',
  tokenizer: 'byte-pairs',
  vision: {},
  qformer: {},
  // Answers end at an id of the text model's own, as those of BLIP-2's OPT (a line's end).
  text: { activation_function: 'relu', bos_token_id: 2, eos_token_id: 278, pad_token_id: 1 },
  imageTokenId: undefined,
  image: {},
  embeddingScale: 0.2,
  headGain: 1,
  stopFactor: 1,
};

/** Post-norm without biases, erf GELU, untied head, no stop id, T5's tokenizer as in the hub's tiny random checkpoint; F16. */
const POST_NORM: OptRecipe = {
  name: 'opt-post-norm',
  seed: 332,
  sizes: {
    vision: { hidden: 36, feedForward: 52, layers: 2, heads: 2, image: 30, patch: 10, qkvBias: false },
    qformer: {
      vocabulary: 40,
      hidden: 28,
      feedForward: 40,
      layers: 3,
      heads: 4,
      positions: 48,
      crossAttentionFrequency: 3,
      queries: 5,
    },
    text: {
      type: 'opt',
      vocabulary: 311,
      hidden: 60,
      feedForward: 88,
      layers: 3,
      heads: 5,
      positions: 90,
      normBefore: false,
      bias: false,
      tied: false,
    },
  },
  dtype: 'F16',
  shards: 1,
  vocabularies: 'small',
  tokenizer: 'unigram',
  vision: {},
  qformer: {},
  text: { activation_function: 'gelu', bos_token_id: 0, eos_token_id: null, pad_token_id: 1 },
  imageTokenId: undefined,
  image: {},
  embeddingScale: 1,
  headGain: 4,
  stopFactor: 1,
};

export const OPT_RECIPES: readonly OptRecipe[] = [BYTE_PAIRS, POST_NORM];
