import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOKEN_TYPES } from '../../src/convert/base-vocabulary.js';
import { type GraphVocabulary, graphTokenizerMetadata } from '../../src/convert/graph-vocabulary.js';
import { readUnigramVocabulary } from '../../src/convert/unigram-vocabulary.js';
import { TextStream } from '../../src/generation/text-stream.js';
import { UnigramTokenizer } from '../../src/processor/unigram-tokenizer.js';
import { readFixture } from './processor/support/reference-strings.js';
import { t5Vocabulary } from './processor/support/t5-vocabulary.js';
import { realUnigramTokenizer, smallUnigramTokenizer, unigramTokenizerConfig } from './support/unigram-vocabulary.js';

/** A folder, and what transformers 4.34 makes of it: test/reference/tokenizers_t5_folders.py. */
interface ReferenceFolder {
  readonly name: string;
  /** base64. */
  readonly files: Readonly<Record<string, string>>;
  readonly size: number;
  readonly special: readonly number[];
  readonly ids: readonly (readonly number[])[];
  readonly texts: readonly string[];
}
const REFERENCE = readFixture('t5-folders.json.gz') as {
  readonly texts: readonly string[];
  readonly folders: readonly ReferenceFolder[];
};

const root = mkdtempSync(join(tmpdir(), 'instructblip-t5-'));
let folders = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

function folderOf(files: Readonly<Record<string, string | Buffer | object>>): string {
  const folder = join(root, String(folders++));
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    const raw = typeof content === 'string' || Buffer.isBuffer(content);
    writeFileSync(join(folder, name), raw ? content : JSON.stringify(content));
  }
  return folder;
}

const fromReference = ({ files }: ReferenceFolder): string =>
  folderOf(Object.fromEntries(Object.entries(files).map(([name, data]) => [name, Buffer.from(data, 'base64')])));

const byName = (name: string): ReferenceFolder =>
  REFERENCE.folders.find(folder => folder.name === name) as ReferenceFolder;

const tokenizerOf = (vocabulary: GraphVocabulary): UnigramTokenizer =>
  new UnigramTokenizer(
    {
      ...vocabulary,
      kind: 't5',
      tokens: vocabulary.tokens.map(({ text }) => text),
      scores: Float32Array.from(vocabulary.tokens, ({ score }) => score),
      types: Int32Array.from(vocabulary.tokens, ({ type }) => type),
      unkTokenId: vocabulary.unknownTokenId,
    },
    vocabulary,
  );

function decode(tokenizer: UnigramTokenizer, vocabulary: GraphVocabulary, ids: readonly number[]): string {
  const stream = new TextStream([], vocabulary.cleanUpSpaces);
  return ids.map(id => stream.push(tokenizer.tokenText(id))).join('') + stream.finish();
}

