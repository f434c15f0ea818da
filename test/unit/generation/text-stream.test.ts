import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { TextStream, type TokenText } from '../../../src/generation/text-stream.js';

interface Case {
  readonly tokens: [hex: string, isByte: boolean][];
  readonly text: string;
}
const FIXTURE = join(process.cwd(), 'test', 'fixtures', 'generation', 'decoded-text.json.gz');
const cases: Case[] = JSON.parse(gunzipSync(readFileSync(FIXTURE)).toString());

const piece = (text: string): TokenText => ({ bytes: Buffer.from(text), isByte: false });
const byte = (value: number): TokenText => ({ bytes: Uint8Array.of(value), isByte: true });

function run(tokens: readonly TokenText[], stopStrings: readonly string[] = []) {
  const stream = new TextStream(stopStrings);
  const pieces: string[] = [];
  for (const token of tokens) {
    pieces.push(stream.push(token));
    if (stream.stopped) break;
  }
  return { pieces: [...pieces, stream.finish()], stopped: stream.stopped };
}

describe('TextStream', () => {
  it(`gives the text of transformers' decode(skip_special_tokens).strip() in ${cases.length} cases`, () => {
    expect(cases.length).toBeGreaterThan(300);
    for (const { tokens, text } of cases) {
      const { pieces } = run(tokens.map(([hex, isByte]) => ({ bytes: Buffer.from(hex, 'hex'), isByte })));
      expect([tokens, pieces.join('')]).toEqual([tokens, text]);
    }
  });

  it('gives whole characters only', () => {
    for (const { tokens } of cases) {
      const { pieces } = run(tokens.map(([hex, isByte]) => ({ bytes: Buffer.from(hex, 'hex'), isByte })));
      for (const each of pieces) expect(each).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
    }
  });

  it('gives a piece as soon as it is certain', () => {
    expect(run([piece(' A'), piece(' man'), piece('.')]).pieces).toEqual(['A', ' man', '.', '']);
    // The smile's four bytes are certain when something else follows.
    expect(run([piece(' a'), ...[0xf0, 0x9f, 0x99, 0x82].map(byte), piece('b')]).pieces).toEqual([
      'a',
      '',
      '',
      '',
      '',
      '🙂b',
      '',
    ]);
    expect(run([piece('a'), piece(' '), byte(10), piece('b')]).pieces).toEqual(['a', '', '', ' \nb', '']);
  });

  it('joins characters that tokens cut, as HF decodes the bytes of all tokens together', () => {
    const cut = (...tokens: number[][]) => tokens.map(bytes => ({ bytes: Uint8Array.from(bytes), isByte: false }));
    expect(run(cut([0x61, 0xf0, 0x9f], [], [0x99, 0x82, 0x62])).pieces).toEqual(['a', '', '🙂b', '']);
    expect(run(cut([0xf0, 0x9f, 0x99], [0x61])).pieces).toEqual(['', '\ufffda', '']);
    expect(run(cut([0x61, 0xe2, 0x80])).pieces).toEqual(['a', '\ufffd']);
    expect(run(cut([0x61, 0x23, 0xe2, 0x80]), ['#']).pieces).toEqual(['a', '']);
  });

  it('ends before a stop string, wherever token boundaries are', () => {
    for (const split of [['one###two'], ['one', '###', 'two'], ['one#', '#', '#two'], ['o', 'ne##', '#']]) {
      const { pieces, stopped } = run(split.map(piece), ['###']);
      expect([pieces.join(''), stopped]).toEqual(['one', true]);
    }
  });

  it('holds back what may begin a stop string, and gives it when it does not', () => {
    expect(run(['a#', '#', 'b'].map(piece), ['###']).pieces).toEqual(['a', '', '##b', '']);
    expect(run(['a#', '#'].map(piece), ['###']).pieces).toEqual(['a', '', '##']);
    expect(run(['xaab', 'c'].map(piece), ['aabd', 'abc']).pieces).toEqual(['x', 'a', '']);
  });

  it('of several stop strings the one that begins first ends the text', () => {
    expect(run([piece('abcd')], ['cd', 'bcd']).pieces.join('')).toBe('a');
  });

  it('sees a line feed at once, although it is a byte token', () => {
    const { pieces, stopped } = run([piece('one '), byte(10)], ['\n']);
    expect([pieces.join(''), stopped]).toEqual(['one', true]);
  });
});
