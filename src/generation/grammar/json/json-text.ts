/** How JSON is written: expressions that the types of a schema are made of. */
import {
  type CodePointRange,
  character,
  characterOf,
  choice,
  commonRanges,
  type Expression,
  LAST_CODE_POINT,
  literal,
  optional,
  otherRanges,
  repeat,
  rule,
  sequence,
} from '../expression.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ANY: CodePointRange = [0, LAST_CODE_POINT];
const LAST_CONTROL = 0x1f;
/** Characters that stand for themselves in a string. */
const PLAIN = otherRanges([
  [0, LAST_CONTROL],
  [QUOTE, QUOTE],
  [BACKSLASH, BACKSLASH],
]);
const ESCAPED = [...Array.from({ length: LAST_CONTROL + 1 }, (_, point) => point), QUOTE, BACKSLASH];

/** Any number of `item`. */
export const many = (item: Expression): Expression => repeat(item, 0, Number.POSITIVE_INFINITY);

export const digits = (least: number, most = least): Expression => repeat(characterOf('0-9'), least, most);

/** What may stand between the parts of objects and arrays, as in llama.cpp's converter: nothing, a space, or a new line and its indentation. */
const SPACE_RULE = 'space';
export const SPACE = rule(SPACE_RULE);

export const COMMA = sequence(literal(','), SPACE);

const hex = (count: number): Expression => repeat(characterOf('0-9a-fA-F'), count, count);

/** One UTF-16 unit that is no surrogate, or two that are a character. */
const UNICODE_ESCAPE = sequence(
  literal('u'),
  choice(
    sequence(characterOf('0-9a-cA-CeEfF'), hex(3)),
    sequence(characterOf('dD'), characterOf('0-7'), hex(2)),
    sequence(
      characterOf('dD'),
      characterOf('89abAB'),
      hex(2),
      literal('\\u'),
      characterOf('dD'),
      characterOf('c-fC-F'),
      hex(2),
    ),
  ),
);

/** One character of a string, however it is written. */
const CHARACTER_RULE = 'string character';
export const STRING_CHARACTER = rule(CHARACTER_RULE);

/** One character of `ranges` in a string, written as JSON.stringify does. */
export function charactersInString(ranges: readonly CodePointRange[]): Expression {
  const isWithin = (point: number) => ranges.some(([first, last]) => first <= point && point <= last);
  const escapes = ESCAPED.filter(isWithin).map(point =>
    literal(JSON.stringify(String.fromCharCode(point)).slice(1, -1)),
  );
  return choice({ kind: 'character', ranges: commonRanges(ranges, PLAIN) }, ...escapes);
}

export const ANY_CHARACTER_IN_STRING = charactersInString([ANY]);

export const quoted = (content: Expression): Expression => sequence(literal('"'), content, literal('"'));

const plain = character(...PLAIN);

/** Text without escapes that is none of `names`. */
function otherText(names: readonly (readonly string[])[]): Expression {
  const nexts = [...new Set(names.flatMap(([next]) => (next === undefined ? [] : [next])))];
  const points = nexts.map((next): CodePointRange => [next.codePointAt(0) as number, next.codePointAt(0) as number]);
  const options = nexts.map(next =>
    sequence(literal(next), otherText(names.filter(([first]) => first === next).map(name => name.slice(1)))),
  );
  const different = sequence({ kind: 'character', ranges: commonRanges(PLAIN, otherRanges(points)) }, many(plain));
  const isName = names.some(name => name.length === 0);
  return choice(...options, different, ...(isName ? [] : [literal('')]));
}

/** A key that is none of `names`. It has no escapes, with which one of them could be written differently. */
export function keyOtherThan(names: readonly string[]): Expression {
  const writable = names.filter(name => JSON.stringify(name) === `"${name}"`);
  return quoted(otherText(writable.map(name => Array.from(name))));
}

export const VALUE_RULE = 'any value';
const OBJECT_RULE = 'any object';
const ARRAY_RULE = 'any array';
const STRING_RULE = 'any string';
export const anyValue = rule(VALUE_RULE);
export const anyObject = rule(OBJECT_RULE);
export const anyArray = rule(ARRAY_RULE);
export const anyString = rule(STRING_RULE);

const listOf = (item: Expression): Expression => optional(sequence(item, many(sequence(COMMA, item))));
const WHOLE = choice(literal('0'), sequence(characterOf('1-9'), digits(0, 14)));

export const anyInteger = choice(literal('0'), sequence(optional(literal('-')), characterOf('1-9'), digits(0, 14)));
export const anyNumber = sequence(
  optional(literal('-')),
  WHOLE,
  optional(sequence(literal('.'), digits(1, 15))),
  optional(sequence(characterOf('eE'), optional(characterOf('+-')), digits(1, 2))),
);
export const BOOLEAN = choice(literal('true'), literal('false'));
export const NULL = literal('null');

/** What a grammar of JSON refers to: JSON without a schema, and parts of it. */
export const ANY_RULES: readonly (readonly [name: string, rule: Expression])[] = [
  [VALUE_RULE, choice(anyObject, anyArray, anyString, anyNumber, BOOLEAN, NULL)],
  [
    OBJECT_RULE,
    sequence(literal('{'), SPACE, listOf(sequence(anyString, literal(':'), SPACE, anyValue)), SPACE, literal('}')),
  ],
  [ARRAY_RULE, sequence(literal('['), SPACE, listOf(anyValue), SPACE, literal(']'))],
  [STRING_RULE, quoted(many(STRING_CHARACTER))],
  [CHARACTER_RULE, choice(plain, sequence(literal('\\'), choice(characterOf('"\\/bfnrt'), UNICODE_ESCAPE)))],
  [SPACE_RULE, choice(literal(''), literal(' '), sequence(literal('\n'), repeat(characterOf(' \t'), 0, 20)))],
];
