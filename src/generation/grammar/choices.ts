import { choice, type GrammarRules, literal, ROOT } from './expression.js';

/** The answer is one of `texts`. */
export const choicesGrammar = (texts: readonly string[]): GrammarRules =>
  new Map([[ROOT, choice(...[...new Set(texts)].map(literal))]]);
