/** Regular expressions of JSON schemas (`pattern`): those that are regular, as grammars of what stands between the quotation marks. */
import {
  type CodePointRange,
  choice,
  type Expression,
  LAST_CODE_POINT,
  MOST_REPETITIONS,
  normalRanges,
  otherRanges,
  repeat,
  sequence,
} from '../expression.js';
import { ANY_CHARACTER_IN_STRING, charactersInString, many } from './json-text.js';

const DIGITS: readonly CodePointRange[] = [[0x30, 0x39]];
const WORD: readonly CodePointRange[] = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const LINE_ENDS: readonly CodePointRange[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
/** `\s` of JavaScript. */
const WHITE_SPACE: readonly CodePointRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const CLASSES: Readonly<Record<string, readonly CodePointRange[]>> = {
  d: DIGITS,
  D: otherRanges(DIGITS),
  w: WORD,
  W: otherRanges(WORD),
  s: WHITE_SPACE,
  S: otherRanges(WHITE_SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };
const DEEPEST = 100;

/** What a pattern has that is not supported; the message says what. */
export class PatternError extends Error {}

/** @throws PatternError */
export const patternGrammar = (pattern: string): Expression => new PatternParser(pattern).parse();

class PatternParser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  /** A pattern is looked for anywhere, unless `^` and `$` say otherwise. */
  parse(): Expression {
    const anywhere = many(ANY_CHARACTER_IN_STRING);
    const options: Expression[] = [];
    do {
      const before = this.#take('^') ? [] : [anywhere];
      const inside = this.#sequence();
      const behind = this.#take('$') ? [] : [anywhere];
      options.push(sequence(...before, inside, ...behind));
    } while (this.#take('|'));
    if (this.#at < this.#characters.length) throw this.#unsupported();
    return choice(...options);
  }

  #alternatives(): Expression {
    if (++this.#depth > DEEPEST) throw new PatternError(`groups more than ${DEEPEST} deep`);
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    this.#depth--;
    return choice(...options);
  }

  #sequence(): Expression {
    const items: Expression[] = [];
    for (let item = this.#item(); item !== null; item = this.#item()) items.push(this.#repeated(item));
    return sequence(...items);
  }

  #item(): Expression | null {
    const next = this.#characters[this.#at];
    if (next === undefined || '|)^$'.includes(next)) return null;
    if ('*+?{}]'.includes(next)) throw this.#unsupported();
    this.#at++;
    if (next === '(') return this.#group();
    if (next === '[') return charactersInString(this.#class());
    if (next === '.') return charactersInString(otherRanges(LINE_ENDS));
    return charactersInString(next === '\\' ? this.#escape() : pointOf(next));
  }

  #group(): Expression {
    if (this.#take('?')) this.#groupKind();
    const inner = this.#alternatives();
    if (!this.#take(')')) throw this.#unsupported();
    return inner;
  }

  /** `(?:…)` and `(?<name>…)` are groups like others; `(?=…)` and the like are not. */
  #groupKind(): void {
    if (this.#take(':')) return;
    const rest = this.#characters.slice(this.#at).join('');
    const name = /^<\w+>/.exec(rest)?.[0];
    if (name === undefined) throw new PatternError(`(?${rest.slice(0, 2)}`);
    this.#at += name.length;
  }

  #class(): CodePointRange[] {
    const isNegated = this.#take('^');
    const ranges: CodePointRange[] = [];
    while (!this.#take(']')) {
      const first = this.#classItem();
      const isRange = this.#characters[this.#at] === '-' && this.#characters[this.#at + 1] !== ']';
      if (!isRange) {
        ranges.push(...first);
        continue;
      }
      this.#at++;
      ranges.push([single(first), single(this.#classItem())]);
    }
    return isNegated ? otherRanges(ranges) : normalRanges(ranges);
  }

  #classItem(): readonly CodePointRange[] {
    const next = this.#characters[this.#at++];
    if (next === undefined) throw this.#unsupported();
    if (next !== '\\') return pointOf(next);
    return this.#take('b') ? [[8, 8]] : this.#escape();
  }

  /** Behind the backslash. */
  #escape(): readonly CodePointRange[] {
    const kind = this.#characters[this.#at++] ?? '';
    const known = CLASSES[kind];
    if (known) return known;
    const control = CONTROLS[kind];
    const digit = /[0-9]/.test(this.#characters[this.#at] ?? '');
    if (control !== undefined && !(kind === '0' && digit)) return [[control, control]];
    const hex = /^(x[0-9a-f]{2}|u[0-9a-f]{4}|u\{[0-9a-f]{1,6}\})/i.exec(
      this.#characters.slice(this.#at - 1).join(''),
    )?.[0];
    if (hex !== undefined && 'xu'.includes(kind)) {
      this.#at += hex.length - 1;
      const point = Number.parseInt(hex.replace(/^.\{?/, ''), 16);
      if (point <= LAST_CODE_POINT && !(point >= 0xd800 && point <= 0xdfff)) return [[point, point]];
    } else if (/^[^a-zA-Z0-9]$/u.test(kind)) return pointOf(kind);
    throw new PatternError(`\\${hex ?? kind}`);
  }

  #repeated(item: Expression): Expression {
    const counts = this.#counts();
    if (!counts) return item;
    // Lazy or not, the texts are the same.
    this.#take('?');
    if (Math.max(counts[0], Number.isFinite(counts[1]) ? counts[1] : 0) > MOST_REPETITIONS)
      throw new PatternError(`more than ${MOST_REPETITIONS} repetitions`);
    return repeat(item, ...counts);
  }

  #counts(): [number, number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (this.#characters[this.#at] !== '{') return null;
    const braces = /^\{(\d+)(,(\d*))?\}/.exec(this.#characters.slice(this.#at).join(''));
    if (!braces) throw this.#unsupported();
    this.#at += braces[0].length;
    const least = Number(braces[1]);
    if (braces[2] === undefined) return [least, least];
    return [least, braces[3] === '' ? Number.POSITIVE_INFINITY : Number(braces[3])];
  }

  #take(wanted: string): boolean {
    const found = this.#characters[this.#at] === wanted;
    if (found) this.#at++;
    return found;
  }

  #unsupported(): PatternError {
    return new PatternError(`${this.#characters[this.#at] ?? 'its end'} at character ${this.#at + 1}`);
  }
}

function pointOf(each: string): readonly CodePointRange[] {
  const point = each.codePointAt(0) as number;
  return [[point, point]];
}

/** An end of a range in a class. */
function single(ranges: readonly CodePointRange[]): number {
  const [[first, last] = [0, 1], other] = ranges;
  if (other || first !== last) throw new PatternError('a range of classes');
  return first;
}
