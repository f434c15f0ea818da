/**
 * What `compat` decides. transformers changed the meaning of `generate` several times for models that are fed embeddings, so each policy is a
 * named field here and nothing else in the code asks which preset is in force.
 */
import type { GenerateOptions } from './generate-options.js';

/** Presets that a caller may name. */
export type Compat = 'hf-4.34' | 'hf-5' | 'lavis';

/** How beams are scored and when they are done. */
export interface BeamPolicy {
  /** Whether beams may be divided into groups (removed from transformers in 4.57). */
  readonly groups: boolean;
  /**
   * By what length the score of a beam is divided: tokens `generated`, or the `context` of processors, which has the prefix but not the stop id
   * (transformers up to 4.35: a beam that ends counts one token less than one that the length limit cuts).
   */
  readonly scoredLength: 'generated' | 'context';
  /** Which score is compared with the finished beams': of the step's best `candidate`, also if that one ends, or of the best beam that goes on. */
  readonly doneBy: 'candidate' | 'beam';
  /** What the length limit makes answers: the `beams` that would go on, or the best `candidates`, as if each of them ended. */
  readonly atLimit: 'beams' | 'candidates';
  /** Sampling filters see the `sums` of beams, or each beam's `scores` before its sum is added. */
  readonly filtered: 'sums' | 'scores';
  /** Of drawn candidates, those count as best that were drawn first, or that have the best sums. */
  readonly drawnBest: 'first' | 'sum';
  /** Candidates that are drawn, for each beam; of the best ones there are always enough that one for each beam goes on. */
  readonly drawn: 'two' | 'one-more-than-stop-ids';
  /** Whether all beams draw at the first step, or only one, as without sampling. */
  readonly firstDraw: 'all-beams' | 'one-beam';
  /** Tokens that sampling filters leave. */
  readonly keptByFilters: 'two' | 'one-more-than-stop-ids';
  /** Which id stands at the end of an answer that has ended: the stop id that came, or the `first` of them. */
  readonly shownStopId: 'own' | 'first';
  /** What fills rows of answers up: the padding id, also when it is 0, or then the stop id. */
  readonly padding: 'pad' | 'pad-but-0';
}

export interface CompatPreset {
  /**
   * Tokens before the first generated one that logits processors and length limits see: `none`; `bos` = the checkpoint's BOS id (for Vicuna 0, not the
   * prompt's `</s>`), which is what `generate` of transformers 4.31-4.37 starts with when it is given embeddings; `prompt` = the image ids and the prompt
   * as the processor made it, with its padding. For an encoder-decoder both are the decoder's start token.
   */
  readonly contextPrefix: 'none' | 'bos' | 'prompt';
  /** Which ids end the answer: the checkpoint's own list, the vocabulary's `</s>` where there is one, or both. */
  readonly stopIds: 'checkpoint' | 'vocabulary' | 'checkpoint-and-vocabulary';
  /** Whether settings of `generate` in the checkpoint's `text_config` come before `defaults`: transformers 5 reads none there, and LAVIS gives all arguments. */
  readonly checkpointSettings: boolean;
  /** Options that the caller leaves out; not those of the length. */
  readonly defaults: Readonly<GenerateOptions>;
  /** The length when no option gives one, which a full context may lower. */
  readonly defaultLength: LengthOption;
  /** The same for `generate`, where nothing lowers it. */
  readonly generateLength: LengthOption;
  /** What `maxLength` counts for an encoder-decoder: the `context`, or the `answer` alone. */
  readonly encoderDecoderMaxLength: 'context' | 'answer';
  /** Whether `removeInvalidValues` makes minus infinity the smallest float. */
  readonly removesMinusInfinity: boolean;
  /** Models whose rows have 2 for each 0: those whose checkpoint has the old name of the architecture, every `llama`, or none. */
  readonly twoForZero: 'LLaMAForCausalLM' | 'llama' | 'none';
  readonly beams: BeamPolicy;
}

/** One of the two. */
export type LengthOption = Readonly<Pick<GenerateOptions, 'maxLength' | 'maxNewTokens'>>;

export const DEFAULT_MAX_NEW_TOKENS = 256;

const BEAMS_4_34: BeamPolicy = {
  groups: true,
  scoredLength: 'context',
  doneBy: 'candidate',
  atLimit: 'beams',
  filtered: 'sums',
  drawnBest: 'sum',
  drawn: 'two',
  firstDraw: 'all-beams',
  keptByFilters: 'two',
  shownStopId: 'first',
  padding: 'pad',
};

const HF_4_34: CompatPreset = {
  contextPrefix: 'bos',
  stopIds: 'checkpoint',
  checkpointSettings: true,
  defaults: { topK: 50 },
  defaultLength: { maxNewTokens: DEFAULT_MAX_NEW_TOKENS },
  generateLength: { maxLength: 20 },
  encoderDecoderMaxLength: 'context',
  removesMinusInfinity: false,
  twoForZero: 'LLaMAForCausalLM',
  beams: BEAMS_4_34,
};

/** The presets, by name; `ask` is what a call without `compat` gets. */
export const COMPAT_PRESETS: Readonly<Record<Compat | 'ask', CompatPreset>> = {
  ask: {
    ...HF_4_34,
    contextPrefix: 'none',
    // Vicuna checkpoints say eos = 1 although the model was trained to end with </s> = 2: stop at either.
    stopIds: 'checkpoint-and-vocabulary',
    defaults: {},
    twoForZero: 'none',
    beams: { ...BEAMS_4_34, scoredLength: 'generated' },
  },
  'hf-4.34': HF_4_34,
  // transformers 5.16; beams as since 4.50, the context as since 4.47.
  'hf-5': {
    contextPrefix: 'prompt',
    stopIds: 'checkpoint',
    checkpointSettings: false,
    defaults: { topK: 50 },
    defaultLength: { maxNewTokens: DEFAULT_MAX_NEW_TOKENS },
    generateLength: { maxNewTokens: 20 },
    encoderDecoderMaxLength: 'context',
    removesMinusInfinity: true,
    twoForZero: 'none',
    beams: {
      groups: false,
      scoredLength: 'generated',
      doneBy: 'beam',
      atLimit: 'candidates',
      filtered: 'scores',
      drawnBest: 'first',
      drawn: 'one-more-than-stop-ids',
      firstDraw: 'one-beam',
      keptByFilters: 'one-more-than-stop-ids',
      shownStopId: 'own',
      padding: 'pad-but-0',
    },
  },
  // LAVIS' `generate` over transformers 4.33: its arguments where the caller gives none.
  lavis: {
    ...HF_4_34,
    stopIds: 'vocabulary',
    checkpointSettings: false,
    defaults: { topK: 50, doSample: false, numBeams: 5, minLength: 1, topP: 0.9, repetitionPenalty: 1.5 },
    defaultLength: { maxLength: 256 },
    generateLength: { maxLength: 256 },
    encoderDecoderMaxLength: 'answer',
    twoForZero: 'llama',
  },
};
