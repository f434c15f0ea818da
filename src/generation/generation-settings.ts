/** From validated options and the model's facts to what the loop does: defaults are filled in here and nowhere else. */
import { OptionError } from '../errors.js';
import { type BeamPolicy, COMPAT_PRESETS, type CompatPreset } from './compat.js';
import { answerStartOf, contextPrefixOf, type PromptIds } from './context-prefix.js';
import type { EarlyStopping } from './finished-beams.js';
import type { GenerateOptions, UserLogitsProcessor } from './generate-options.js';
import type { Constraint } from './grammar/constraint.js';
import { constraintOf } from './grammar/constraint-of-options.js';
import type { Vocabulary } from './grammar/vocabulary.js';
import type { SequenceBias } from './sequence-bias.js';
import { type StopText, stopTextOf } from './stop-text.js';
import { shown } from './validate-options.js';

/** What generation needs to know of a model. */
export interface ModelFacts {
  readonly vocabularySize: number;
  /** The checkpoint's BOS, -1 = none. */
  readonly bosTokenId: number;
  /** What the decoder of an encoder-decoder starts with; -1 = decoder-only. */
  readonly decoderStartTokenId: number;
  /** -1 = none. */
  readonly padTokenId: number;
  /** The checkpoint's stop ids. */
  readonly eosTokenIds: readonly number[];
  /** The vocabulary's `</s>`, -1 = none. */
  readonly vocabularyEosTokenId: number;
  /** Decoded text is cleaned up; missing = false. */
  readonly cleanUpTokenizationSpaces?: boolean;
}

/** Everything interpreted: no field is optional, "off" is a value. */
export interface GenerationSettings {
  /** Tokens that the model reads as the beginning of the answer: an encoder-decoder's start token. */
  readonly answerStart: readonly number[];
  /** Tokens that processors see before the first generated one. */
  readonly contextPrefix: readonly number[];
  readonly maxNewTokens: number;
  /** Whether the caller set the limit; a default may be lowered to fit the context. */
  readonly maxNewTokensGiven: boolean;
  readonly minNewTokens: number;
  readonly minLength: number;
  readonly stopIds: readonly number[];
  readonly stopStrings: readonly string[];
  /** Finds them; null = there are none. */
  readonly stopText: StopText | null;
  /** What the answer has to be; null = anything. */
  readonly constraint: Constraint | null;
  readonly doSample: boolean;
  readonly seed: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly typicalP: number;
  readonly epsilonCutoff: number;
  readonly etaCutoff: number;
  /** 1 = no beam search. */
  readonly numBeams: number;
  readonly numBeamGroups: number;
  readonly diversityPenalty: number;
  readonly earlyStopping: EarlyStopping;
  readonly lengthPenalty: number;
  readonly beamPolicy: BeamPolicy;
  /** How many of the best beams are answers. */
  readonly numReturnSequences: number;
  /** What fills rows of answers up, and what a group of beams that is done is taken to choose. */
  readonly padTokenId: number;
  /** Tokens that every sampling filter must leave. */
  readonly minTokensToKeep: number;
  readonly repetitionPenalty: number;
  readonly noRepeatNgramSize: number;
  readonly badWordsIds: readonly (readonly number[])[];
  readonly sequenceBias: readonly SequenceBias[];
  readonly suppressTokens: readonly number[];
  readonly beginSuppressTokens: readonly number[];
  readonly forcedBosTokenId: number | null;
  readonly forcedEosTokenIds: readonly number[];
  readonly exponentialDecay: { readonly start: number; readonly factor: number } | null;
  readonly renormalizeLogits: boolean;
  readonly removeInvalidValues: boolean;
  readonly removesMinusInfinity: boolean;
  /** Whether rows of answers have 2 for each 0. */
  readonly twoForZero: CompatPreset['twoForZero'];
  readonly userProcessors: readonly UserLogitsProcessor[];
}

/** Options that make a call sample when `doSample` is not given. */
const SAMPLING_OPTIONS = ['temperature', 'topK', 'topP', 'minP', 'typicalP', 'epsilonCutoff', 'etaCutoff'] as const;

const asList = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T];

const randomSeed = (): number => Math.floor(Math.random() * 2 ** 53);

/**
 * Interprets options that `validateGenerateOptions` let through.
 * @param vocabulary what the model's tokens are in text; null where no option needs it
 * @returns the settings of each prompt, which have all but what depends on its ids in common
 * @throws OPTION_INVALID for combinations that cannot be met, ids outside the vocabulary and grammars that are wrong; OPTION_UNSUPPORTED
 */
