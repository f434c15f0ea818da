import { OptionError } from '../../errors.js';
import { type CodePointRange, type Expression, type GrammarRules, ROOT } from './expression.js';
import { type ByteChain, ByteChains } from './utf8-chains.js';

/** One symbol of an alternative: a character, or what a rule says. */
export type GrammarSymbol =
  | { readonly ranges: readonly CodePointRange[]; readonly chains: readonly ByteChain[]; readonly rule?: undefined }
  | { readonly rule: number };

export type Alternative = readonly GrammarSymbol[];

export interface Rule {
  /** Of the named rule that it is, or is part of. */
  readonly name: string;
  alternatives: readonly Alternative[];
  /** Made of `x*`: `s ::= x s | `. That it begins with itself where x may be empty does no harm. */
  readonly isRepetition: boolean;
}

/** Rules as flat lists of symbols, with nothing nested; the first is the root. */
export type Program = readonly Rule[];

const MOST_SYMBOLS = 2_000_000;

/** Groups, choices and repetitions become rules of their own. @throws OPTION_INVALID when that makes too many */
export function makeProgram(rules: GrammarRules): Program {
  return new ProgramMaker(rules).make();
}

class ProgramMaker {
  readonly #given: GrammarRules;
  readonly #numbers = new Map<string, number>();
  readonly #rules: Rule[] = [];
  readonly #chains = new ByteChains();
  #symbols = 0;
  #name = ROOT;

  constructor(rules: GrammarRules) {
    this.#given = rules;
  }

  make(): Program {
    const names = [ROOT, ...[...this.#given.keys()].filter(name => name !== ROOT)];
    for (const name of names) {
      this.#name = name;
      this.#numbers.set(name, this.#add([]));
    }
    for (const name of names) {
      this.#name = name;
      const rule = this.#rules[this.#numbers.get(name) as number] as Rule;
      rule.alternatives = this.#alternatives(this.#given.get(name) as Expression);
    }
    return this.#rules;
  }

  #add(alternatives: readonly Alternative[], isRepetition = false): number {
    return this.#rules.push({ name: this.#name, alternatives, isRepetition }) - 1;
  }

  #alternatives(expression: Expression): Alternative[] {
    if (expression.kind === 'choice') return expression.options.flatMap(option => this.#alternatives(option));
    return [this.#sequence(expression)];
  }

  #sequence(expression: Expression): GrammarSymbol[] {
    this.#count(1);
    switch (expression.kind) {
      case 'character':
        return [{ ranges: expression.ranges, chains: this.#chains.of(expression.ranges) }];
      case 'rule':
        return [{ rule: this.#numbers.get(expression.name) as number }];
      case 'choice':
        return [{ rule: this.#add(this.#alternatives(expression)) }];
      case 'sequence':
        return expression.items.flatMap(item => this.#sequence(item));
      case 'repeat':
        return this.#repeat(this.#oneSymbol(expression.item), expression.least, expression.most);
    }
  }

  #oneSymbol(expression: Expression): GrammarSymbol {
    const symbols = this.#sequence(expression);
    return symbols.length === 1 ? (symbols[0] as GrammarSymbol) : { rule: this.#add([symbols]) };
  }

  /** `x{m,}` is m times x and `s ::= x s | `; of `x{m,n}` the rest is `r1 ::= x | `, `r2 ::= x r1 | ` and so on. */
  #repeat(item: GrammarSymbol, least: number, most: number): GrammarSymbol[] {
    this.#count(most === Number.POSITIVE_INFINITY ? least : most);
    const symbols = new Array<GrammarSymbol>(least).fill(item);
    if (most === Number.POSITIVE_INFINITY) {
      const self = this.#add([], true);
      (this.#rules[self] as Rule).alternatives = [[item, { rule: self }], []];
      return [...symbols, { rule: self }];
    }
    let rest: GrammarSymbol[] = [];
    for (let count = least; count < most; count++) rest = [{ rule: this.#add([[item, ...rest], []]) }];
    return [...symbols, ...rest];
  }

  #count(symbols: number): void {
    this.#symbols += symbols;
    if (this.#symbols > MOST_SYMBOLS)
      throw new OptionError('OPTION_INVALID', `the grammar is too large: its rule '${this.#name}' repeats too much`);
  }
}