describe('a folder with a Unigram tokenizer', () => {
  it.each(
    REFERENCE.folders.map(folder => [folder.name, folder] as const),
  )('makes the ids and texts of transformers 4.34: %s', async (_, folder) => {
    const { size, special, ids, texts } = folder;
    const vocabulary = await readUnigramVocabulary(fromReference(folder), size + 5, -1);
    const tokenizer = tokenizerOf(vocabulary);
    const encoded = REFERENCE.texts.map(text => [...tokenizer.encode(text, { parseSpecial: true })]);
    expect(encoded).toEqual(ids);
    expect(ids.map(each => decode(tokenizer, vocabulary, each))).toEqual(texts);
    const { control, unknown, unused } = TOKEN_TYPES;
    const ofTypes = (...types: number[]) =>
      vocabulary.tokens.flatMap(({ type }, id) => (types.includes(type) ? [id] : []));
    expect(ofTypes(control, unknown)).toEqual(special);
    expect(ofTypes(unused)).toEqual([0, 1, 2, 3, 4].map(i => size + i));
  });

  it('is the same from spiece.model and from the tokenizer.json that transformers makes of it', async () => {
    const both = ['spiece', 'saved-fast-json'].map(name => readUnigramVocabulary(fromReference(byName(name)), 300, -1));
    const [spiece, json] = await Promise.all(both);
    expect(json).toEqual(spiece);
  });

  it("is flan-t5's from its tokenizer.json", async () => {
    const json = realUnigramTokenizer();
    const image = { ...json.added_tokens[0], id: 32100, content: '<image>' };
    const files = {
      'tokenizer.json': { ...json, added_tokens: [...json.added_tokens, image] },
      'tokenizer_config.json': unigramTokenizerConfig(100),
    };
    const vocabulary = await readUnigramVocabulary(folderOf(files), 32128, 32100);
    const native = t5Vocabulary();
    expect(vocabulary.tokens.map(({ text }) => text)).toEqual(native.tokens);
    expect(vocabulary.tokens.map(({ type }) => type)).toEqual([...native.types]);
    expect(Float32Array.from(vocabulary.tokens, ({ score }) => score)).toEqual(native.scores);
    expect(Buffer.compare(vocabulary.charsmap, native.charsmap)).toBe(0);
    expect(vocabulary).toMatchObject({
      addSpacePrefix: true,
      removeExtraWhitespaces: true,
      bosTokenId: -1,
      eosTokenId: 1,
      unknownTokenId: 2,
      padTokenId: 0,
      promptBosTokenId: -1,
      promptEosTokenId: 1,
      cleanUpSpaces: true,
    });
  });

  it('keeps the image token from users even where no file says that it is special', async () => {
    const json = smallUnigramTokenizer();
    const id = json.model.vocab.length;
    const image = { ...json.added_tokens[0], id, content: '<image>', special: false };
    const folder = folderOf({ 'tokenizer.json': { ...json, added_tokens: [...json.added_tokens, image] } });
    expect((await readUnigramVocabulary(folder, id + 1, id)).tokens[id]?.type).toBe(TOKEN_TYPES.control);
    expect((await readUnigramVocabulary(folder, id + 1, -1)).tokens[id]?.type).toBe(TOKEN_TYPES.userDefined);
    // Without a row it can never be used.
    expect((await readUnigramVocabulary(folder, id, id)).tokens.length).toBe(id);
  });

  it('is written as the keys of docs/gguf.md', async () => {
    const vocabulary = await readUnigramVocabulary(fromReference(byName('spiece')), 300, -1);
    const entries = new Map(graphTokenizerMetadata(vocabulary).map(({ key, type, value }) => [key, { type, value }]));
    const value = (name: string) => entries.get(`tokenizer.ggml.${name}`)?.value;
    expect([...entries.keys()].every(key => key.startsWith('tokenizer.ggml.'))).toBe(true);
    expect(value('model')).toBe('t5');
    expect(value('tokens')).toHaveLength(300);
    expect(value('token_type')).toHaveLength(300);
    expect(value('scores')).toHaveLength(300);
    expect(value('precompiled_charsmap')).toEqual(vocabulary.charsmap);
    expect([value('eos_token_id'), value('unknown_token_id'), value('padding_token_id')]).toEqual([1, 2, 0]);
    expect(entries.has('tokenizer.ggml.bos_token_id')).toBe(false);
    expect([value('add_bos_token'), value('add_eos_token')]).toEqual([false, true]);
    expect([value('add_space_prefix'), value('remove_extra_whitespaces')]).toEqual([true, true]);
  });
});

