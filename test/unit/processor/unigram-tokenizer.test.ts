import { createHash } from 'node:crypto';
import { TextStream } from '../../../src/generation/text-stream.js';
import type { NativeVocabulary } from '../../../src/native/addon.js';
import { UnigramTokenizer } from '../../../src/processor/unigram-tokenizer.js';
import { smallUnigramTokenizer } from '../support/unigram-vocabulary.js';
import { makeCharsmap } from './support/darts.js';
import { digest, readFixture } from './support/reference-strings.js';
import { nativeVocabulary, t5Vocabulary } from './support/t5-vocabulary.js';

const T5_AFFIXES = { promptBosTokenId: -1, promptEosTokenId: 1 };
const T5 = new UnigramTokenizer(t5Vocabulary(), T5_AFFIXES);
const SMALL = nativeVocabulary(smallUnigramTokenizer());
const small = (changes: Partial<NativeVocabulary>, affixes = T5_AFFIXES) =>
  new UnigramTokenizer({ ...SMALL, ...changes }, affixes);

interface Strings {
  readonly pool: readonly string[];
  readonly strings: readonly (readonly number[])[];
  readonly ids: string;
  readonly texts: string;
  /** [hf, plain] of every fourth string at the start. */
  readonly whole: readonly (readonly [readonly number[], readonly number[]])[];
}
const fixture = readFixture('t5-strings.json.gz') as Strings;
const TEXTS = fixture.strings.map(parts => parts.map(i => fixture.pool[i]).join(''));

const digestIds = (ids: readonly number[]): string => digest(new Uint8Array(Int32Array.from(ids).buffer));
const digestAt = (digests: Buffer, i: number): string => digests.subarray(4 * i, 4 * i + 4).toString('base64');
const IDS = Buffer.from(fixture.ids, 'base64');
const DECODED = Buffer.from(fixture.texts, 'base64');

function decode(ids: Iterable<number>): string {
  const stream = new TextStream([], true);
  return Array.from(ids, id => stream.push(T5.tokenText(id))).join('') + stream.finish();
}

