import { inspect } from 'node:util';
import { OptionError } from '../../errors.js';
import type { Spelling } from './check-program.js';
import { choice, type GrammarRules, literal, ROOT } from './expression.js';

/** The answer is one of `texts`. @throws OPTION_INVALID for one that the vocabulary cannot write: it would never be chosen */
export function choicesGrammar(texts: readonly string[], spelling: Spelling): GrammarRules {
  for (const text of texts) {
    const missing = Array.from(text, each => each.codePointAt(0) as number).find(
      point => !spelling.canSpell([[point, point]]),
    );
    if (missing === undefined) continue;
    const shown = JSON.stringify(String.fromCodePoint(missing));
    throw new OptionError(
      'OPTION_INVALID',
      `choices: ${inspect(text)} is impossible: the vocabulary of this model has no tokens for ${shown}`,
    );
  }
  return new Map([[ROOT, choice(...[...new Set(texts)].map(literal))]]);
}
