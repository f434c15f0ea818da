/** The formats of strings that a grammar can check, without their quotation marks. */
import { characterOf, choice, type Expression, literal, optional, repeat, sequence } from '../expression.js';
import { digits } from './json-text.js';

const numbers = (...texts: readonly string[]): Expression => choice(...texts.map(literal));
const pair = (tens: string, ones: string): Expression => sequence(characterOf(tens), characterOf(ones));
const DASH = literal('-');

const daysTo = (last: 28 | 30 | 31): Expression => {
  const upTo29 = choice(pair('0', '1-9'), pair('1', '0-9'), pair('2', last === 28 ? '0-8' : '0-9'));
  return last === 28 ? upTo29 : choice(upTo29, pair('3', last === 30 ? '0' : '01'));
};
/** Two digits that are a multiple of four, but not 00. */
const FOURS = choice(pair('0', '48'), pair('2468', '048'), pair('13579', '26'));
const LEAP_YEAR = choice(sequence(digits(2), FOURS), sequence(choice(literal('00'), FOURS), literal('00')));
const DATE = choice(
  sequence(digits(4), DASH, numbers('01', '03', '05', '07', '08', '10', '12'), DASH, daysTo(31)),
  sequence(digits(4), DASH, numbers('04', '06', '09', '11'), DASH, daysTo(30)),
  sequence(digits(4), literal('-02-'), daysTo(28)),
  sequence(LEAP_YEAR, literal('-02-29')),
);

const HOUR = choice(pair('01', '0-9'), pair('2', '0-3'));
const SIXTIETH = pair('0-5', '0-9');
const COLON = literal(':');
const ZONE = choice(literal('Z'), sequence(characterOf('+-'), HOUR, COLON, SIXTIETH));
const SECONDS = sequence(SIXTIETH, optional(sequence(literal('.'), digits(1, 9))));
const TIME = sequence(HOUR, COLON, SIXTIETH, COLON, SECONDS, ZONE);

const hex = (count: number): Expression => repeat(characterOf('0-9a-f'), count, count);

export const FORMATS: Readonly<Record<string, Expression>> = {
  date: DATE,
  time: TIME,
  'date-time': sequence(DATE, literal('T'), TIME),
  uuid: sequence(hex(8), DASH, hex(4), DASH, hex(4), DASH, hex(4), DASH, hex(12)),
};
