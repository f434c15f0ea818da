import { cleanUpSpaces, SpaceCleaner } from '../../../src/generation/clean-up-spaces.js';
import { TextStream, type TokenText } from '../../../src/generation/text-stream.js';
import { randomNumbers } from '../support/random.js';

/** transformers' `clean_up_tokenization`, line by line. */
const ORDER = [' .', ' ?', ' !', ' ,', " ' ", " n't", " 'm", " 's", " 've", " 're"];
const hf = (text: string): string => ORDER.reduce((clean, pattern) => clean.split(pattern).join(pattern.trim()), text);

const PARTS = [
  ' ',
  ' ',
  ' ',
  "'",
  "'",
  'n',
  't',
  'm',
  's',
  've',
  're',
  'v',
  'e',
  'r',
  '.',
  '?',
  '!',
  ',',
  'a',
  "n't",
  " ' ",
  'é',
  '\n',
];

function* randomTexts(seed: number, count: number): Generator<string[]> {
  const random = randomNumbers(seed);
  const below = (end: number): number => Math.floor(((random() + 1) / 2) * end);
  for (let i = 0; i < count; i++) {
    yield Array.from({ length: 1 + below(14) }, () =>
      Array.from({ length: 1 + below(3) }, () => PARTS[below(PARTS.length)]).join(''),
    );
  }
}

function clean(pieces: readonly string[]): string[] {
  const cleaner = new SpaceCleaner();
  return [...pieces.map(piece => cleaner.push(piece)), cleaner.finish()];
}

const piece = (text: string, atStart?: string): TokenText => ({
  bytes: Buffer.from(text),
  isByte: false,
  ...(atStart === undefined ? {} : { atStart: Buffer.from(atStart) }),
});

function stream(tokens: readonly TokenText[], stopStrings: readonly string[] = []): string[] {
  const text = new TextStream(stopStrings, true);
  return [...tokens.map(token => text.push(token)), text.finish()];
}

describe('clean-up of spaces', () => {
  it('is that of transformers, also of a text that comes in pieces: 50,000 random texts', () => {
    const wrong: unknown[] = [];
    for (const pieces of randomTexts(31, 50_000)) {
      const text = pieces.join('');
      const expected = hf(text);
      if (cleanUpSpaces(text) !== expected || clean(pieces).join('') !== expected) wrong.push({ pieces, expected });
    }
    expect(wrong).toEqual([]);
  });

  it('holds back only what some continuation would change, but for runs of spaces and those at the end', () => {
    const signs = ['', ' ', "'", 'n', 't', 'm', 's', 'e', 'x', '.'];
    const continuations = signs.flatMap(a => signs.flatMap(b => signs.map(c => a + b + c)));
    const needless: unknown[] = [];
    for (const pieces of randomTexts(32, 4000)) {
      const text = pieces.join('');
      if (/ $| {2}/.test(text)) continue;
      const given = clean(pieces).slice(0, -1).join('');
      const wholes = continuations.map(more => cleanUpSpaces(text + more)).filter(whole => whole.length > given.length);
      const next = new Set(wholes.map(whole => whole[given.length]));
      if (next.size === 1 && cleanUpSpaces(text).length > given.length)
        needless.push({ pieces, given, next: [...next] });
    }
    expect(needless).toEqual([]);
  });

  it('gives words at once', () => {
    expect(clean(['A', ' man', ' did', ' n', "'t", ' go', ' .', ' He'])).toEqual([
      'A',
      ' man',
      ' did',
      '',
      "n't",
      ' go',
      '.',
      ' He',
      '',
    ]);
    expect(clean([' ', ' ', "'", ' ', 'v', 'e', 'r'])).toEqual(['', '', '', '', '', "'ve", 'r', '']);
    expect(clean(['a n'])).toEqual(['a', ' n']);
  });
});

describe('TextStream with clean-up', () => {
  it('gives the cleaned text without white space around it', () => {
    const wrong: unknown[] = [];
    for (const pieces of randomTexts(33, 20_000)) {
      const expected = hf(pieces.join('')).trim();
      const given = stream(pieces.map(text => piece(text))).join('');
      if (given !== expected) wrong.push({ pieces, expected, given });
    }
    expect(wrong).toEqual([]);
  });

  it('finds stop strings in the text as the user sees it, wherever token boundaries are', () => {
    const wrong: unknown[] = [];
    for (const stop of ["n't", '.', 'a.', "'s a", ' n', "'ve", ' ']) {
      for (const pieces of randomTexts(34, 3000)) {
        const expected = hf(pieces.join('')).split(stop)[0]?.trim();
        const given = stream(
          pieces.map(text => piece(text)),
          [stop],
        ).join('');
        if (given !== expected) wrong.push({ stop, pieces, expected, given });
      }
    }
    expect(wrong).toEqual([]);
  });

  it('says that it stopped when the last characters complete a stop string', () => {
    const text = new TextStream([' n'], true);
    expect([text.push(piece('a n')), text.stopped]).toEqual(['a', false]);
    expect([text.finish(), text.stopped]).toEqual(['', true]);
  });

  it('takes the first token with text as it is at the start', () => {
    expect(stream([piece(''), piece(' ', ''), piece("'"), piece(' s', 's')]).join('')).toBe("' s");
    expect(stream([piece(''), piece('a'), piece(' ', ''), piece("'"), piece(' s', 's')]).join('')).toBe("a's");
  });
});
