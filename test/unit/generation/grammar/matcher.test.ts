import { randomNumbers } from '../../support/random.js';
import { Matcher } from './support.js';

/** A regular language in both notations, with one of its texts drawn at random. */
interface Regular {
  readonly gbnf: string;
  readonly pattern: string;
  readonly sample: () => string;
}

const ALPHABET = ['a', 'b', 'é', '"', '😀'];

function randomLanguages(seed: number) {
  const random = randomNumbers(seed);
  const below = (bound: number): number => Math.floor(((random() + 1) / 2) * bound);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const quoted = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;

  const leaf = (): Regular => {
    const kind = below(4);
    if (kind === 0) return { gbnf: '.', pattern: '[^]', sample: () => pick(ALPHABET) };
    if (kind === 1) {
      const inside = [pick(ALPHABET), pick(ALPHABET)];
      const others = ALPHABET.filter(each => !inside.includes(each));
      return { gbnf: `[^${inside.join('')}]`, pattern: `[^${inside.join('')}]`, sample: () => pick(others) };
    }
    if (kind === 2) return { gbnf: '[a-é]', pattern: '[a-é]', sample: () => pick(['a', 'b', 'é']) };
    const text = Array.from({ length: below(3) }, () => pick(ALPHABET)).join('');
    return { gbnf: quoted(text), pattern: `(?:${text})`, sample: () => text };
  };

  const repeated = (inner: Regular): Regular => {
    const least = below(3);
    const most = least + below(3);
    const [counts, limit] = pick<[string, [number, number]]>([
      ['*', [0, 4]],
      ['+', [1, 4]],
      ['?', [0, 1]],
      [`{${least}}`, [least, least]],
      [`{${least},}`, [least, least + 3]],
      [`{${least},${most}}`, [least, most]],
    ]);
    const times = () => limit[0] + below(limit[1] - limit[0] + 1);
    return {
      gbnf: `(${inner.gbnf})${counts}`,
      pattern: `(?:${inner.pattern})${counts}`,
      sample: () => Array.from({ length: times() }, inner.sample).join(''),
    };
  };

  const language = (depth: number): Regular => {
    if (depth === 0) return leaf();
    const parts = Array.from({ length: 1 + below(3) }, () => language(depth - 1));
    const kind = below(3);
    if (kind === 0) return repeated(parts[0] as Regular);
    if (kind === 1)
      return {
        gbnf: `(${parts.map(part => part.gbnf).join(' | ')})`,
        pattern: `(?:${parts.map(part => part.pattern).join('|')})`,
        sample: () => pick(parts).sample(),
      };
    return {
      gbnf: parts.map(part => part.gbnf).join(' '),
      pattern: parts.map(part => part.pattern).join(''),
      sample: () => parts.map(part => part.sample()).join(''),
    };
  };

  return {
    next: () => language(1 + below(3)),
    text: () => Array.from({ length: below(6) }, () => pick(ALPHABET)).join(''),
  };
}

const prefixesOf = (text: string): string[] => {
  const characters = [...text];
  return characters.map((_, end) => characters.slice(0, end).join(''));
};

