import { OptionError } from '../../errors.js';
import type { CodePointRange } from './expression.js';
import type { Alternative, GrammarSymbol, Program, Rule } from './program.js';

/** Which characters a vocabulary can write. */
export interface Spelling {
  /** Whether it has tokens for some character of `ranges`. */
  canSpell(ranges: readonly CodePointRange[]): boolean;
}

/** Rules with an alternative of symbols that hold, where a rule holds when it is among them. */
function rulesThatHold(program: Program, holds: (ranges: readonly CodePointRange[]) => boolean): boolean[] {
  const found = program.map(() => false);
  const symbolHolds = (symbol: GrammarSymbol) =>
    symbol.rule === undefined ? holds(symbol.ranges) : found[symbol.rule];
  for (let changed = true; changed; ) {
    changed = false;
    for (const [number, { alternatives }] of program.entries()) {
      if (found[number] || !alternatives.some(symbols => symbols.every(symbolHolds))) continue;
      found[number] = true;
      changed = true;
    }
  }
  return found;
}

/**
 * The program without alternatives that no answer can complete: those that never end, and those with characters that the vocabulary does not have. So what
 * an answer has begun can always be finished, where each character has a token of its own.
 * @throws OPTION_INVALID when no text at all is possible, or for left recursion
 */
export function checkProgram(program: Program, spelling: Spelling): Program {
  checkLeftRecursion(program);
  if (!rulesThatHold(program, () => true)[0]) {
    throw new OptionError(
      'OPTION_INVALID',
      'no answer is possible: no text is what the grammar says, because its rules never end or exclude each other',
    );
  }
  const possible = rulesThatHold(program, ranges => spelling.canSpell(ranges));
  if (!possible[0]) {
    throw new OptionError(
      'OPTION_INVALID',
      `no answer is possible: the vocabulary of this model has no tokens for ${missing(program, spelling)}, which the grammar needs`,
    );
  }
  const remains = (symbols: Alternative) =>
    symbols.every(symbol => (symbol.rule === undefined ? spelling.canSpell(symbol.ranges) : possible[symbol.rule]));
  return program.map(rule => ({ ...rule, alternatives: rule.alternatives.filter(remains) }));
}

/** Some of the characters that cannot be written. */
function missing(program: Program, spelling: Spelling): string {
  const found = new Set<string>();
  for (const { alternatives } of program) {
    for (const symbol of alternatives.flat()) {
      if (symbol.rule !== undefined || spelling.canSpell(symbol.ranges)) continue;
      found.add(JSON.stringify(String.fromCodePoint(symbol.ranges[0]?.[0] ?? 0)));
      if (found.size === 5) break;
    }
  }
  return [...found].join(', ');
}

/** Rules that a rule can begin with. */
function beginnings({ alternatives, isRepetition }: Rule, number: number, mayBeEmpty: readonly boolean[]): number[] {
  const found = new Set<number>();
  for (const symbols of alternatives) {
    for (const { rule } of symbols) {
      if (rule === undefined) break;
      if (!(isRepetition && rule === number)) found.add(rule);
      if (!mayBeEmpty[rule]) break;
    }
  }
  return [...found];
}

/** A rule that begins with itself would be entered again and again before anything is read. */
function checkLeftRecursion(program: Program): void {
  const mayBeEmpty = rulesThatHold(program, () => false);
  const state: ('open' | 'done' | undefined)[] = [];
  for (const root of program.keys()) {
    // By hand, because rules of repetitions make long chains.
    const path: { number: number; next: number[] }[] = [];
    const enter = (number: number) => {
      if (state[number] === 'open') throw leftRecursion(program, [...path.map(each => each.number), number]);
      if (state[number] === 'done') return;
      state[number] = 'open';
      path.push({ number, next: beginnings(program[number] as Rule, number, mayBeEmpty) });
    };
    enter(root);
    for (let last = path.at(-1); last; last = path.at(-1)) {
      const next = last.next.pop();
      if (next !== undefined) enter(next);
      else {
        state[last.number] = 'done';
        path.pop();
      }
    }
  }
}

function leftRecursion(program: Program, path: readonly number[]): OptionError {
  const cycle = path.slice(path.indexOf(path.at(-1) as number));
  const names = [...new Set(cycle.map(number => (program[number] as Rule).name))];
  return new OptionError(
    'OPTION_INVALID',
    `the grammar is left-recursive: '${names.join("' → '")}' begins with itself; write the repetition with * or + behind what it repeats`,
  );
}
