/** LAVIS' `predict_answers`: short answers to questions, all in one batch. */
import { invalidOption, OptionError } from '../errors.js';
import type { FinishReason } from '../generation/answer-writer.js';
import { COMPAT_PRESETS } from '../generation/compat.js';
import type { GenerateOptions } from '../generation/generate-options.js';
import { settingsOfPrompts } from '../generation/generation-settings.js';
import { aText, boolean, integer, type OptionRule } from '../generation/option-rules.js';
import { TextStream } from '../generation/text-stream.js';
import { shown, validateGenerateOptions } from '../generation/validate-options.js';
import { joinChoices, joinOcrTokens } from '../prompts.js';
import { StageClock, type Timings, type Usage } from './answer.js';
import { listOf, type Pictures, pictureFeatures, promptOf } from './ask.js';
import { checkNamed, signalRule } from './ask-options.js';
import type { EngineCall, PictureFeatures } from './engine-stages.js';
import { itemOf, runBatch, usageOf } from './generate-batch.js';
import type { Engine } from './loaded-model.js';
import { promptIdsOf } from './prompt-ids.js';
import { countPlaces, fillPlaces, isTexts, texts } from './prompt-places.js';

/** Lengths are `maxLen` and `minLen` here. */
type LengthOption = 'maxLength' | 'minLength' | 'maxNewTokens' | 'minNewTokens';

/**
 * Options of `predictAnswers`, and all generate options but those of the length and `stopStrings`. Defaults are LAVIS': `numBeams` 5, `repetitionPenalty` 1.5,
 * `lengthPenalty` -1 for T5 and 0 for the others, `topP` 0.9 when sampling; the answer ends with the vocabulary's `</s>`.
 */
export interface PredictAnswersOptions extends Omit<GenerateOptions, LengthOption | 'stopStrings' | 'choices'> {
  /** Most tokens of an answer; for decoder-only models LAVIS' `max_len` counts the BOS too (not under `compat: 'hf-5'`). At least 1; decoder-only: 2. Default 10. */
  maxLen?: number;
  /** Fewest tokens, counted in the same way. Default 1. */
  minLen?: number;
  /** With one `{}` for the question; or with two: for `ocrTokens` and question, or for question and `choices`. Default: the question alone. */
  prompt?: string;
  /** Texts that OCR found in the picture: the first 30 stand in the prompt, joined by commas. */
  ocrTokens?: readonly string[];
  /** Answers to choose from: `(a) cat (b) dog` stands in the prompt. One list for all questions, or a list for each. */
  choices?: readonly string[] | readonly (readonly string[])[];
  /** LAVIS' lemmatizer is spaCy's, which is not here: only `false` is taken. Lemmatize the texts yourself to compare with VQA scores that LAVIS reports. */
  applyLemmatizer?: false;
  /** Aborts the call in any phase; it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Answers to all questions. */
export interface PredictedAnswers {
  /** By question, as `Answer.text`. */
  readonly texts: string[];
  /** Generated ids, with the stop id. */
  readonly tokens: number[][];
  readonly finishReasons: FinishReason[];
  /** Of all questions together. */
  readonly usage: Usage;
  readonly timings: Timings;
}

type OwnOption = 'maxLen' | 'minLen' | 'prompt' | 'ocrTokens' | 'choices' | 'applyLemmatizer' | 'signal';

const isListOfTexts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isTexts);
const RULES: Readonly<Record<OwnOption, OptionRule>> = {
  maxLen: integer(1),
  minLen: integer(0),
  prompt: aText,
  ocrTokens: texts,
  choices: {
    expected: 'an array of texts, or one for each question',
    allows: value => isTexts(value) || isListOfTexts(value),
  },
  applyLemmatizer: boolean,
  signal: signalRule,
};
/** Those of the length, and what they are called here. */
const ELSEWHERE: Readonly<Record<LengthOption, string>> = {
  maxLength: 'maxLen',
  maxNewTokens: 'maxLen',
  minLength: 'minLen',
  minNewTokens: 'minLen',
};

/** Questions in their prompts. */
function promptsOf(
  questions: readonly string[],
  { prompt = '', ocrTokens, choices }: PredictAnswersOptions,
): readonly string[] {
  if (ocrTokens && choices)
    throw invalidOption('ocrTokens and choices exclude each other: a prompt has a {} for one of them');
  if (ocrTokens || choices) {
    if (countPlaces(prompt) !== 2)
      throw invalidOption(
        `${ocrTokens ? 'ocrTokens' : 'choices'} need a prompt with two {}, but prompt is ${shown(prompt)}`,
      );
  } else if (countPlaces(prompt) > 1) {
    throw invalidOption(`prompt = ${shown(prompt)} has several {}: give ocrTokens or choices with it`);
  }
  if (prompt === '') return questions;
  const choicesOf = choices && listsOfChoices(choices, questions.length);
  return questions.map((question, i) => {
    if (ocrTokens) return fillPlaces(prompt, [joinOcrTokens(ocrTokens), question], 'prompt');
    return fillPlaces(prompt, choicesOf ? [question, joinChoices(choicesOf(i))] : [question], 'prompt');
  });
}

