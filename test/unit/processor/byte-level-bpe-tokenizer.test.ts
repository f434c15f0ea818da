import { createHash } from 'node:crypto';
import { TextStream } from '../../../src/generation/text-stream.js';
import type { NativeVocabulary } from '../../../src/native/addon.js';
import { ByteLevelBpeTokenizer } from '../../../src/processor/byte-level-bpe-tokenizer.js';
import { byteLevelWords } from '../../../src/processor/byte-level-words.js';
import { smallBpeVocabulary, tokensOf } from '../support/bpe-vocabulary.js';
import { digest, digestIds, digestsOf, optTexts, optVocabulary, randomIds, reference } from './support/opt-strings.js';

const NOTHING = { promptBosTokenId: -1, promptEosTokenId: -1 };
const BOS = { promptBosTokenId: 2, promptEosTokenId: -1 };

const vocabulary = optVocabulary();
const tokenizer = new ByteLevelBpeTokenizer(vocabulary, BOS);
const bare = new ByteLevelBpeTokenizer(vocabulary, NOTHING);
const prefixed = new ByteLevelBpeTokenizer({ ...vocabulary, addSpacePrefix: true }, NOTHING);
const texts = optTexts();

/** A vocabulary of a few hundred tokens, some of them as `changes` says. */
function small(changes: Partial<NativeVocabulary> = {}): NativeVocabulary {
  const { merges } = smallBpeVocabulary();
  const tokens = tokensOf(smallBpeVocabulary());
  return { ...vocabulary, tokens, types: new Int32Array(tokens.length).fill(1), merges, ...changes };
}

function decode(ids: Iterable<number>, cleanUpSpaces: boolean): string {
  const stream = new TextStream([], cleanUpSpaces);
  let text = '';
  for (const id of ids) text += stream.push(tokenizer.tokenText(id));
  return text + stream.finish();
}

