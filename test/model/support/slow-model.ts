import type { ParityRecipe } from '../../unit/support/parity-recipes.js';
import { randomPicture } from '../../unit/support/pictures.js';

/** Large enough that every stage takes milliseconds: something is in flight when a test wants it to be. Answers run to their limit. */
export const SLOW_RECIPE: ParityRecipe = {
  name: 'slow',
  seed: 31,
  sizes: {
    vision: { hidden: 192, feedForward: 512, layers: 10, heads: 4, image: 224, patch: 14, qkvBias: true },
    qformer: {
      vocabulary: 30523,
      hidden: 96,
      feedForward: 256,
      layers: 6,
      heads: 4,
      positions: 64,
      crossAttentionFrequency: 2,
      queries: 32,
    },
    text: {
      vocabulary: 32064,
      hidden: 128,
      feedForward: 256,
      layers: 6,
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
  text: { bos_token_id: 0, eos_token_id: 1, pad_token_id: 32000, max_position_embeddings: 1024 },
  imageTokenId: 32001,
  image: {},
  embeddingScale: 1,
  headGain: 4,
  stopFactor: 0,
};

export const PICTURE = randomPicture({ seed: 5, width: 320, height: 240 });
