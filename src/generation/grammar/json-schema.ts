import { OptionError } from '../../errors.js';
import type { GrammarRules } from './expression.js';

export function jsonSchemaGrammar(_schema: Readonly<Record<string, unknown>>): GrammarRules {
  throw new OptionError('OPTION_UNSUPPORTED', 'jsonSchema comes in a later release');
}
