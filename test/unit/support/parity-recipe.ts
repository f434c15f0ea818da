import type { CheckpointSizes, LlamaSizes, OptSizes, T5Sizes, TextSizes } from './checkpoint-shapes.js';
import type { Dtype } from './safetensors.js';

/** Factors of a T5 model's weights; 1 = activations of size one, as everywhere else. */
export interface T5Gains {
  /** Of the matrices into the feed-forward. */
  readonly feedForward: number;
  /** Of the matrices out of attention. */
  readonly attention: number;
}

interface RecipeOf<Text extends TextSizes> {
  readonly name: string;
  readonly seed: number;
  readonly sizes: CheckpointSizes<Text>;
  readonly dtype: Dtype;
  readonly shards: number;
  /** 'real': those of the hub; 'small': those that tests make up. */
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
  /** Factor of the stop ids' rows of an untied head: how often answers end early. */
  readonly stopFactor: number;
  /** Asked of every picture; missing: PARITY_QUESTIONS. */
  readonly questions?: readonly string[];
}

export interface LlamaRecipe extends RecipeOf<LlamaSizes> {
  readonly tokenizer?: 'llama';
}

export interface T5Recipe extends RecipeOf<T5Sizes> {
  readonly tokenizer: 'unigram';
  /** The only name under which the checkpoint has its token embeddings; missing: `shared`. */
  readonly embeddingName?: string;
  readonly gains?: T5Gains;
}

export interface OptRecipe extends RecipeOf<OptSizes> {
  readonly tokenizer: 'unigram' | 'byte-pairs';
}

/**
 * A random checkpoint that is compared with transformers stage by stage. Odd on purpose: no two sizes are equal by chance, each has something that the
 * others have not, and the epsilons are large enough to show.
 */
export type ParityRecipe = LlamaRecipe | T5Recipe | OptRecipe;

/** Ids at which answers of the checkpoint end. */
export const stopIdsOf = ({ text }: ParityRecipe): number[] =>
  [text.eos_token_id].flat().filter((id): id is number => typeof id === 'number');
