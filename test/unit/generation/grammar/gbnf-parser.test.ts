import { parseGbnf } from '../../../../src/generation/grammar/gbnf-parser.js';
import { Matcher } from './support.js';

const failure = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

describe('GBNF', () => {
  it.each<[string, string[], string[]]>([
    ['root ::= "a" "b" | "c"', ['ab', 'c'], ['a', 'abc', '']],
    ['root ::= "\\x41\\u00e9\\U0001F600\\n\\r\\t\\\\\\"\\[\\]\\-"', ['Aé😀\n\r\t\\"[]-'], ['A']],
    ['root ::= [a-c\\]\\-\\x30-\\x32]', ['a', 'c', ']', '-', '0', '2'], ['d', '3', '\\']],
    ['root ::= [^a-c\\n]', ['d', '\t', '😀'], ['a', '\n']],
    ['root ::= [a-]', ['a', '-'], ['b']],
    ['root ::= .', ['\n', 'é', '😀'], ['', 'ab']],
    ['root ::= ""', [''], ['a']],
    ['root ::= | "a"', ['', 'a'], ['b']],
    ['root ::= ("a" | "b")+ "c"?', ['a', 'abbac'], ['', 'c']],
    ['root ::= "ab"{2}', ['abab'], ['ab', 'ababab']],
    ['root ::= "a"{ 1 , 2 } "b"{,}', [], []],
    ['root ::= "a"{2,} "b"{0}', ['aa', 'aaaa'], ['a', 'aab']],
    ['root ::= "a" # a comment "b"\n# another\n\n  c ::= "d"', ['a'], ['ab']],
    ['root ::= (\n  "a" # first\n  | "b"\n)\n', ['a', 'b'], []],
    ['root ::= "a" |\n  "b"\n  | "c"', [], []],
    ['root ::=\n  "a" |\n  "b"', ['a', 'b'], []],
    ['root ::= a-1 B\r\na-1 ::= "x"\rB ::= "y"', ['xy'], ['x']],
    ['root::="a"b\nb::="c"', ['ac'], ['a']],
    ['root ::= "a\nb"', ['a\nb'], ['ab']],
    ['root ::= "a"*+?', ['', 'aaa'], ['b']],
  ])('%j', (grammar, accepted, refused) => {
    if (accepted.length + refused.length === 0) {
      expect(() => parseGbnf(grammar)).toThrow(failure('OPTION_INVALID', 'expected'));
      return;
    }
    const matcher = new Matcher(grammar);
    expect(accepted.filter(text => !matcher.matches(text))).toEqual([]);
    expect(refused.filter(text => matcher.matches(text))).toEqual([]);
  });

  it.each([
    ['', "line 1, column 1: there is no rule 'root'"],
    ['item ::= "a"', "there is no rule 'root'"],
    ['root = "a"', "line 1, column 6: expected '::=' after the rule name 'root', but found '='"],
    [
      'root ::= "a',
      "line 1, column 12: expected '\"', the end of the literal that begins at line 1, column 10, but found the end",
    ],
    [
      'root ::= "a"\nb ::= [a-z',
      "line 2, column 11: expected ']', the end of the class that begins at line 2, column 7",
    ],
    ['root ::= ("a" | "b"', "line 1, column 20: expected ')', but found the end"],
    [
      'root ::= "a")',
      "line 1, column 13: expected a literal, a class, a rule name, a group, a repetition, or the end of the line, but found ')'",
    ],
    ['root ::= x x\nx ::= "é😀" item', "line 2, column 12: there is no rule 'item'"],
    ['root ::= "\\q"', 'line 1, column 11: unknown escape: expected \\n'],
    ['root ::= "\\x4"', 'line 1, column 11: expected 2 hexadecimal digits after \\x'],
    ['root ::= "\\uD800"', 'line 1, column 11: no such character'],
    ['root ::= "\\U00110000"', 'no such character'],
    ['root ::= [z-a]', 'line 1, column 11: the range ends before it begins'],
    ['root ::= []', 'line 1, column 10: the class is empty'],
    ['root ::= [^]', 'the class is empty'],
    ['root ::= * "a"', "line 1, column 10: '*' repeats nothing"],
    ['root ::= "a"{', 'expected a number of repetitions, but found the end'],
    ['root ::= "a"{2,1}', 'at least 2 and at most 1 repetitions exclude each other'],
    ['root ::= "a"{1,2', "expected '}' or ',', but found the end"],
    ['root ::= "a"{1000000}', 'counted to 100000 at most'],
    ['root ::= "a"\nroot ::= "b"', "line 2, column 1: the rule 'root' is defined twice"],
    ['root ::= "a" $', "but found '$'"],
    ['::= "a"', 'line 1, column 1: expected a rule name'],
    [`root ::= ${'('.repeat(300)}`, 'nested more than 200 deep'],
  ])('refuses %j', (grammar, message) => {
    expect(() => parseGbnf(grammar)).toThrow(failure('OPTION_INVALID', message));
  });

  it.each(['root ::= <think> .*', 'root ::= <[1000]>', 'root ::= !<[7]>'])('has no tokens: %s', grammar => {
    expect(() => parseGbnf(grammar)).toThrow(failure('OPTION_UNSUPPORTED', 'line 1, column 10: tokens'));
  });
});
