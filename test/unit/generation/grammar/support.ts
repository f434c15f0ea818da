import { Automaton, type State } from '../../../../src/generation/grammar/automaton.js';
import { checkProgram, type Spelling } from '../../../../src/generation/grammar/check-program.js';
import type { GrammarRules } from '../../../../src/generation/grammar/expression.js';
import { parseGbnf } from '../../../../src/generation/grammar/gbnf-parser.js';
import { makeProgram } from '../../../../src/generation/grammar/program.js';

const ANY_CHARACTER: Spelling = { canSpell: ranges => ranges.length > 0 };

/** A grammar by itself, without tokens. */
export class Matcher {
  readonly automaton: Automaton;

  constructor(grammar: string | GrammarRules, spelling: Spelling = ANY_CHARACTER) {
    const rules = typeof grammar === 'string' ? parseGbnf(grammar) : grammar;
    this.automaton = new Automaton(checkProgram(makeProgram(rules), spelling));
  }

  stateOf(text: string): State | null {
    return this.automaton.read(this.automaton.start, Buffer.from(text));
  }

  matches(text: string): boolean {
    return this.stateOf(text)?.mayEnd === true;
  }

  /** A shortest way to go on until the text may end. */
  completion(text: string): string | null {
    const start = this.stateOf(text);
    if (start === null) return null;
    const seen = new Set([start]);
    const waiting: { state: State; bytes: number[] }[] = [{ state: start, bytes: [] }];
    for (const { state, bytes } of waiting) {
      if (state.mayEnd) return Buffer.from(bytes).toString();
      for (let byte = 0; byte < 256; byte++) {
        const next = this.automaton.next(state, byte);
        if (next === null || seen.has(next)) continue;
        seen.add(next);
        waiting.push({ state: next, bytes: [...bytes, byte] });
      }
    }
    return null;
  }
}
