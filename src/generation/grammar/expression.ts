/** What a grammar is made of, whichever way it was written: GBNF, a JSON schema, choices. */

/** Code points from `first` to `last`, both included. */
export type CodePointRange = readonly [first: number, last: number];

export type Expression =
  /** One character out of sorted ranges that do not touch each other. */
  | { readonly kind: 'character'; readonly ranges: readonly CodePointRange[] }
  | { readonly kind: 'sequence'; readonly items: readonly Expression[] }
  | { readonly kind: 'choice'; readonly options: readonly Expression[] }
  /** `most` may be Infinity. */
  | { readonly kind: 'repeat'; readonly item: Expression; readonly least: number; readonly most: number }
  /** What the rule `name` is. */
  | { readonly kind: 'rule'; readonly name: string };

/** Rules by name. The whole text must be what the rule `root` says. */
export type GrammarRules = ReadonlyMap<string, Expression>;

export const ROOT = 'root';
export const LAST_CODE_POINT = 0x10ffff;

/** Most repetitions that can be counted; without a limit (`*`) is always possible. */
export const MOST_REPETITIONS = 100_000;

/** Sorted and joined. */
export function normalRanges(ranges: readonly CodePointRange[]): CodePointRange[] {
  const sorted = [...ranges].sort(([a], [b]) => a - b);
  const joined: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = joined.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([first, last]);
  }
  return joined;
}

/** All other code points. */
export function otherRanges(ranges: readonly CodePointRange[]): CodePointRange[] {
  const others: CodePointRange[] = [];
  let next = 0;
  for (const [first, last] of normalRanges(ranges)) {
    if (first > next) others.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST_CODE_POINT) others.push([next, LAST_CODE_POINT]);
  return others;
}

/** What `ranges` and `allowed` have in common. */
export const commonRanges = (ranges: readonly CodePointRange[], allowed: readonly CodePointRange[]): CodePointRange[] =>
  otherRanges([...otherRanges(ranges), ...otherRanges(allowed)]);

export const character = (...ranges: readonly CodePointRange[]): Expression => ({
  kind: 'character',
  ranges: normalRanges(ranges),
});

/** One of the characters of `text`; `a-z` is a range. */
export function characterOf(text: string): Expression {
  const points = Array.from(
    text.matchAll(/(.)-(.)|./gsu),
    ([all, first = all, last = all]): CodePointRange => [first.codePointAt(0) as number, last.codePointAt(0) as number],
  );
  return character(...points);
}

export const sequence = (...items: readonly Expression[]): Expression =>
  items.length === 1 ? (items[0] as Expression) : { kind: 'sequence', items };

export const choice = (...options: readonly Expression[]): Expression =>
  options.length === 1 ? (options[0] as Expression) : { kind: 'choice', options };

export const repeat = (item: Expression, least: number, most: number): Expression => ({
  kind: 'repeat',
  item,
  least,
  most,
});

export const optional = (item: Expression): Expression => repeat(item, 0, 1);

export const rule = (name: string): Expression => ({ kind: 'rule', name });

export const literal = (text: string): Expression =>
  sequence(...Array.from(text, each => character([each.codePointAt(0) as number, each.codePointAt(0) as number])));
