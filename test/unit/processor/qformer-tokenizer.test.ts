import { createHash } from 'node:crypto';
import type { NativeQFormerTokenizer } from '../../../src/native/addon.js';
import { bertWords } from '../../../src/processor/bert-words.js';
import { QFormerTokenizer } from '../../../src/processor/qformer-tokenizer.js';
import { BERT_VOCABULARY, differences, readFixture, TEXTS } from './support/reference-strings.js';

const BERT: NativeQFormerTokenizer = {
  clsTokenId: 101,
  sepTokenId: 102,
  padTokenId: 0,
  unkTokenId: 100,
  lowercase: true,
  stripAccents: true,
  tokenizeChineseChars: true,
  specialTokenIds: [0, 100, 101, 102, 103, 30522],
};
const encode = (text: string, facts: Partial<NativeQFormerTokenizer> = {}) => [
  ...new QFormerTokenizer(BERT_VOCABULARY, { ...BERT, ...facts }).encode(text),
];

describe('Q-Former tokenizer', () => {
  const tokenizer = new QFormerTokenizer(BERT_VOCABULARY, BERT);

  it('equals transformers 4.34 on 6,000 strings, with and without special tokens', () => {
    expect(TEXTS.length).toBe(6000);
    expect(differences('bert', (text, parseSpecial) => tokenizer.encode(text, { parseSpecial }))).toEqual([]);
  });

  it('treats every code point as transformers 4.34 does', () => {
    const { block, digests } = readFixture('code-points.json.gz') as { block: number; digests: string[] };
    const wrong = digests.flatMap((expected, i) => {
      const points = Array.from({ length: block }, (_, k) => i * block + k).filter(p => p < 0xd800 || p >= 0xe000);
      const lines = points.map(point => bertWords(`a${String.fromCodePoint(point)}b`, BERT).join('\x1f'));
      const hash = createHash('sha256').update(lines.join('\x1e')).digest('hex');
      return hash.slice(0, 8) === expected ? [] : [`U+${(i * block).toString(16)}`];
    });
    expect(wrong).toEqual([]);
  });

  it('keeps text in the shape of special tokens as text, unless told otherwise', () => {
    expect(encode('[SEP]')).toEqual([101, 1031, 19802, 1033, 102]);
    expect([...tokenizer.encode('a[SEP]b [DEC]', { parseSpecial: true })]).toEqual([101, 1037, 102, 1038, 30522, 102]);
  });

  it('drops surrogates without a partner', () => {
    expect(encode('a\ud800b \udc00')).toEqual(encode('ab'));
    expect(encode('\ud83d\ude00')).toEqual([101, 100, 102]);
  });

  it('follows the rules of the file, not those of BERT', () => {
    const words = (text: string, options: Partial<NativeQFormerTokenizer>) => bertWords(text, { ...BERT, ...options });
    expect(words('Été ΟΔΟΣ', {})).toEqual(['ete', 'οδοσ']);
    expect(words('Été', { lowercase: false, stripAccents: false })).toEqual(['Été']);
    expect(words('Été', { stripAccents: false })).toEqual(['été']);
    expect(words('Été', { lowercase: false })).toEqual(['Ete']);
    expect(words('a字b', {})).toEqual(['a', '字', 'b']);
    expect(words('a字b', { tokenizeChineseChars: false })).toEqual(['a字b']);
    expect(encode('what', { clsTokenId: 5, sepTokenId: 6 })).toEqual([5, 2054, 6]);
    expect(encode('😀', { unkTokenId: 7 })).toEqual([101, 7, 102]);
  });

  it('says which id is not in the vocabulary', () => {
    expect(() => encode('a', { specialTokenIds: [40000] })).toThrow(/no token 40000/);
  });
});