export function settingsOfPrompts(
  options: GenerateOptions,
  model: ModelFacts,
  vocabulary: Vocabulary | null = null,
): (prompt: PromptIds) => GenerationSettings {
  checkIds(options, model.vocabularySize);
  const preset = COMPAT_PRESETS[options.compat ?? 'ask'];
  const filled = { ...preset.defaults, ...options };
  const answerStart = answerStartOf(options, model);
  const stopIds = stopIdsOf(preset, options, model);
  const stopStrings = asList(options.stopStrings);
  const common = {
    answerStart,
    stopIds,
    stopStrings,
    stopText: stopTextOf(stopStrings, id => vocabulary?.texts[id], model.cleanUpTokenizationSpaces ?? false),
    constraint: constraintOf(options, stopIds, vocabulary),
    ...samplingOf(options, filled),
    ...beamsOf(filled, preset, stopIds, model),
    repetitionPenalty: filled.repetitionPenalty ?? 1,
    noRepeatNgramSize: filled.noRepeatNgramSize ?? 0,
    badWordsIds: filled.badWordsIds ?? [],
    sequenceBias: biasesOf(filled),
    suppressTokens: filled.suppressTokens ?? [],
    beginSuppressTokens: filled.beginSuppressTokens ?? [],
    forcedBosTokenId: filled.forcedBosTokenId ?? null,
    forcedEosTokenIds: asList(filled.forcedEosTokenId),
    exponentialDecay: decayOf(filled),
    renormalizeLogits: filled.renormalizeLogits ?? false,
    removeInvalidValues: filled.removeInvalidValues ?? false,
    removesMinusInfinity: preset.removesMinusInfinity,
    twoForZero: preset.twoForZero,
    userProcessors: filled.logitsProcessors ?? [],
  };
  checkBeams(filled, common);
  return prompt => {
    const contextPrefix = contextPrefixOf(options, preset, model, answerStart, prompt);
    const counted = answerStart.length > 0 && preset.encoderDecoderMaxLength === 'answer' ? 0 : contextPrefix.length;
    const settings = { ...common, contextPrefix, ...lengthsOf(options, filled, preset, counted) };
    checkLengths(filled, settings);
    return settings;
  };
}

/** Without a prompt's ids there is no preset that needs them. */
const noPrompt: PromptIds = () => {
  throw new TypeError('the preset needs the ids of the prompt');
};

/** `settingsOfPrompts` of one prompt. */
export const interpretOptions = (
  options: GenerateOptions,
  model: ModelFacts,
  vocabulary: Vocabulary | null = null,
  prompt: PromptIds = noPrompt,
): GenerationSettings => settingsOfPrompts(options, model, vocabulary)(prompt);

/** The same settings with another limit: a default that had to be lowered to fit the context. */
export const withMaxNewTokens = (settings: GenerationSettings, maxNewTokens: number): GenerationSettings => ({
  ...settings,
  maxNewTokens,
});

/** `counted`: tokens before the answer that `maxLength` counts. */
function lengthsOf(options: GenerateOptions, filled: GenerateOptions, preset: CompatPreset, counted: number) {
  if (options.maxLength !== undefined && options.maxNewTokens !== undefined) {
    throw new OptionError('OPTION_INVALID', 'maxLength and maxNewTokens exclude each other: give one of them');
  }
  const maxNewTokensGiven = options.maxLength !== undefined || options.maxNewTokens !== undefined;
  const { maxLength, maxNewTokens = Number.NaN } = maxNewTokensGiven ? options : preset.defaultLength;
  return {
    maxNewTokens: maxLength === undefined ? maxNewTokens : maxLength - counted,
    maxNewTokensGiven,
    minNewTokens: filled.minNewTokens ?? 0,
    minLength: filled.minLength ?? 0,
  };
}

function samplingOf(options: GenerateOptions, filled: GenerateOptions) {
  return {
    doSample: filled.doSample ?? SAMPLING_OPTIONS.some(name => options[name] !== undefined),
    seed: options.seed ?? randomSeed(),
    temperature: filled.temperature ?? 1,
    topK: filled.topK ?? 0,
    topP: filled.topP ?? 1,
    minP: filled.minP ?? 0,
    typicalP: filled.typicalP ?? 1,
    epsilonCutoff: filled.epsilonCutoff ?? 0,
    etaCutoff: filled.etaCutoff ?? 0,
  };
}

function beamsOf(filled: GenerateOptions, preset: CompatPreset, stopIds: readonly number[], model: ModelFacts) {
  const numBeams = filled.numBeams ?? 1;
  const beamPolicy = preset.beams;
  const pads = model.padTokenId >= (numBeams > 1 && beamPolicy.padding === 'pad-but-0' ? 1 : 0);
  return {
    numBeams,
    numBeamGroups: filled.numBeamGroups ?? 1,
    diversityPenalty: filled.diversityPenalty ?? 0,
    earlyStopping: filled.earlyStopping ?? false,
    lengthPenalty: filled.lengthPenalty ?? 1,
    beamPolicy,
    numReturnSequences: 1,
    padTokenId: pads ? model.padTokenId : (stopIds[0] ?? 0),
    minTokensToKeep: numBeams === 1 ? 1 : beamPolicy.keptByFilters === 'two' ? 2 : Math.max(2, 1 + stopIds.length),
  };
}

