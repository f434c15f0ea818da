import { OptionError } from '../../errors.js';
import {
  type CodePointRange,
  character,
  choice,
  type Expression,
  type GrammarRules,
  LAST_CODE_POINT,
  literal,
  MOST_REPETITIONS,
  normalRanges,
  otherRanges,
  ROOT,
  repeat,
  rule,
  sequence,
} from './expression.js';

/** GBNF, the grammar notation of llama.cpp (its `grammars/README.md`): text → rules. Tokens (`<[id]>`) are not of it here: a grammar says what the text is. */

const NAME = /[a-zA-Z0-9-]/;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };
const HEX_ESCAPES: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const DEEPEST = 200;

/** @throws OPTION_INVALID with line, column and what was expected; OPTION_UNSUPPORTED */
export function parseGbnf(text: string): GrammarRules {
  return new GbnfParser(text).parse();
}

class GbnfParser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;
  readonly #rules = new Map<string, Expression>();
  /** Where each rule is first referred to. */
  readonly #references = new Map<string, number>();

  constructor(text: string) {
    this.#characters = Array.from(text);
  }

  parse(): GrammarRules {
    this.#skipSpace(true);
    while (this.#at < this.#characters.length) this.#rule();
    for (const [name, at] of this.#references) {
      if (!this.#rules.has(name)) throw this.#invalid(`there is no rule '${name}'`, at);
    }
    if (!this.#rules.has(ROOT)) throw this.#invalid(`there is no rule '${ROOT}', which says what the whole answer is`);
    return this.#rules;
  }

  #rule(): void {
    const start = this.#at;
    const name = this.#name();
    this.#skipSpace(false);
    for (const each of '::=') if (!this.#take(each)) throw this.#expected(`'::=' after the rule name '${name}'`);
    if (this.#rules.has(name)) throw this.#invalid(`the rule '${name}' is defined twice`, start);
    this.#skipSpace(true);
    this.#rules.set(name, this.#alternatives(false));
    if (this.#at < this.#characters.length && !this.#isNewline())
      throw this.#expected('a literal, a class, a rule name, a group, a repetition, or the end of the line');
    this.#skipSpace(true);
  }

  #alternatives(nested: boolean): Expression {
    if (++this.#depth > DEEPEST) throw this.#invalid(`groups are nested more than ${DEEPEST} deep`);
    const options = [this.#sequence(nested)];
    while (this.#take('|')) {
      this.#skipSpace(true);
      options.push(this.#sequence(nested));
    }
    this.#depth--;
    return choice(...options);
  }

  #sequence(nested: boolean): Expression {
    const items: Expression[] = [];
    for (;;) {
      const item = this.#item();
      if (!item) return sequence(...items);
      this.#skipSpace(nested);
      items.push(this.#repetitions(item, nested));
    }
  }

  #item(): Expression | null {
    const next = this.#peek();
    if (next === '"') return this.#literal();
    if (next === '[') return this.#class();
    if (next === '(') return this.#group();
    if (next === '.') {
      this.#at++;
      return character([0, LAST_CODE_POINT]);
    }
    if (next === '<' || next === '!') {
      throw new OptionError(
        'OPTION_UNSUPPORTED',
        `grammar, ${this.#position()}: tokens (<name>, <[id]>) are not supported, because a grammar says what the answer's text is; write text`,
      );
    }
    if (next !== undefined && '*+?{'.includes(next))
      throw this.#invalid(`'${next}' repeats nothing: expected a literal, a class, a rule name or a group before it`);
    return next !== undefined && NAME.test(next) ? this.#reference() : null;
  }

  #reference(): Expression {
    const start = this.#at;
    const name = this.#name();
    if (!this.#references.has(name)) this.#references.set(name, start);
    return rule(name);
  }

  #group(): Expression {
    this.#at++;
    this.#skipSpace(true);
    const inner = this.#alternatives(true);
    if (!this.#take(')')) throw this.#expected("')'");
    return inner;
  }

  #literal(): Expression {
    const start = this.#at++;
    let text = '';
    while (!this.#take('"')) {
      if (this.#peek() === undefined) throw this.#expected(`'"', the end of the literal that begins at`, start);
      text += String.fromCodePoint(this.#oneCharacter());
    }
    return literal(text);
  }

  #class(): Expression {
    const start = this.#at++;
    const negated = this.#take('^');
    const ranges: CodePointRange[] = [];
    while (!this.#take(']')) {
      if (this.#peek() === undefined) throw this.#expected("']', the end of the class that begins at", start);
      ranges.push(this.#range());
    }
    if (ranges.length === 0) throw this.#invalid('the class is empty: expected a character before the bracket', start);
    return { kind: 'character', ranges: negated ? otherRanges(ranges) : normalRanges(ranges) };
  }

  #range(): CodePointRange {
    const at = this.#at;
    const first = this.#oneCharacter();
    if (this.#peek() !== '-' || this.#characters[this.#at + 1] === ']') return [first, first];
    this.#at++;
    if (this.#peek() === undefined) throw this.#expected("']'");
    const last = this.#oneCharacter();
    if (last < first) throw this.#invalid('the range ends before it begins', at);
    return [first, last];
  }

  #oneCharacter(): number {
    const at = this.#at;
    const next = this.#characters[this.#at++] as string;
    const point = next === '\\' ? this.#escape(at) : (next.codePointAt(0) as number);
    if (point > LAST_CODE_POINT || (point >= 0xd800 && point <= 0xdfff))
      throw this.#invalid('no such character: code points are U+0000 to U+10FFFF without U+D800 to U+DFFF', at);
    return point;
  }

  #escape(start: number): number {
    const kind = this.#characters[this.#at++];
    const digits = HEX_ESCAPES[kind ?? ''];
    if (digits !== undefined) {
      const hex = this.#characters.slice(this.#at, this.#at + digits).join('');
      if (!new RegExp(`^[0-9a-fA-F]{${digits}}$`).test(hex))
        throw this.#invalid(`expected ${digits} hexadecimal digits after \\${kind}`, start);
      this.#at += digits;
      return Number.parseInt(hex, 16);
    }
    const simple = SIMPLE_ESCAPES[kind ?? ''] ?? (kind !== undefined && '\\"[]-'.includes(kind) ? kind : undefined);
    if (simple !== undefined) return simple.codePointAt(0) as number;
    throw this.#invalid(
      'unknown escape: expected \\n, \\r, \\t, \\\\, \\", \\[, \\], \\-, \\xNN, \\uNNNN or \\UNNNNNNNN',
      start,
    );
  }

  #repetitions(item: Expression, nested: boolean): Expression {
    let repeated = item;
    for (;;) {
      const next = this.#peek();
      if (next === '*') repeated = repeat(repeated, 0, Number.POSITIVE_INFINITY);
      else if (next === '+') repeated = repeat(repeated, 1, Number.POSITIVE_INFINITY);
      else if (next === '?') repeated = repeat(repeated, 0, 1);
      else if (next === '{') repeated = repeat(repeated, ...this.#counts(nested));
      else return repeated;
      this.#at++;
      this.#skipSpace(nested);
    }
  }

  /** Of `{m}`, `{m,}` and `{m,n}`; stays at the closing brace. */
  #counts(nested: boolean): [number, number] {
    const start = this.#at++;
    this.#skipSpace(nested);
    const least = this.#count();
    this.#skipSpace(nested);
    let most = least;
    if (this.#take(',')) {
      this.#skipSpace(nested);
      most = this.#peek() === '}' ? Number.POSITIVE_INFINITY : this.#count();
      this.#skipSpace(nested);
    }
    if (this.#peek() !== '}') throw this.#expected("'}' or ','");
    if (most < least)
      throw this.#invalid(`at least ${least} and at most ${most} repetitions exclude each other`, start);
    return [least, most];
  }

  #count(): number {
    const start = this.#at;
    let digits = '';
    while (/[0-9]/.test(this.#peek() ?? '')) digits += this.#characters[this.#at++];
    if (digits === '') throw this.#expected('a number of repetitions');
    if (Number(digits) > MOST_REPETITIONS)
      throw this.#invalid(`a repetition is counted to ${MOST_REPETITIONS} at most: leave the limit out`, start);
    return Number(digits);
  }

  #name(): string {
    let name = '';
    while (NAME.test(this.#peek() ?? '')) name += this.#characters[this.#at++];
    if (name === '') throw this.#expected('a rule name (letters, digits and -)');
    return name;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(wanted: string): boolean {
    const found = this.#peek() === wanted;
    if (found) this.#at++;
    return found;
  }

  #isNewline(): boolean {
    return this.#peek() === '\n' || this.#peek() === '\r';
  }

  /** Spaces and comments. */
  #skipSpace(newlines: boolean): void {
    for (;;) {
      const next = this.#peek();
      if (next === '#') while (this.#peek() !== undefined && !this.#isNewline()) this.#at++;
      else if (next === ' ' || next === '\t' || (newlines && this.#isNewline())) this.#at++;
      else return;
    }
  }

  #position(at = this.#at): string {
    const before = this.#characters
      .slice(0, at)
      .join('')
      .split(/\r\n|\r|\n/);
    return `line ${before.length}, column ${Array.from(before.at(-1) as string).length + 1}`;
  }

  #invalid(problem: string, at = this.#at): OptionError {
    return new OptionError('OPTION_INVALID', `grammar, ${this.#position(at)}: ${problem}`);
  }

  #expected(what: string, opened?: number): OptionError {
    const next = this.#peek();
    const found = next === undefined ? 'the end' : this.#isNewline() ? 'the end of the line' : `'${next}'`;
    const where = opened === undefined ? '' : ` ${this.#position(opened)}`;
    return this.#invalid(`expected ${what}${where}, but found ${found}`);
  }
}
