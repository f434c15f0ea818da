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
    return start && this.completed(start, []);
  }

  /** `bytes`, which lead to `start`, and a short way to go on until the text may end: what leaves least open first. */
  completed(start: State, bytes: readonly number[]): string {
    const seen = new Set([start]);
    const waiting: { state: State; bytes: readonly number[] }[][] = [[{ state: start, bytes }]];
    for (;;) {
      const nearest = waiting.find(each => each?.length > 0)?.shift();
      if (!nearest) throw new Error('a state that leads nowhere');
      if (nearest.state.mayEnd) return Buffer.from(nearest.bytes).toString();
      for (let byte = 0; byte < 256; byte++) {
        const next = this.automaton.next(nearest.state, byte);
        if (next === null || seen.has(next)) continue;
        seen.add(next);
        const far = depthOf(next);
        waiting[far] ??= [];
        waiting[far].push({ state: next, bytes: [...nearest.bytes, byte] });
      }
    }
  }
}

/** How much must still come at least: rules that are open. */
function depthOf({ mayEnd, threads }: State): number {
  if (mayEnd) return 0;
  const depths = threads.map(({ stack }) => {
    let depth = 1;
    for (let at = stack; at; at = at.below) depth++;
    return depth;
  });
  return Math.min(...depths);
}