describe('a grammar says the same as a regular expression', () => {
  it.each([1, 2, 3, 4])('on random languages and texts (%i)', seed => {
    const languages = randomLanguages(seed);
    let accepted = 0;
    let refused = 0;
    for (let i = 0; i < 150; i++) {
      const { gbnf, pattern, sample } = languages.next();
      const matcher = new Matcher(`root ::= ${gbnf}`);
      const expression = new RegExp(`^(?:${pattern})$`, 'u');
      for (let n = 0; n < 8; n++) {
        const text = sample();
        expect([gbnf, text, expression.test(text), matcher.matches(text)]).toEqual([gbnf, text, true, true]);
        expect(prefixesOf(text).filter(prefix => matcher.stateOf(prefix) === null)).toEqual([]);
      }
      for (let n = 0; n < 12; n++) {
        const text = languages.text();
        const matches = expression.test(text);
        expect([gbnf, text, matcher.matches(text)]).toEqual([gbnf, text, matches]);
        if (matches) accepted++;
        else refused++;
        // What can go on leads somewhere, and what cannot is the beginning of nothing.
        const rest = matcher.completion(text);
        if (rest !== null) expect([gbnf, text + rest, expression.test(text + rest)]).toEqual([gbnf, text + rest, true]);
        else expect([gbnf, text, expression.test(text + languages.text())]).toEqual([gbnf, text, false]);
      }
    }
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });

  it('on every code point, at the ends of ranges and of lengths in UTF-8', () => {
    const points = [0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x3ffff, 0x40000];
    points.push(0xfffff, 0x100000, 0x10ffff, 0x100, 0xabcd, 0x12345, 0x61);
    const hex = (point: number): string => `\\U${point.toString(16).padStart(8, '0')}`;
    for (const first of points) {
      for (const last of points.filter(point => point >= first)) {
        const inside = new Matcher(`root ::= [${hex(first)}-${hex(last)}]`);
        const outside = new Matcher(`root ::= "x" | [^${hex(first)}-${hex(last)}]`);
        for (const point of points.flatMap(each => [each - 1, each, each + 1])) {
          if (point < 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) || point === 0x78) continue;
          const text = String.fromCodePoint(point);
          const isInside = point >= first && point <= last;
          expect([first, last, point, inside.matches(text), outside.matches(text)]).toEqual([
            first,
            last,
            point,
            isInside,
            !isInside,
          ]);
        }
      }
    }
  });

  it('refuses bytes that are no UTF-8', () => {
    const { automaton } = new Matcher('root ::= .*');
    const bad = [[0x80], [0xc0, 0x80], [0xe0, 0x80], [0xed, 0xa0], [0xf0, 0x8f], [0xf4, 0x90], [0xf5], [0xc3, 0x41]];
    for (const bytes of bad) expect(automaton.read(automaton.start, Uint8Array.from(bytes))).toBeNull();
    // The beginning of a character is no text yet.
    expect(automaton.read(automaton.start, Uint8Array.of(0xc3))?.mayEnd).toBe(false);
  });
});

describe('recursion', () => {
  it('follows nested brackets to any depth', () => {
    const matcher = new Matcher('root ::= "(" root* ")" | "[" root* "]"');
    const deep = `${'(['.repeat(500)}${'])'.repeat(500)}`;
    expect(matcher.matches(deep)).toBe(true);
    expect(matcher.matches(deep.slice(0, -1))).toBe(false);
    expect(matcher.stateOf('([)')).toBeNull();
  });

  it('repetitions of what may be empty are no trouble', () => {
    for (const grammar of [
      'root ::= ("a"*)*',
      'root ::= ("a"? "b"?)+',
      'root ::= ("" | "a" | ("b"*)+){2,}',
      'root ::= (x y)* "."? \nx ::= "a"?\ny ::= x x',
      'root ::= ("a"?){1000} "b"*',
    ]) {
      const matcher = new Matcher(grammar);
      expect([grammar, matcher.matches(''), matcher.matches('aaaa'), matcher.matches('c')]).toEqual([
        grammar,
        true,
        true,
        false,
      ]);
    }
  });

  it('the state of a repetition does not grow', () => {
    const matcher = new Matcher('root ::= [a-z]+ (", " [a-z]+)*');
    expect(matcher.stateOf('abc, de')).toBe(matcher.stateOf(`${'word, '.repeat(200)}x`));
  });

  it('counts far', () => {
    const matcher = new Matcher('root ::= [a-z]{20000,50000}');
    expect(['a'.repeat(19999), 'a'.repeat(20000), 'a'.repeat(50000)].map(text => matcher.matches(text))).toEqual([
      false,
      true,
      true,
    ]);
    expect(matcher.stateOf('a'.repeat(50001))).toBeNull();
  });
});

const failure = (message: RegExp) =>
  expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(message) });

describe('grammars that cannot be', () => {
  it.each([
    ['root ::= root "a" | "b"', /left-recursive: 'root' begins with itself/],
    ['root ::= a\na ::= b "x" | "y"\nb ::= a | "z"', /left-recursive: 'a' → 'b' begins/],
    ['root ::= s root "a" | "b"\ns ::= " "*', /left-recursive: 'root'/],
    ['root ::= root', /left-recursive/],
    ['root ::= (root "a")*', /left-recursive/],
    ['root ::= "a" root', /its rules never end/],
    ['root ::= "a"{100000} (b{100000} b{100000}){3}\nb ::= "x"{100000}', undefined],
    [`root ::= ${'"a"{100000} '.repeat(21)}`, /too large/],
  ])('%s', (grammar, message) => {
    if (message) expect(() => new Matcher(grammar)).toThrow(failure(message));
    else expect(() => new Matcher(grammar)).not.toThrow();
  });

  it('alternatives that never end are left out', () => {
    const matcher = new Matcher('root ::= "a" loop | "b"\nloop ::= "x" loop');
    expect(matcher.stateOf('a')).toBeNull();
    expect(matcher.matches('b')).toBe(true);
  });
});
