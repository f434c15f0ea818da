import { OptionError } from '../../errors.js';
import type { GenerateOptions } from '../generate-options.js';
import { choicesGrammar } from './choices.js';
import { Constraint } from './constraint.js';
import type { GrammarRules } from './expression.js';
import { parseGbnf } from './gbnf-parser.js';
import { jsonSchemaGrammar } from './json/json-schema.js';
import type { Vocabulary } from './vocabulary.js';

const SOURCES = ['grammar', 'jsonSchema', 'choices'] as const satisfies readonly (keyof GenerateOptions)[];

const invalid = (problem: string): OptionError => new OptionError('OPTION_INVALID', problem);

function rulesOf({ grammar, jsonSchema, choices }: GenerateOptions, vocabulary: Vocabulary): GrammarRules {
  if (grammar !== undefined) return parseGbnf(grammar);
  return jsonSchema === undefined ? choicesGrammar(choices ?? [], vocabulary) : jsonSchemaGrammar(jsonSchema);
}

/**
 * What `grammar`, `jsonSchema` or `choices` ask for; null = nothing.
 * @throws OPTION_INVALID, OPTION_UNSUPPORTED
 */
export function constraintOf(
  options: GenerateOptions,
  stopIds: readonly number[],
  vocabulary: Vocabulary | null,
): Constraint | null {
  const [name, other] = SOURCES.filter(each => options[each] !== undefined);
  if (name === undefined) return null;
  if (other !== undefined) throw invalid(`${name} and ${other} exclude each other: give one of them`);
  if ((options.stopStrings?.length ?? 0) > 0)
    throw invalid(
      `stopStrings would cut the answer, so that it is no longer what ${name} asks for: leave one of them out`,
    );
  if (stopIds.length === 0)
    throw invalid(`${name} needs an id that ends the answer, but eosTokenId is empty: name one`);
  if (vocabulary === null) throw new TypeError(`${name} needs the vocabulary of the model`);
  return new Constraint(rulesOf(options, vocabulary), vocabulary, stopIds);
}
