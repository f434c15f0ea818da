/** What each option may be. One line per option; `generation-settings.ts` says what it means. */
import { COMPAT_PRESETS } from './compat.js';
import type { GenerateOptions } from './generate-options.js';

/** A rule says in words what is allowed, and checks. */
export interface OptionRule {
  readonly expected: string;
  readonly allows: (value: unknown) => boolean;
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isInteger = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && Number(value) >= least;
const isId = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31;
const isArrayOf = (value: unknown, allows: (element: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(allows);
const isSequence = (value: unknown): boolean => isArrayOf(value, isId) && (value as unknown[]).length > 0;
const isText = (value: unknown): boolean => typeof value === 'string' && value.length > 0;

export const integer = (least: number): OptionRule => ({
  expected: `an integer of at least ${least}`,
  allows: value => isInteger(value, least),
});
const number = (expected: string, allows: (value: number) => boolean): OptionRule => ({
  expected: `a number ${expected}`,
  allows: value => isNumber(value) && allows(value),
});
/** Sequences that a session may have. */
const MOST_BEAMS = 64;
export const boolean: OptionRule = { expected: 'true or false', allows: value => typeof value === 'boolean' };
export const aText: OptionRule = { expected: 'a text', allows: value => typeof value === 'string' };
export const id: OptionRule = { expected: 'a token id', allows: isId };
const ids: OptionRule = { expected: 'an array of token ids', allows: value => isArrayOf(value, isId) };
const idOrIds: OptionRule = {
  expected: 'a token id or an array of them',
  allows: value => isId(value) || isArrayOf(value, isId),
};

/** `ask` is what a call without it gets. */
const COMPAT_NAMES: readonly string[] = Object.keys(COMPAT_PRESETS).filter(name => name !== 'ask');

export const OPTION_RULES: Readonly<Record<keyof GenerateOptions, OptionRule>> = {
  maxNewTokens: integer(1),
  minNewTokens: integer(0),
  maxLength: integer(1),
  minLength: integer(0),
  doSample: boolean,
  temperature: number('above 0 (for greedy search leave it out)', value => value > 0 && Math.fround(value) > 0),
  topK: integer(0),
  topP: number('from 0 to 1', value => value >= 0 && value <= 1),
  minP: number('from 0 to 1', value => value >= 0 && value <= 1),
  typicalP: number('above 0, at most 1', value => value > 0 && value <= 1),
  epsilonCutoff: number('from 0, below 1', value => value >= 0 && value < 1),
  etaCutoff: number('from 0, below 1', value => value >= 0 && value < 1),
  seed: integer(0),
  numBeams: {
    expected: `an integer from 1 to ${MOST_BEAMS}`,
    allows: value => isInteger(value, 1) && value <= MOST_BEAMS,
  },
  numBeamGroups: integer(1),
  diversityPenalty: number('of at least 0', value => value >= 0),
  earlyStopping: {
    expected: "true, false or 'never'",
    allows: value => typeof value === 'boolean' || value === 'never',
  },
  lengthPenalty: number('', () => true),
  repetitionPenalty: number('above 0', value => value > 0 && Math.fround(value) > 0),
  noRepeatNgramSize: integer(0),
  badWordsIds: {
    expected: 'an array of non-empty arrays of token ids',
    allows: value => isArrayOf(value, isSequence),
  },
  sequenceBias: {
    expected: 'an array of pairs [token ids, bias]',
    allows: value =>
      isArrayOf(value, pair => Array.isArray(pair) && pair.length === 2 && isSequence(pair[0]) && isNumber(pair[1])),
  },
  suppressTokens: ids,
  beginSuppressTokens: ids,
  forcedBosTokenId: id,
  forcedEosTokenId: idOrIds,
  exponentialDecayLengthPenalty: {
    expected: 'a pair [start >= 0, factor > 0]',
    allows: value =>
      Array.isArray(value) && value.length === 2 && isInteger(value[0], 0) && isNumber(value[1]) && value[1] > 0,
  },
  renormalizeLogits: boolean,
  removeInvalidValues: boolean,
  eosTokenId: idOrIds,
  bosTokenId: id,
  decoderStartTokenId: id,
  stopStrings: {
    expected: 'a non-empty text or an array of them',
    allows: value => isText(value) || isArrayOf(value, isText),
  },
  grammar: { expected: 'a text in GBNF', allows: value => typeof value === 'string' && value.length > 0 },
  jsonSchema: {
    expected: 'a JSON schema (an object)',
    allows: value => typeof value === 'object' && value !== null && !Array.isArray(value),
  },
  choices: {
    expected: 'an array of one or more non-empty texts',
    allows: value => isArrayOf(value, isText) && (value as unknown[]).length > 0,
  },
  logitsProcessors: {
    expected: 'an array of functions',
    allows: value => isArrayOf(value, element => typeof element === 'function'),
  },
  compat: {
    expected: COMPAT_NAMES.map(name => `'${name}'`).join(' or '),
    allows: value => COMPAT_NAMES.includes(value as string),
  },
};

/**
 * Options of `generate` of the Hugging Face class, with the value that asks for nothing: that one is accepted elsewhere too, so that code written for HF's
 * defaults runs; anything else is `OPTION_UNSUPPORTED` there.
 */
export const GENERATE_OPTIONS: Readonly<Record<string, unknown>> = {
  numReturnSequences: 1,
  outputScores: false,
  returnTokenScores: false,
};

/** Options of HF's `generate` that this package does not have. */
export const HF_ONLY_OPTIONS: readonly string[] = [
  'assistantModel',
  'constraints',
  'dolaLayers',
  'encoderNoRepeatNgramSize',
  'encoderRepetitionPenalty',
  'forceWordsIds',
  'forcedDecoderIds',
  'generationConfig',
  'guidanceScale',
  'logitsProcessor',
  'lowMemory',
  'maxTime',
  'negativePromptIds',
  'outputAttentions',
  'outputHiddenStates',
  'outputLogits',
  'penaltyAlpha',
  'prefixAllowedTokensFn',
  'promptLookupNumTokens',
  'returnDictInGenerate',
  'stoppingCriteria',
  'streamer',
  'syncedGpus',
  'topH',
  'useCache',
  'watermarkingConfig',
];
