/** Numbers between bounds, digit by digit. */
import { character, choice, type Expression, literal, optional, sequence } from '../expression.js';
import { digits } from './json-text.js';

export interface Bound {
  readonly value: number;
  /** The value itself is not allowed. */
  readonly isExclusive: boolean;
}

export interface Bounds {
  readonly least: Bound | null;
  readonly most: Bound | null;
}

/** Digits of numbers that are bounded on one side only. */
const MOST_DIGITS = 15;
const MOST_DECIMALS = 6;
const abs = (value: bigint): bigint => (value < 0n ? -value : value);
const largest = (a: bigint, b: bigint): bigint => (a > b ? a : b);
/** Larger than what stands on the other side of a range, with a digit to spare. */
const farFrom = (value: bigint): bigint => 10n ** BigInt(Math.max(MOST_DIGITS, String(abs(value)).length + 1)) - 1n;

const digit = (first: string, last: string): Expression => character([first.charCodeAt(0), last.charCodeAt(0)]);
const neighbour = (of: string, by: number): string => String.fromCharCode(of.charCodeAt(0) + by);

/** Strings of digits from `from` to `to`, which have the same length. */
function sameLength(from: string, to: string): Expression {
  if (/^0*$/.test(from) && /^9*$/.test(to)) return digits(from.length);
  const [first, last] = [from[0] as string, to[0] as string];
  if (first === last) return sequence(literal(first), sameLength(from.slice(1), to.slice(1)));
  const rest = from.length - 1;
  const options = [sequence(literal(first), sameLength(from.slice(1), '9'.repeat(rest)))];
  if (neighbour(first, 1) < last) options.push(sequence(digit(neighbour(first, 1), neighbour(last, -1)), digits(rest)));
  return choice(...options, sequence(literal(last), sameLength('0'.repeat(rest), to.slice(1))));
}

/** Integers from `from` to `to`, neither below zero. */
function naturals(from: bigint, to: bigint): Expression[] {
  const options: Expression[] = [];
  for (let length = String(from).length; length <= String(to).length; length++) {
    const shortest = length === 1 ? 0n : 10n ** BigInt(length - 1);
    const first = from > shortest ? from : shortest;
    const end = 10n ** BigInt(length) - 1n;
    options.push(sameLength(String(first), String(to < end ? to : end)));
  }
  return options;
}

const minus = (magnitude: Expression): Expression => sequence(literal('-'), magnitude);

/** Integers that the bounds allow; no option where there are none. */
export function integers({ least, most }: Bounds): Expression[] {
  const low = least && BigInt(Math.ceil(least.value)) + (least.isExclusive && Number.isInteger(least.value) ? 1n : 0n);
  const high = most && BigInt(Math.floor(most.value)) - (most.isExclusive && Number.isInteger(most.value) ? 1n : 0n);
  const from = low ?? -farFrom(high ?? 0n);
  const to = high ?? farFrom(low ?? 0n);
  if (from > to) return [];
  const positive = to >= 0n ? naturals(largest(from, 0n), to) : [];
  const negative = from < 0n ? naturals(largest(-to, 1n), -from).map(minus) : [];
  return [...positive, ...negative];
}

const FRACTION = optional(sequence(literal('.'), digits(1, MOST_DECIMALS)));
const FRACTION_ABOVE_ZERO = sequence(literal('.'), digits(0, MOST_DECIMALS - 1), digit('1', '9'));
const FRACTION_OF_ZEROS = optional(literal('.0'));

interface Edge {
  readonly value: bigint;
  readonly isExclusive: boolean;
}

/** Decimal numbers from `from` to `to`, neither below zero. */
function magnitudes(from: Edge, to: Edge): Expression[] {
  const options: Expression[] = [];
  const wholeFrom = from.isExclusive ? from.value + 1n : from.value;
  if (from.isExclusive && from.value < to.value)
    options.push(sequence(literal(String(from.value)), FRACTION_ABOVE_ZERO));
  if (wholeFrom < to.value) options.push(...naturals(wholeFrom, to.value - 1n).map(whole => sequence(whole, FRACTION)));
  if (!to.isExclusive && wholeFrom <= to.value) options.push(sequence(literal(String(to.value)), FRACTION_OF_ZEROS));
  return options;
}

/** Numbers that the bounds allow, which are whole. */
export function decimals({ least, most }: Bounds): Expression[] {
  const edge = (bound: Bound): Edge => ({ value: BigInt(bound.value), isExclusive: bound.isExclusive });
  const low = least ? edge(least) : { value: -farFrom(BigInt(most?.value ?? 0)), isExclusive: false };
  const high = most ? edge(most) : { value: farFrom(BigInt(least?.value ?? 0)), isExclusive: false };
  const zero: Edge = { value: 0n, isExclusive: false };
  const opposite = ({ value, isExclusive }: Edge): Edge => ({ value: -value, isExclusive });
  const positive = high.value >= 0n ? magnitudes(low.value >= 0n ? low : zero, high) : [];
  const aboveZero: Edge = { value: 0n, isExclusive: true };
  const negative = low.value < 0n ? magnitudes(high.value < 0n ? opposite(high) : aboveZero, opposite(low)) : [];
  return [...positive, ...negative.map(minus)];
}
