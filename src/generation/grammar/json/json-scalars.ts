import { choice, type Expression, MOST_REPETITIONS, repeat } from '../expression.js';
import { FORMATS } from './json-formats.js';
import { type Bound, decimals, integers } from './json-numbers.js';
import { PatternError, patternGrammar } from './json-pattern.js';
import { anyInteger, anyNumber, anyString, quoted, STRING_CHARACTER } from './json-text.js';
import {
  type Conjunction,
  invalidSchema,
  isCount,
  isNumber,
  isText,
  type SchemaNode,
  unsupportedSchema,
  valuesOf,
} from './schema-nodes.js';

/** The largest of `keyword`'s values, or the smallest; null = there is none, or one that no answer reaches. */
export function countOf(nodes: Conjunction, keyword: string, select: 'largest' | 'smallest'): number | null {
  const counts = valuesOf(nodes, keyword, 'a whole number of at least 0', isCount).map(({ value }) => value);
  if (counts.length === 0) return null;
  if (select === 'largest') return Math.max(...counts);
  const smallest = Math.min(...counts);
  return smallest > MOST_REPETITIONS ? null : smallest;
}

/** @throws OPTION_INVALID */
export function checkCounts(nodes: Conjunction, least: number, most: number, what: string): void {
  if (least > most)
    throw invalidSchema(`allows no ${what}: at least ${least}, at most ${most}`, nodes[0]?.pointer ?? '#');
}

export function stringOf(nodes: Conjunction): Expression {
  const patterns = valuesOf(nodes, 'pattern', 'a regular expression', isText);
  const formats = valuesOf(nodes, 'format', 'a text', isText);
  const least = countOf(nodes, 'minLength', 'largest');
  const most = countOf(nodes, 'maxLength', 'smallest');
  const [content, other] = [
    ...new Map(patterns.map(each => [each.value, { ...each, keyword: 'pattern' }])).values(),
    ...new Map(formats.map(each => [each.value, { ...each, keyword: 'format' }])).values(),
  ];
  if (!content) {
    if (least === null && most === null) return anyString;
    checkCounts(nodes, least ?? 0, most ?? Number.POSITIVE_INFINITY, 'string');
    return quoted(repeat(STRING_CHARACTER, least ?? 0, most ?? Number.POSITIVE_INFINITY));
  }
  const { pointer } = content.node;
  if (other || least !== null || most !== null)
    throw unsupportedSchema(
      'together with another pattern, format or length is not supported: write one pattern that says it all',
      pointer,
      content.keyword,
    );
  return quoted(content.keyword === 'pattern' ? patternOf(content) : formatOf(content));
}

function patternOf({ value, node }: { readonly value: string; readonly node: SchemaNode }): Expression {
  if (!isRegularExpression(value)) throw invalidSchema(`is no regular expression: ${value}`, node.pointer, 'pattern');
  try {
    return patternGrammar(value);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw unsupportedSchema(`(${value}) has what is not supported: ${error.message}`, node.pointer, 'pattern');
  }
}

const isRegularExpression = (pattern: string): boolean =>
  ['u', ''].some(flags => {
    try {
      return new RegExp(pattern, flags) !== undefined;
    } catch {
      return false;
    }
  });

function formatOf({ value, node }: { readonly value: string; readonly node: SchemaNode }): Expression {
  const format = Object.hasOwn(FORMATS, value) ? FORMATS[value] : undefined;
  if (format) return format;
  throw unsupportedSchema(
    `is '${value}': supported are ${Object.keys(FORMATS).join(', ')}; or write a pattern`,
    node.pointer,
    'format',
  );
}

function boundOf(
  nodes: Conjunction,
  [inclusive, exclusive]: readonly [string, string],
  isTighter: (a: number, b: number) => boolean,
): (Bound & { readonly pointer: string }) | null {
  const read = (keyword: string, isExclusive: boolean) =>
    valuesOf(nodes, keyword, 'a number', isNumber).map(({ value, node }) => ({
      value,
      isExclusive,
      pointer: `${node.pointer}/${keyword}`,
    }));
  // Of equal ones the exclusive one.
  const bounds = [...read(exclusive, true), ...read(inclusive, false)];
  return bounds.reduce<(typeof bounds)[number] | null>(
    (best, bound) => (best === null || isTighter(bound.value, best.value) ? bound : best),
    null,
  );
}

/** Options: none where the bounds exclude each other. */
export function numberOf(nodes: Conjunction, isInteger: boolean): Expression[] {
  const least = boundOf(nodes, ['minimum', 'exclusiveMinimum'], (a, b) => a > b);
  const most = boundOf(nodes, ['maximum', 'exclusiveMaximum'], (a, b) => a < b);
  if (!least && !most) return [isInteger ? anyInteger : anyNumber];
  const fraction = [least, most].find(bound => bound && !Number.isInteger(bound.value));
  if (fraction && !isInteger)
    throw unsupportedSchema(`is ${fraction.value}: numbers may have whole bounds only`, fraction.pointer);
  const options = isInteger ? integers({ least, most }) : decimals({ least, most });
  if (options.length === 0) throw invalidSchema('allows no number', nodes[0]?.pointer ?? '#');
  return [choice(...options)];
}