describe('byte-level BPE tokenizer', () => {
  it(`equals transformers 4.34 on ${reference.count} strings: with and without special tokens, and with a space in front`, () => {
    expect(texts.length).toBeGreaterThanOrEqual(20_000);
    const expected = digestsOf(reference.ids);
    const wrong = texts.flatMap((text, i) => {
      const hf = [...tokenizer.encode(text, { parseSpecial: true })];
      const [plain, spaced] = [[...bare.encode(text)], [...prefixed.encode(text)]];
      if (digestIds([...hf, -1, ...plain, -1, ...spaced]) === expected[i]) return [];
      return [{ text, hf, plain, spaced, expected: i % 4 === 0 ? reference.whole[i / 4] : 'see test/reference' }];
    });
    expect(wrong).toEqual([]);
  });

  it('decodes them, streamed token by token, as transformers does, with and without cleaning up', () => {
    const expected = digestsOf(reference.decoded);
    const wrong = texts.filter((text, i) => {
      const ids = bare.encode(text);
      return digest(decode(ids, false)) !== expected[2 * i] || digest(decode(ids, true)) !== expected[2 * i + 1];
    });
    expect(wrong).toEqual([]);
  });

  it('decodes random ids, whose bytes are often no UTF-8, as transformers does', () => {
    const expected = digestsOf(reference.randomDecoded);
    const lists = randomIds(vocabulary.tokens.length);
    const decoded = [false, true].map(cleanUp => lists.map(ids => decode(ids, cleanUp)));
    expect(decoded[0]?.filter(text => text.includes('\ufffd')).length).toBeGreaterThan(1000);
    const wrong = lists.filter((_, i) => decoded.some((text, k) => digest(text[i] as string) !== expected[2 * i + k]));
    expect(wrong).toEqual([]);
  });

  it('splits every code point from its neighbours as transformers does', () => {
    const { block, digests } = reference.codePoints;
    const wrong = digests.flatMap((expected, i) => {
      const points = Array.from({ length: block }, (_, k) => i * block + k).filter(p => p < 0xd800 || p >= 0xe000);
      const lines = points.map(point => {
        const c = String.fromCodePoint(point);
        return [...byteLevelWords(`a${c}1${c}!${c}\n${c} a`)].join('\x1f');
      });
      const hash = createHash('sha256').update(lines.join('\x1e')).digest('hex');
      return hash.slice(0, 8) === expected ? [] : [`U+${(i * block).toString(16)}`];
    });
    expect(wrong).toEqual([]);
  });

  it('takes a surrogate without its partner for U+FFFD', () => {
    expect(bare.encode('a\ud800b \udc00')).toEqual(bare.encode('a\ufffdb \ufffd'));
    expect(bare.encode('\ud83d\ude00')).toEqual(bare.encode('😀'));
  });

  it('puts tokens in front and behind as told', () => {
    const both = new ByteLevelBpeTokenizer(vocabulary, { promptBosTokenId: 0, promptEosTokenId: 2 });
    expect([...both.encode('')]).toEqual([0, 2]);
    expect([...both.encode('!')]).toEqual([0, 4, 2]);
    expect([...bare.encode('')]).toEqual([]);
    expect(() => new ByteLevelBpeTokenizer(vocabulary, { ...NOTHING, promptEosTokenId: 60_000 })).toThrow(/60000/);
  });

  it('shows no text of special and unused tokens, and added ones as they are', () => {
    const tokens = [...small().tokens, '<cap> é', '[PAD322]', '<x>'];
    const types = Int32Array.from(tokens, () => 1);
    types.set([4, 5, 3], tokens.length - 3);
    const own = new ByteLevelBpeTokenizer(small({ tokens, types }), NOTHING);
    const shown = (id: number) => Buffer.from(own.tokenText(id).bytes).toString();
    expect([tokens.length - 3, tokens.length - 2, tokens.length - 1, tokens.length, -1].map(shown)).toEqual([
      '<cap> é',
      '',
      '',
      '',
      '',
    ]);
    expect([...own.encode('<cap> é')]).toEqual([tokens.length - 3]);
    expect(own.encode('[PAD322]').length).toBe(8);
    expect([...own.encode('<x>', { parseSpecial: true })]).toEqual([tokens.length - 1]);
    expect(own.encode('<x>').length).toBe(3);
    expect(shown(tokens.indexOf('Ġthe'))).toBe(' the');
  });

  it('drops bytes that the vocabulary does not have, as HF does: their neighbours may then be merged', () => {
    const tokens = ['a', 'b', 'ab'];
    const own = new ByteLevelBpeTokenizer(small({ tokens, types: Int32Array.of(1, 1, 1), merges: ['a b'] }), NOTHING);
    expect([...own.encode('axb yabz')]).toEqual([2, 2]);
    expect(own.leastTokens('x'.repeat(1000))).toBe(0);
  });

  it('never says more than there are as the least number of tokens, and enough to refuse a megabyte', () => {
    for (const text of texts) {
      expect(tokenizer.leastTokens(text)).toBeLessThanOrEqual(tokenizer.encode(text, { parseSpecial: true }).length);
    }
    expect(tokenizer.leastTokens('a'.repeat(1e6))).toBeGreaterThan(2048);
  });

  it('says which merge is not of the vocabulary', () => {
    for (const merge of ['Ġ nothing', 'x', 'a b c', 'q z', '']) {
      expect(() => new ByteLevelBpeTokenizer(small({ merges: ['Ġ t', merge] }), NOTHING)).toThrow(
        expect.objectContaining({ code: 'MODEL_FILE_KEY_INVALID', message: expect.stringContaining(`'${merge}'`) }),
      );
    }
  });

  it.each([
    ['one letter', 'a'],
    ['spaces', ' '],
    ['line feeds', '\n'],
    ['letters', 'supercalifragilisticexpialidocious'],
    ['text', "It's 12 o'clock: the cat — isn't it? — sleeps.\n"],
    ['emoji', '😀'],
    ['special tokens', '</s>'],
  ])('is fast for a megabyte of %s', (_, piece) => {
    const text = piece.repeat(1e6 / Buffer.byteLength(piece));
    const seconds = (run: () => void): number => {
      const start = performance.now();
      run();
      return (performance.now() - start) / 1000;
    };
    // Ten times the text, about ten times the time: were it squared, 100 times, and minutes.
    const part = Math.min(...[1, 2, 3].map(() => seconds(() => bare.encode(text.slice(0, text.length / 10)))));
    const whole = seconds(() => bare.encode(text, { parseSpecial: true }));
    expect(whole).toBeLessThan(Math.max(40 * part, 0.5));
  });

  it('takes ten megabytes in one word', () => {
    expect(bare.encode(' '.repeat(1e7)).length).toBe(1e7);
  });
});