describe('a Unigram tokenizer that cannot be converted', () => {
  const SMALL = smallUnigramTokenizer();
  const ROWS = SMALL.model.vocab.length;
  const config = unigramTokenizerConfig(2);
  const refusal = async (files: Readonly<Record<string, string | Buffer | object>>, rows = ROWS): Promise<string[]> => {
    const error = await readUnigramVocabulary(folderOf(files), rows, -1).then(
      () => ({ code: 'none', message: '' }),
      (thrown: { code: string; message: string }) => thrown,
    );
    return [error.code, error.message];
  };
  const json = (changes: object) => ({
    'tokenizer.json': { ...SMALL, ...changes },
    'tokenizer_config.json': config,
  });
  const model = (changes: object) => json({ model: { ...SMALL.model, ...changes } });
  const vocab = (id: number, entry: unknown) => model({ vocab: SMALL.model.vocab.with(id, entry as [string, number]) });
  const steps = (SMALL.normalizer as { normalizers: object[] }).normalizers;
  const flagged = { ...SMALL.added_tokens[0], id: 9, content: 'foo', special: false, lstrip: true };

  it.each([
    ['another normalizer', json({ normalizer: { type: 'NFKC' } }), /NFKC/],
    [
      'steps in another order',
      json({ normalizer: { type: 'Sequence', normalizers: [...steps].reverse() } }),
      /Precomp/,
    ],
    [
      'another replacement',
      json({ normalizer: { type: 'Replace', pattern: { String: 'a' }, content: '' } }),
      /Replace/,
    ],
    ['another pre-tokenizer', json({ pre_tokenizer: { type: 'WhitespaceSplit' } }), /pre_tokenizer.*WhitespaceSplit/],
    ['no pre-tokenizer', json({ pre_tokenizer: null }), /pre_tokenizer is null/],
    [
      'a space in front of some texts',
      json({ pre_tokenizer: { type: 'Metaspace', prepend_scheme: 'first' } }),
      /first/,
    ],
    ['another decoder', json({ decoder: { type: 'ByteLevel' } }), /decoder.*ByteLevel/],
    ['a decoder that keeps the space', json({ decoder: { type: 'Metaspace', add_prefix_space: false } }), /decoder/],
    ['another model', model({ type: 'WordLevel' }), /WordLevel/],
    ['byte fallback', model({ byte_fallback: true }), /byte_fallback/],
    ['another template', json({ post_processor: { type: 'Other' } }), /post_processor.*Other/],
    ['a token that swallows spaces', json({ added_tokens: [flagged] }), /'foo' has lstrip/],
    [
      'another class',
      { ...json({}), 'tokenizer_config.json': { tokenizer_class: 'AlbertTokenizer' } },
      /AlbertTokenizer/,
    ],
  ] as const)('is refused with CHECKPOINT_UNSUPPORTED: %s', async (_, files, message) => {
    expect(await refusal(files)).toEqual(['CHECKPOINT_UNSUPPORTED', expect.stringMatching(message)]);
  });

  it.each([
    ['no model', json({ model: null }), /no model/],
    ['no pieces', model({ vocab: {} }), /model.vocab/],
    ['a piece that is none', vocab(7, ['a']), /piece 7/],
    ['a piece without text', vocab(7, ['', -1]), /7/],
    ['a score beyond F32', vocab(7, ['zzz', -1e300]), /'zzz'.*-1e\+300/],
    ['two pieces of one text', vocab(7, SMALL.model.vocab[8]), /7 and 8/],
    ['no unknown token', model({ unk_id: null }), /unk_id/],
    ['an unknown token that is not there', model({ unk_id: 5000 }), /5000/],
    ['a damaged map', json({ normalizer: { ...steps[0], precompiled_charsmap: 'AAAA' } }), /charsmap/],
    ['a map that is no text', json({ normalizer: { type: 'Precompiled', precompiled_charsmap: 5 } }), /charsmap/],
    ['spiece.model that is none', { 'spiece.model': 'none' }, /spiece.model/],
    ['extra_ids that are no number', { ...json({}), 'tokenizer_config.json': { extra_ids: -3 } }, /extra_ids/],
  ] as const)('is refused with CHECKPOINT_INVALID: %s', async (_, files, message) => {
    expect(await refusal(files)).toEqual(['CHECKPOINT_INVALID', expect.stringMatching(message)]);
  });

  it('is refused when the model has too few rows', async () => {
    expect(await refusal(json({}), ROWS - 1)).toEqual([
      'CHECKPOINT_INVALID',
      expect.stringContaining(`${ROWS} pieces, the model ${ROWS - 1} rows`),
    ]);
  });

  it('is refused when a SentencePiece model is not Unigram, and when there is no file', async () => {
    // trainer_spec.model_type = BPE behind a piece 'a'.
    const bpe = Buffer.from([0x0a, 0x03, 0x0a, 0x01, 0x61, 0x12, 0x02, 0x18, 0x02]);
    expect(await refusal({ 'spiece.model': bpe })).toEqual([
      'CHECKPOINT_UNSUPPORTED',
      expect.stringContaining('not a Unigram model'),
    ]);
    expect((await refusal({}))[0]).toBe('CHECKPOINT_NOT_FOUND');
  });
});
