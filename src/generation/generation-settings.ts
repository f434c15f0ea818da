/** From validated options and the model's facts to what the loop does: defaults are filled in here and nowhere else. */
import { OptionError } from '../errors.js';
import { COMPAT_PRESETS, type CompatPreset } from './compat.js';
import type { EarlyStopping } from './finished-beams.js';
import type { GenerateOptions, UserLogitsProcessor } from './generate-options.js';
import type { Constraint } from './grammar/constraint.js';
import { constraintOf } from './grammar/constraint-of-options.js';
import type { Vocabulary } from './grammar/vocabulary.js';
import type { SequenceBias } from './sequence-bias.js';
import { type StopText, stopTextOf } from './stop-text.js';
import { shown } from './validate-options.js';

export const DEFAULT_MAX_NEW_TOKENS = 256;

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
  readonly beamLength: CompatPreset['beamLength'];
  /** How many of the best beams are answers. */
  readonly numReturnSequences: number;
  /** What a group of beams that is done is taken to choose. */
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
 * @throws OPTION_INVALID for combinations that cannot be met, ids outside the vocabulary and grammars that are wrong; OPTION_UNSUPPORTED
 */
export function interpretOptions(
  options: GenerateOptions,
  model: ModelFacts,
  vocabulary: Vocabulary | null = null,
): GenerationSettings {
  checkIds(options, model.vocabularySize);
  const preset = COMPAT_PRESETS[options.compat ?? 'ask'];
  const answerStart = answerStartOf(options, model);
  const contextPrefix =
    answerStart.length > 0 ? encoderDecoderPrefix(preset, options, answerStart) : prefixOf(preset, options, model);
  const stopIds = stopIdsOf(preset, options, model);
  const stopStrings = asList(options.stopStrings);
  const settings: GenerationSettings = {
    answerStart,
    contextPrefix,
    ...lengthsOf(options, contextPrefix.length),
    stopIds,
    stopStrings,
    stopText: stopTextOf(stopStrings, id => vocabulary?.texts[id], model.cleanUpTokenizationSpaces ?? false),
    constraint: constraintOf(options, stopIds, vocabulary),
    ...samplingOf(options, preset),
    ...beamsOf(options, preset, model),
    repetitionPenalty: options.repetitionPenalty ?? 1,
    noRepeatNgramSize: options.noRepeatNgramSize ?? 0,
    badWordsIds: options.badWordsIds ?? [],
    sequenceBias: biasesOf(options),
    suppressTokens: options.suppressTokens ?? [],
    beginSuppressTokens: options.beginSuppressTokens ?? [],
    forcedBosTokenId: options.forcedBosTokenId ?? null,
    forcedEosTokenIds: asList(options.forcedEosTokenId),
    exponentialDecay: decayOf(options),
    renormalizeLogits: options.renormalizeLogits ?? false,
    removeInvalidValues: options.removeInvalidValues ?? false,
    userProcessors: options.logitsProcessors ?? [],
  };
  checkCombinations(options, settings);
  return settings;
}

/** The same settings with another limit: a default that had to be lowered to fit the context. */
export const withMaxNewTokens = (settings: GenerationSettings, maxNewTokens: number): GenerationSettings => ({
  ...settings,
  maxNewTokens,
});

function lengthsOf(options: GenerateOptions, prefixLength: number) {
  if (options.maxLength !== undefined && options.maxNewTokens !== undefined) {
    throw new OptionError('OPTION_INVALID', 'maxLength and maxNewTokens exclude each other: give one of them');
  }
  const limit = options.maxLength === undefined ? options.maxNewTokens : options.maxLength - prefixLength;
  return {
    maxNewTokens: limit ?? DEFAULT_MAX_NEW_TOKENS,
    maxNewTokensGiven: limit !== undefined,
    minNewTokens: options.minNewTokens ?? 0,
    minLength: options.minLength ?? 0,
  };
}

function samplingOf(options: GenerateOptions, preset: CompatPreset) {
  return {
    doSample: options.doSample ?? SAMPLING_OPTIONS.some(name => options[name] !== undefined),
    seed: options.seed ?? randomSeed(),
    temperature: options.temperature ?? 1,
    topK: options.topK ?? preset.defaultTopK,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    typicalP: options.typicalP ?? 1,
    epsilonCutoff: options.epsilonCutoff ?? 0,
    etaCutoff: options.etaCutoff ?? 0,
    minTokensToKeep: (options.numBeams ?? 1) > 1 ? 2 : 1,
  };
}

