/** Settings of `generate` that checkpoints from before `generation_config.json` keep among the language model's fields, where transformers still finds them. */
import { snakeCase } from './given-values.js';
import type { TextConfig } from './instruct-blip-config.js';
import { LlamaConfig } from './llama-config.js';

/** Those that say something here; all language models have them, with the same defaults. */
const NAMES = [
  'maxLength',
  'minLength',
  'doSample',
  'earlyStopping',
  'numBeams',
  'numBeamGroups',
  'diversityPenalty',
  'temperature',
  'topK',
  'topP',
  'typicalP',
  'repetitionPenalty',
  'lengthPenalty',
  'noRepeatNgramSize',
  'badWordsIds',
  'numReturnSequences',
  'forcedBosTokenId',
  'forcedEosTokenId',
  'removeInvalidValues',
  'exponentialDecayLengthPenalty',
  'suppressTokens',
  'beginSuppressTokens',
] as const satisfies readonly (keyof TextConfig)[];

export type GenerationFields = { readonly [Name in (typeof NAMES)[number]]?: NonNullable<TextConfig[Name]> };

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Those that differ from what transformers does anyway. */
export function generationFieldsOf(config: TextConfig): GenerationFields {
  const usual = new LlamaConfig();
  const differing = NAMES.filter(name => config[name] !== null && !isSame(config[name], usual[name]));
  return Object.fromEntries(differing.map(name => [name, config[name]]));
}

/** Those of a JSON `text_config` of any language model. @throws ConfigError */
export function readGenerationFields(json: Readonly<Record<string, unknown>>): GenerationFields {
  const names = NAMES.map(snakeCase).filter(name => json[name] !== undefined);
  return generationFieldsOf(LlamaConfig.fromJSON(Object.fromEntries(names.map(name => [name, json[name]]))));
}