describe('T5 tokenizer', () => {
  it(`equals transformers 4.34 on ${TEXTS.length} strings, with and without special tokens`, () => {
    expect(TEXTS.length).toBeGreaterThan(20000);
    const wrong = TEXTS.flatMap((text, i) => {
      const hf = [...T5.encode(text, { parseSpecial: true })];
      const plain = [...T5.encode(text)];
      if (digestIds([...hf, -1, ...plain]) === digestAt(IDS, i)) return [];
      return [{ text, hf, plain, expected: i % 4 === 0 ? fixture.whole[i / 4] : 'see test/reference' }];
    });
    expect(wrong).toEqual([]);
  });

  it('gives the texts that transformers 4.34 decodes those ids to', () => {
    const wrong = TEXTS.flatMap((text, i) => {
      const decoded = [true, false].map(parseSpecial => decode(T5.encode(text, { parseSpecial })));
      return digest(decoded.join('\x1f')) === digestAt(DECODED, i) ? [] : [{ text, decoded }];
    });
    expect(wrong).toEqual([]);
  });

  it('gives the texts that transformers 4.34 decodes random ids to', () => {
    const lists = readFixture('t5-decoded.json.gz') as RandomLists;
    const digests = Buffer.from(lists.digests, 'base64');
    const wrong = Array.from({ length: lists.count }, (_, i) => randomIds(lists, i)).filter(
      (ids, i) => digest(decode(ids)) !== digestAt(digests, i),
    );
    expect(wrong.map(ids => [ids, decode(ids)])).toEqual([]);
  });

  it('treats every character as transformers 4.34 does, alone and among others', () => {
    const { forms, block, blocks } = readFixture('t5-code-points.json.gz') as CodePoints;
    const wrong = blocks.filter(([start, expected]) => {
      const points = Array.from({ length: block }, (_, i) => start + i).filter(p => p < 0xd800 || p >= 0xe000);
      const texts = points.flatMap(point => forms.map(form => form.replaceAll('{}', String.fromCodePoint(point))));
      const ids = texts.flatMap(text => [...T5.encode(text, { parseSpecial: true })]);
      const hash = createHash('sha256').update(new Uint8Array(Int32Array.from(ids).buffer));
      return hash.digest('hex').slice(0, 8) !== expected;
    });
    expect(wrong).toEqual([]);
  });

  it('puts in front and behind what the vision file says', () => {
    expect([...T5.encode('a photo of')]).toEqual([3, 9, 1202, 13, 1]);
    expect([...T5.encode('')]).toEqual([1]);
    const other = new UnigramTokenizer(t5Vocabulary(), { promptBosTokenId: 7, promptEosTokenId: -1 });
    expect([...other.encode('a photo of')]).toEqual([7, 3, 9, 1202, 13]);
  });

  it('keeps text in the shape of special tokens as text, unless told otherwise', () => {
    const text = 'a</s>b <extra_id_0><image>';
    expect([...T5.encode(text)].slice(0, -1).filter(id => id < 3 || id >= 32000)).toEqual([2, 2, 2]);
    expect([...T5.encode(text, { parseSpecial: true })]).toEqual([3, 9, 1, 3, 115, 3, 32099, 32100, 1]);
  });

  it('never says more than there are as the least number of tokens, and enough to refuse a book', () => {
    const spaced = TEXTS.join(' ').slice(0, 80_000);
    const special = 'a </s> <extra_id_0>b '.repeat(6000);
    for (const text of ['', 'a'.repeat(1e5), ' '.repeat(1e5), 'a  \u0301'.repeat(3e4), special, spaced]) {
      const least = T5.leastTokens(text);
      for (const parseSpecial of [false, true])
        expect(least).toBeLessThanOrEqual(T5.encode(text, { parseSpecial }).length);
    }
    expect(T5.leastTokens('word '.repeat(1e6))).toBeGreaterThan(4096);
    expect(T5.leastTokens(spaced)).toBeGreaterThan(4096);
  });

  it('reads surrogates without a partner as U+FFFD', () => {
    expect([...T5.encode('a\ud800b\udc00')]).toEqual([...T5.encode('a\ufffdb\ufffd')]);
  });

  it.each([
    ['letters', 'a'],
    ['spaces', ' '],
    ['line feeds', '\n'],
    ['words', 'the '],
    ['unknown characters', '字'],
    ['combining marks', '\u0301'],
    ['special tokens', '</s>'],
  ])('takes 1 MB of %s in a moment', (_, piece) => {
    const text = piece.repeat(2 ** 20 / Buffer.byteLength(piece));
    const start = performance.now();
    T5.encode(text, { parseSpecial: true });
    // Measured: 0.02 to 0.3 s. Anything that is not linear takes minutes.
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe('Unigram rules', () => {
  const plain = { charsmap: new Uint8Array() };

  it('takes the path that HF takes, also of equal ones: 200 random vocabularies, 4,000 strings', () => {
    const { lattices } = readFixture('t5-lattices.json.gz') as { lattices: readonly RandomLattice[] };
    const wrong = lattices.flatMap(({ vocab, joins, prefix, texts, ids }) => {
      const tokenizer = new UnigramTokenizer(
        {
          ...SMALL,
          ...plain,
          tokens: vocab.map(([text]) => text),
          scores: Float32Array.from(vocab, ([, score]) => score),
          types: Int32Array.from(vocab, (_, id) => [3, 3, 2][id] ?? 1),
          addSpacePrefix: prefix,
          removeExtraWhitespaces: joins,
        },
        { promptBosTokenId: -1, promptEosTokenId: -1 },
      );
      const encoded = texts.map(text => [...tokenizer.encode(text, { parseSpecial: true })]);
      return texts.flatMap((text, i) => (String(encoded[i]) === String(ids[i]) ? [] : [[vocab, text, encoded[i]]]));
    });
    expect(lattices.length).toBe(200);
    expect(wrong).toEqual([]);
  });

  it('follows the rules of the file, not those of T5', () => {
    const texts = (tokenizer: UnigramTokenizer, text: string) =>
      [...tokenizer.encode(text)].map(id => SMALL.tokens[id]).join(' ');
    expect(texts(small(plain), 'the  cat')).toBe('▁the ▁cat </s>');
    expect(texts(small({ ...plain, removeExtraWhitespaces: false }), 'the  cat')).toBe('▁the ▁ ▁cat </s>');
    expect(texts(small({ ...plain, addSpacePrefix: false }), 'er the cat')).toBe('er ▁the ▁cat </s>');
    expect(texts(small({ charsmap: makeCharsmap({ the: 'a', A: 'er', '\0': 'x' }) }), 'A the')).toBe('▁ er ▁the </s>');
  });

  it('replaces a short grapheme whole by what its shortest beginning has', () => {
    const tokenizer = small({ charsmap: makeCharsmap({ '½': '1', '½\u0301': '2', e: 'a', é: 'o' }) });
    const texts = (text: string) => [...tokenizer.encode(text)].map(id => SMALL.tokens[id]).join('');
    expect(texts('½\u0301')).toBe('▁1</s>');
    // Six bytes and more: each character for itself.
    expect(texts('½\u0301\u0301')).toBe('▁1<unk></s>');
    expect(texts('ee')).toBe('▁aa</s>');
    expect(texts('é')).toBe('▁o</s>');
  });

  it('makes unknown characters their bytes when the vocabulary has all of them', () => {
    const hex = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    const bytes = Array.from({ length: 256 }, (_, byte) => hex(byte));
    const withBytes = small({
      ...plain,
      tokens: [...SMALL.tokens, ...bytes],
      scores: Float32Array.from([...SMALL.scores, ...bytes.map(() => 0)]),
      types: Int32Array.from([...SMALL.types, ...bytes.map(() => 6)]),
    });
    const ids = [...withBytes.encode('a字')];
    const first = SMALL.tokens.length;
    expect(ids.slice(-4)).toEqual([first + 0xe5, first + 0xad, first + 0x97, 1]);
    expect(withBytes.tokenText(first + 0xe5)).toEqual({ bytes: Uint8Array.of(0xe5), isByte: true });
  });

  it('has no text for special and unused tokens', () => {
    for (const id of [0, 1, 2, 32099, 32100, 32127, 32128, -1]) expect(T5.tokenText(id).bytes.length).toBe(0);
    expect(Buffer.from(T5.tokenText(1202).bytes).toString()).toBe(' photo');
  });

  it('matches user-defined tokens in every text', () => {
    const types = SMALL.types.slice();
    types[5] = 4;
    const tokenizer = small({ ...plain, types, tokens: SMALL.tokens.with(5, 'zz(y)') });
    expect([...tokenizer.encode('azz(y)')]).toContain(5);
  });
});

describe('a damaged vocabulary', () => {
  const invalid = expect.objectContaining({ code: 'MODEL_FILE_KEY_INVALID' });
  const sound = SMALL.charsmap;

  it('is refused where it is not a vocabulary', () => {
    const cases: Partial<NativeVocabulary>[] = [
      { scores: new Float32Array(3) },
      { types: new Int32Array(3) },
      { unkTokenId: -1 },
      { unkTokenId: 1e6 },
      { charsmap: Uint8Array.of(1) },
      { charsmap: Uint8Array.of(0, 0, 0, 0) },
      { charsmap: Uint8Array.of(5, 0, 0, 0, 1, 1, 1, 1, 1) },
      { charsmap: Uint8Array.of(0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0) },
      { charsmap: sound.slice(0, sound.length / 2) },
      { charsmap: Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 0xff, 0) },
      { charsmap: Uint8Array.from([4, 0, 0, 0, 0, 0, 0, 0, ...Buffer.alloc(2000, 'a')]) },
    ];
    for (const each of cases) expect(() => small(each)).toThrow(invalid);
    expect(() => small({}, { promptBosTokenId: -1, promptEosTokenId: 1e6 })).toThrow(invalid);
  });

  it('never crashes or hangs: bytes of the map changed at random', () => {
    const text = TEXTS.slice(0, 2000).join(' ').slice(0, 20000);
    for (let seed = 1; seed <= 40; seed++) {
      const charsmap = damaged(sound, seed);
      try {
        expect(small({ charsmap }).encode(text).length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toEqual(invalid);
      }
    }
  });

  it('never crashes: scores that are no numbers, empty and equal pieces, types that there are not', () => {
    const tokens = SMALL.tokens.map((text, id) => (id % 7 === 3 ? '' : id % 7 === 4 ? 'a' : text));
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38, -3e38];
    const scores = SMALL.scores.map((score, id) => (id % 3 === 0 ? (values[id % 5] as number) : score));
    const types = SMALL.types.map((type, id) => (id % 11 === 0 ? id : type));
    const text = TEXTS.slice(0, 2000).join(' ');
    expect(small({ tokens, scores, types }).encode(text, { parseSpecial: true }).length).toBeGreaterThan(0);
  });
});

interface CodePoints {
  readonly forms: readonly string[];
  readonly block: number;
  readonly blocks: readonly (readonly [start: number, digest: string])[];
}

interface RandomLattice {
  readonly vocab: readonly (readonly [text: string, score: number])[];
  readonly joins: boolean;
  readonly prefix: boolean;
  readonly texts: readonly string[];
  readonly ids: readonly (readonly number[])[];
}

interface RandomLists {
  readonly seed: number;
  readonly likely: readonly number[];
  readonly rows: number;
  readonly count: number;
  readonly digests: string;
}

/** As test/reference/tokenizers_t5.py draws them. */
function randomIds({ seed, likely, rows }: RandomLists, index: number): number[] {
  const data = createHash('sha256').update(`${seed}:${index}`).digest();
  return Array.from({ length: 1 + ((data[0] as number) % 12) }, (_, i) => {
    const word = data.readUInt16BE(2 + 2 * i);
    return word & 1 ? (likely[(word >> 1) % likely.length] as number) : (word >> 1) % rows;
  });
}

/** Some hundred bytes changed; every second time in the index alone, which so stays one. */
function damaged(bytes: Uint8Array, seed: number): Uint8Array {
  const copy = bytes.slice();
  const end = seed % 2 === 0 ? copy.length : 4 + new DataView(copy.buffer, copy.byteOffset).getUint32(0, true);
  let state = seed;
  for (let i = 0; i < 300 * seed; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    copy[4 + ((state >>> 4) % (end - 4))] = state >>> 24;
  }
  return copy;
}