function stopIdsOf(preset: CompatPreset, options: GenerateOptions, model: ModelFacts): readonly number[] {
  if (options.eosTokenId !== undefined) return [...new Set(asList(options.eosTokenId))];
  const known = (ids: readonly number[]) => [...new Set(ids.filter(id => id >= 0 && id < model.vocabularySize))];
  const ofVocabulary = known([model.vocabularyEosTokenId]);
  if (preset.stopIds === 'vocabulary' && ofVocabulary.length > 0) return ofVocabulary;
  return known([...model.eosTokenIds, ...(preset.stopIds === 'checkpoint-and-vocabulary' ? ofVocabulary : [])]);
}

function biasesOf(options: GenerateOptions): readonly SequenceBias[] {
  // As HF's dictionary: of two entries for the same sequence the last one counts.
  const bySequence = new Map((options.sequenceBias ?? []).map(([ids, bias]) => [ids.join(), { ids, bias }]));
  return [...bySequence.values()];
}

function decayOf(options: GenerateOptions): GenerationSettings['exponentialDecay'] {
  const pair = options.exponentialDecayLengthPenalty;
  return pair === undefined ? null : { start: pair[0], factor: pair[1] };
}

function checkIds(options: GenerateOptions, vocabularySize: number): void {
  const named: Record<string, readonly number[]> = {
    badWordsIds: (options.badWordsIds ?? []).flat(),
    sequenceBias: (options.sequenceBias ?? []).flatMap(([ids]) => ids),
    suppressTokens: options.suppressTokens ?? [],
    beginSuppressTokens: options.beginSuppressTokens ?? [],
    forcedBosTokenId: asList(options.forcedBosTokenId),
    forcedEosTokenId: asList(options.forcedEosTokenId),
    eosTokenId: asList(options.eosTokenId),
    bosTokenId: asList(options.bosTokenId),
    decoderStartTokenId: asList(options.decoderStartTokenId),
  };
  for (const [name, ids] of Object.entries(named)) {
    const outside = ids.find(id => id >= vocabularySize);
    if (outside !== undefined) {
      throw new OptionError(
        'OPTION_INVALID',
        `${name} names token ${outside}, but the vocabulary has ${vocabularySize} tokens`,
      );
    }
  }
}

/** Options of beam search that would have no effect, or none that can be met. */
function checkBeams(
  options: GenerateOptions,
  settings: Pick<GenerationSettings, 'numBeams' | 'numBeamGroups' | 'doSample' | 'diversityPenalty' | 'beamPolicy'>,
): void {
  const { numBeams, numBeamGroups, doSample } = settings;
  const fail = (problem: string) => new OptionError('OPTION_INVALID', problem);
  if (numBeams === 1) {
    const neutral = { numBeamGroups: 1, diversityPenalty: 0, earlyStopping: false, lengthPenalty: 1 } as const;
    for (const name of Object.keys(neutral) as (keyof typeof neutral)[]) {
      if ((options[name] ?? neutral[name]) !== neutral[name])
        throw fail(`${name} = ${shown(options[name])} has a meaning only with numBeams above 1`);
    }
    return;
  }
  if (numBeamGroups > 1 && !settings.beamPolicy.groups)
    throw new OptionError(
      'OPTION_UNSUPPORTED',
      `numBeamGroups = ${numBeamGroups}: compat: '${options.compat}' has no groups of beams, as transformers has none any more; leave it out`,
    );
  if (numBeams % numBeamGroups !== 0) throw fail(`numBeamGroups = ${numBeamGroups} must divide numBeams = ${numBeams}`);
  if (numBeamGroups > 1 && doSample)
    throw fail('numBeamGroups above 1 excludes sampling: leave out doSample and its options');
  if (numBeamGroups === 1 && settings.diversityPenalty > 0)
    throw fail('diversityPenalty has a meaning only with numBeamGroups above 1');
}

function checkLengths(options: GenerateOptions, settings: GenerationSettings): void {
  const { maxNewTokens, contextPrefix } = settings;
  const fail = (problem: string) => new OptionError('OPTION_INVALID', problem);
  if (maxNewTokens < 1)
    throw fail(
      `maxLength must leave room for an answer behind the ${contextPrefix.length} tokens that it counts, but is ${shown(options.maxLength)}`,
    );
  if (settings.minNewTokens > maxNewTokens || settings.minLength > contextPrefix.length + maxNewTokens) {
    const name = settings.minNewTokens > maxNewTokens ? 'minNewTokens' : 'minLength';
    throw fail(`${name} = ${shown(options[name])} is more than the longest answer (${maxNewTokens} tokens)`);
  }
}
