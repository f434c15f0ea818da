/**
 * What `compat` decides. transformers changed the meaning of `generate` several times for models that are fed embeddings, so each policy is a
 * named field here and nothing else in the code asks which preset is in force.
 */

/** Presets that a caller may name. */
export type Compat = 'hf-4.34';
/** Presets of the API that come later; naming one is `OPTION_UNSUPPORTED`. */
export const LATER_PRESETS: readonly string[] = ['hf-5', 'lavis'];

export interface CompatPreset {
  /**
   * Tokens before the first generated one that logits processors and length limits see: `none`, or `bos` = the checkpoint's BOS id (for Vicuna 0,
   * not the prompt's `</s>`), which is what `generate` of transformers 4.31-4.37 starts with when it is given embeddings; for an encoder-decoder it is
   * the decoder's start token.
   */
  readonly contextPrefix: 'none' | 'bos';
  /** Which ids end the answer: the checkpoint's own list, or that and the vocabulary's `</s>`. */
  readonly stopIds: 'checkpoint' | 'checkpoint-and-vocabulary';
  /** `topK` of a sampling call that names none; 0 = off. */
  readonly defaultTopK: number;
  /**
   * By what length the score of a beam is divided: tokens `generated`, or the `context` of processors, which has the prefix but not the stop id
   * (transformers up to 4.35: a beam that ends counts one token less than one that the length limit cuts).
   */
  readonly beamLength: 'generated' | 'context';
}

/** The presets, by name; `ask` is what a call without `compat` gets. */
export const COMPAT_PRESETS: Readonly<Record<Compat | 'ask', CompatPreset>> = {
  // Vicuna checkpoints say eos = 1 although the model was trained to end with </s> = 2: stop at either.
  ask: { contextPrefix: 'none', stopIds: 'checkpoint-and-vocabulary', defaultTopK: 0, beamLength: 'generated' },
  'hf-4.34': { contextPrefix: 'bos', stopIds: 'checkpoint', defaultTopK: 50, beamLength: 'context' },
};
