import type { Compat } from './compat.js';

/** A user's own logits processor: gets the tokens so far and one row of raw scores [V]; changes it in place or returns another row of the same length. */
// biome-ignore lint/suspicious/noConfusingVoidType: a processor that only changes its argument returns nothing
export type UserLogitsProcessor = (tokens: readonly number[], scores: Float32Array) => Float32Array | void;

/**
 * How tokens are chosen and when the answer ends. Names follow Hugging Face in camelCase. Every option takes effect or throws `OptionError`.
 * Without sampling options the best token is taken at each step (greedy search), which is deterministic.
 */
export interface GenerateOptions {
  /**
   * Most tokens of the answer, at least 1. Default 256 (under 'lavis' with the BOS), or less where the context has less room; of `generate` HF's: a `maxLength` of 20,
   * under 'hf-5' 20 new tokens. Excludes `maxLength`.
   */
  maxNewTokens?: number;
  /** Stop ids are impossible before this many tokens. Default 0. */
  minNewTokens?: number;
  /**
   * HF's total length: counts the tokens that processors see before the answer too (`compat`: one under 'hf-4.34' and 'lavis', under 'hf-5' those of picture and prompt,
   * of T5 one; none otherwise). Under 'lavis' a T5's counts the answer alone.
   */
  maxLength?: number;
  /** As `minNewTokens`, counted as `maxLength` counts. Default 0. */
  minLength?: number;
  /** Sample instead of taking the best token. Default: true when a sampling option (temperature … etaCutoff) is given. `false` switches those off, as in HF. */
  doSample?: boolean;
  /** Divides the logits, > 0. Default 1. For greedy search leave it out. */
  temperature?: number;
  /** Keep the k best tokens; 0 = all. Default 0; under each `compat` 50, as HF does without saying. */
  topK?: number;
  /** Nucleus: keep the best tokens whose probabilities reach this, 0..1. Default 1 = all. */
  topP?: number;
  /** Keep tokens with at least this share of the best one's probability, 0..1. Default 0 = all. */
  minP?: number;
  /** Locally typical sampling: mass in (0, 1]. Default 1 = all. */
  typicalP?: number;
  /** Drop tokens less probable than this, 0..1 (exclusive). Default 0 = none. */
  epsilonCutoff?: number;
  /** Eta sampling, 0..1 (exclusive). Default 0 = off. */
  etaCutoff?: number;
  /** Seed of sampling: integer, 0 to 2^53 - 1. The same seed, model file and machine give the same text. Default: a random one. */
  seed?: number;
  /** Beams that are searched, 1..64; 1 (default, but 5 under 'lavis') = no beam search. With `doSample`: beam sampling. At most as many as the model was loaded for (`maxBatch`). */
  numBeams?: number;
  /** Groups that the beams are divided into, for diverse beam search; divides `numBeams`. Default 1. Excludes sampling, and is not in 'hf-5'. */
  numBeamGroups?: number;
  /** Taken off a token's score for each time that an earlier group took it in the same step, >= 0. Default 0. */
  diversityPenalty?: number;
  /** When beam search ends: `false` (default) when no beam can become better by its score of now, `true` as soon as `numBeams` have ended, 'never' when none ever can. */
  earlyStopping?: boolean | 'never';
  /** Beams' sums of log-probabilities are divided by length^this: above 0 favours long answers, below 0 short ones. Default 1. */
  lengthPenalty?: number;
  /** Divides positive and multiplies negative scores of tokens already in the context, > 0. Default 1 = off. */
  repetitionPenalty?: number;
  /** No sequence of this many tokens appears twice. Default 0 = off. */
  noRepeatNgramSize?: number;
  /** Token sequences that must not appear. */
  badWordsIds?: readonly (readonly number[])[];
  /** Pairs [token sequence, bias]: added to the score of the sequence's last token when the rest stands before it. */
  sequenceBias?: readonly (readonly [readonly number[], number])[];
  /** Tokens that are never chosen. */
  suppressTokens?: readonly number[];
  /** Tokens that are not chosen first. */
  beginSuppressTokens?: readonly number[];
  /** Token that must come first. Under 'hf-5' of T5 only: there transformers forces nothing for others. */
  forcedBosTokenId?: number;
  /** Token or tokens, one of which must come last when the length limit is reached. */
  forcedEosTokenId?: number | readonly number[];
  /** A pair `[start, factor]`: after `start` tokens stop ids gain weight by factor^n. */
  exponentialDecayLengthPenalty?: readonly [number, number];
  /** Log-softmax after all processors. Default false. */
  renormalizeLogits?: boolean;
  /** NaN becomes 0 and infinity the largest float. Default false. */
  removeInvalidValues?: boolean;
  /** Ids that end the answer, in place of those that `compat` names; [] = none. */
  eosTokenId?: number | readonly number[];
  /** BOS id that `compat: 'hf-4.34'` and `'lavis'` put before the answer for processors. Default: the checkpoint's. */
  bosTokenId?: number;
  /** Encoder-decoders (T5): token that the decoder starts with. Default: the checkpoint's. */
  decoderStartTokenId?: number;
  /** Texts that end the answer, or a beam; found across token boundaries. The answer's text ends before the stop string, its `tokens` include it. */
  stopStrings?: string | readonly string[];
  /**
   * GBNF, llama.cpp's notation for grammars: the answer's text is what its rule `root` says, when `finishReason` is 'stop'. Then the text is neither stripped nor
   * cleaned up. Excludes `jsonSchema`, `choices` and `stopStrings`, as each of them does. See docs/constrained-output.md.
   */
  grammar?: string;
  /** JSON schema of the answer, which is JSON when `finishReason` is 'stop'. What is not supported of it throws. See docs/constrained-output.md. */
  jsonSchema?: Readonly<Record<string, unknown>>;
  /** The answer is one of these texts, when `finishReason` is 'stop'. */
  choices?: readonly string[];
  /** Run after the built-in processors, before the sampling filters. */
  logitsProcessors?: readonly UserLogitsProcessor[];
  /**
   * Whose rules hold (docs: src/generation/compat.ts, docs/hugging-face.md):
   * - 'hf-4.34': the stop ids (checkpoint's own only), the context of processors (the BOS and the answer), the scores of beams and the defaults of transformers 4.34;
   * - 'hf-5': those of transformers 5, whose processors and lengths see image ids and prompt as well; needs a checkpoint with an image id, unless it is a T5;
   * - 'lavis': LAVIS' `generate`: 5 beams, `repetitionPenalty` 1.5, `minLength` 1, `maxLength` 256, `topP` 0.9 with `doSample: true` (its `use_nucleus_sampling`), ends with
   *   the vocabulary's `</s>`; else as 'hf-4.34'.
   *
   * Default: stop at the checkpoint's ids and at the vocabulary's `</s>`; processors see the generated tokens only.
   */
  compat?: Compat;
}