function beamsOf(options: GenerateOptions, preset: CompatPreset, model: ModelFacts) {
  return {
    numBeams: options.numBeams ?? 1,
    numBeamGroups: options.numBeamGroups ?? 1,
    diversityPenalty: options.diversityPenalty ?? 0,
    earlyStopping: options.earlyStopping ?? false,
    lengthPenalty: options.lengthPenalty ?? 1,
    beamLength: preset.beamLength,
    numReturnSequences: 1,
    padTokenId: model.padTokenId >= 0 ? model.padTokenId : (model.eosTokenIds[0] ?? 0),
  };
}

function answerStartOf(options: GenerateOptions, model: ModelFacts): readonly number[] {
  if (model.decoderStartTokenId >= 0) return [options.decoderStartTokenId ?? model.decoderStartTokenId];
  if (options.decoderStartTokenId === undefined) return [];
  throw new OptionError('OPTION_INVALID', 'decoderStartTokenId has a meaning only for an encoder-decoder (T5)');
}

/** In HF the context of an encoder-decoder is the decoder's own: it begins with the start token. */
function encoderDecoderPrefix(
  preset: CompatPreset,
  options: GenerateOptions,
  answerStart: readonly number[],
): readonly number[] {
  if (options.bosTokenId !== undefined) {
    throw new OptionError(
      'OPTION_INVALID',
      'bosTokenId has no meaning for an encoder-decoder (T5), whose answers begin with decoderStartTokenId',
    );
  }
  return preset.contextPrefix === 'none' ? [] : answerStart;
}

function prefixOf(preset: CompatPreset, options: GenerateOptions, model: ModelFacts): readonly number[] {
  if (preset.contextPrefix === 'none') {
    if (options.bosTokenId === undefined) return [];
    throw new OptionError('OPTION_INVALID', "bosTokenId has a meaning only together with compat: 'hf-4.34'");
  }
  const bos = options.bosTokenId ?? model.bosTokenId;
  if (bos >= 0) return [bos];
  throw new OptionError('OPTION_INVALID', "compat: 'hf-4.34' needs bosTokenId, because the checkpoint names none");
}

function stopIdsOf(preset: CompatPreset, options: GenerateOptions, model: ModelFacts): readonly number[] {
  if (options.eosTokenId !== undefined) return [...new Set(asList(options.eosTokenId))];
  const ids = [...model.eosTokenIds];
  if (preset.stopIds === 'checkpoint-and-vocabulary') ids.push(model.vocabularyEosTokenId);
  return [...new Set(ids.filter(id => id >= 0 && id < model.vocabularySize))];
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
function checkBeams(options: GenerateOptions, settings: GenerationSettings): void {
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
  if (numBeams % numBeamGroups !== 0) throw fail(`numBeamGroups = ${numBeamGroups} must divide numBeams = ${numBeams}`);
  if (numBeamGroups > 1 && doSample)
    throw fail('numBeamGroups above 1 excludes sampling: leave out doSample and its options');
  if (numBeamGroups === 1 && settings.diversityPenalty > 0)
    throw fail('diversityPenalty has a meaning only with numBeamGroups above 1');
}

function checkCombinations(options: GenerateOptions, settings: GenerationSettings): void {
  checkBeams(options, settings);
  const total = settings.contextPrefix.length + settings.maxNewTokens;
  if (settings.maxNewTokens < 1) {
    throw new OptionError(
      'OPTION_INVALID',
      `maxLength must leave room for an answer, but is ${shown(options.maxLength)}`,
    );
  }
  if (settings.minNewTokens > settings.maxNewTokens || settings.minLength > total) {
    const name = settings.minNewTokens > settings.maxNewTokens ? 'minNewTokens' : 'minLength';
    throw new OptionError(
      'OPTION_INVALID',
      `${name} = ${shown(options[name])} is more than the longest answer (${settings.maxNewTokens} tokens)`,
    );
  }
}