function listsOfChoices(
  choices: readonly string[] | readonly (readonly string[])[],
  questions: number,
): (question: number) => readonly string[] {
  if (isTexts(choices)) return () => choices;
  if (choices.length === questions) return question => choices[question] as readonly string[];
  throw invalidOption(`choices has ${choices.length} lists, but there are ${questions} questions`);
}

/** LAVIS' arguments of `generate`, in place of those that were not given; the settings of each prompt. */
function readOptions(
  { model, vocabulary }: Engine,
  options: PredictAnswersOptions,
): ReturnType<typeof settingsOfPrompts> {
  const { maxLen = 10, minLen = 1 } = options;
  for (const [name, own] of Object.entries(ELSEWHERE))
    if ((options as Record<string, unknown>)[name] !== undefined)
      throw invalidOption(`${name} is ${own} in predictAnswers: give that`);
  if (minLen > maxLen) throw invalidOption(`minLen = ${minLen} is more than maxLen = ${maxLen}`);
  const isEncoderDecoder = model.info.decoderStartTokenId >= 0;
  if (!isEncoderDecoder && maxLen < 2)
    throw invalidOption(`maxLen must be at least 2 for this model, because it counts the BOS, but is ${maxLen}`);
  const given = validateGenerateOptions(options, Object.keys(RULES));
  if (given.stopStrings !== undefined)
    throw new OptionError('OPTION_UNSUPPORTED', 'predictAnswers has no stopStrings: use ask, or leave them out');
  const defaults: GenerateOptions = { compat: 'lavis', ...COMPAT_PRESETS.lavis.defaults };
  const { numBeams, compat = 'lavis' } = { ...defaults, ...given };
  // Lengths that count the whole prompt would say nothing of an answer.
  const countsBos = !isEncoderDecoder && COMPAT_PRESETS[compat].contextPrefix === 'bos';
  const asked: GenerateOptions = {
    ...defaults,
    ...(numBeams === 1 ? {} : { lengthPenalty: isEncoderDecoder ? -1 : 0 }),
    ...given,
    [countsBos ? 'maxLength' : 'maxNewTokens']: maxLen,
    [countsBos || isEncoderDecoder ? 'minLength' : 'minNewTokens']: minLen,
  };
  return settingsOfPrompts(asked, model.info, vocabulary);
}

/** The picture's features, computed once, whoever asks first. */
function once(features: PictureFeatures): PictureFeatures {
  let known: Promise<Float32Array> | undefined;
  return (call: EngineCall) => {
    known ??= features(call);
    return known;
  };
}

export async function predictAnswers(
  engine: Engine,
  images: Pictures,
  questions: string | readonly string[],
  options: PredictAnswersOptions,
): Promise<PredictedAnswers> {
  const own = checkNamed(options, RULES, true);
  if ((own.applyLemmatizer as boolean | undefined) === true)
    throw new OptionError(
      'OPTION_UNSUPPORTED',
      'applyLemmatizer = true needs the lemmatizer of spaCy, which is not part of this package; leave it out',
    );
  const asked = typeof questions === 'string' ? [questions] : questions;
  if (!isTexts(asked) || asked.length === 0)
    throw invalidOption(`questions must be a text or an array of at least one text, but is ${shown(questions)}`);
  const settingsOf = readOptions(engine, options);
  const pictures = listOf(images).map(picture => once(pictureFeatures(picture)));
  const items = promptsOf(asked, own).map(text => {
    const prompt = { pictures, ...promptOf(engine, text) };
    return itemOf(engine, prompt, settingsOf(promptIdsOf(engine, prompt)));
  });
  const clock = new StageClock();
  await runBatch({ engine, clock }, items, own.signal);
  const answers = items.flatMap(({ search }) => search.hypotheses());
  const isExact = items[0]?.settings.constraint !== null;
  return {
    texts: answers.map(({ tokens }) => textOf(engine, tokens, isExact)),
    tokens: answers.map(({ tokens }) => [...tokens]),
    finishReasons: answers.map(({ stopped }) => (stopped ? 'stop' : 'length')),
    usage: usageOf(engine, items),
    timings: clock.timings(),
  };
}

function textOf({ tokenizer, model }: Engine, tokens: readonly number[], isExact: boolean): string {
  const stream = new TextStream([], model.info.cleanUpTokenizationSpaces, isExact);
  return tokens.map(id => stream.push(tokenizer.tokenText(id))).join('') + stream.finish();
}
