import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { TOKEN_TYPES } from '../../src/convert/base-vocabulary.js';
import { readBpeVocabulary } from '../../src/convert/bpe-vocabulary.js';
import type { GraphVocabulary } from '../../src/convert/graph-vocabulary.js';
import { TextStream } from '../../src/generation/text-stream.js';
import { ByteLevelBpeTokenizer } from '../../src/processor/byte-level-bpe-tokenizer.js';
import { bpeFiles, smallBpeVocabulary } from './support/bpe-vocabulary.js';

type Files = Readonly<Record<string, unknown>>;

/** A folder and what AutoTokenizer of transformers 4.34 makes of it: test/reference/tokenizers_opt_folders.py. */
interface Folder {
  readonly name: string;
  readonly files: Files;
  readonly size: number;
  readonly ids: readonly (readonly number[])[];
  readonly plain: readonly (readonly number[])[];
  /** Each token alone, decoded. */
  readonly tokens: readonly string[];
  readonly named: Readonly<Record<'bos_token' | 'eos_token' | 'unk_token' | 'pad_token', number | undefined>>;
  readonly cleanUp: boolean;
}

const FIXTURE = join(__dirname, '../fixtures/tokenizers/opt-folders.json.gz');
const { texts, folders }: { texts: readonly string[]; folders: readonly Folder[] } = JSON.parse(
  gunzipSync(readFileSync(FIXTURE)).toString(),
);

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

function writeFolder(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'instructblip-bpe-'));
  made.push(folder);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

const read = (files: Files, rows: number, imageTokenId = -1): Promise<GraphVocabulary> =>
  readBpeVocabulary(writeFolder(files), rows, imageTokenId);

function tokenizerOf(vocabulary: GraphVocabulary): ByteLevelBpeTokenizer {
  const { tokens, unknownTokenId } = vocabulary;
  const native = {
    ...vocabulary,
    tokens: tokens.map(({ text }) => text),
    types: Int32Array.from(tokens, ({ type }) => type),
    scores: new Float32Array(),
    unkTokenId: unknownTokenId,
  };
  return new ByteLevelBpeTokenizer(native, vocabulary);
}

function textOf(tokenizer: ByteLevelBpeTokenizer, id: number): string {
  // Between two others, so that spaces stay.
  const stream = new TextStream([]);
  const around = { bytes: Buffer.from('|'), isByte: false };
  const text = [around, tokenizer.tokenText(id), around].map(token => stream.push(token)).join('') + stream.finish();
  return text.slice(1, -1);
}

describe('byte-level BPE vocabulary of a checkpoint', () => {
  it.each(
    folders.map(folder => [folder.name, folder] as const),
  )('is as transformers 4.34 reads it: %s', async (_, hf) => {
    const rows = hf.size + 3;
    const vocabulary = await read(hf.files, rows);
    const tokenizer = tokenizerOf(vocabulary);
    const encoded = (parseSpecial: boolean) => texts.map(text => [...tokenizer.encode(text, { parseSpecial })]);
    expect(encoded(true)).toEqual(hf.ids);
    const { promptBosTokenId, promptEosTokenId } = vocabulary;
    const bare = tokenizerOf({ ...vocabulary, promptBosTokenId: -1, promptEosTokenId: -1 });
    expect(texts.map(text => [...bare.encode(text)])).toEqual(hf.plain);
    const [empty] = hf.ids;
    expect([promptBosTokenId, promptEosTokenId].filter(id => id >= 0)).toEqual(empty);
    expect(vocabulary.tokens.slice(0, hf.size).map((_, id) => textOf(tokenizer, id))).toEqual(hf.tokens);
    expect(vocabulary).toMatchObject({
      kind: 'gpt2',
      bosTokenId: hf.named.bos_token ?? -1,
      eosTokenId: hf.named.eos_token ?? -1,
      unknownTokenId: hf.named.unk_token ?? -1,
      padTokenId: hf.named.pad_token ?? -1,
      cleanUpSpaces: hf.cleanUp,
    });
    expect(vocabulary.tokens.slice(hf.size)).toEqual(
      [0, 1, 2].map(i => ({ text: `[PAD${hf.size + i}]`, score: 0, type: TOKEN_TYPES.unused })),
    );
  });
});

const SPECIAL = { bos_token: '</s>', eos_token: '</s>', unk_token: '</s>', pad_token: '<pad>' };
const CONFIG = { tokenizer_class: 'GPT2Tokenizer', add_bos_token: true, ...SPECIAL };
const small = smallBpeVocabulary();
const SIZE = Object.keys(small.vocab).length;
const HUB: Files = { ...bpeFiles(small), 'tokenizer_config.json': CONFIG };

/** A tokenizer.json. */
function fast(changes: object = {}, model: object = {}): Files {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true };
  return {
    'tokenizer_config.json': CONFIG,
    'tokenizer.json': {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: { type: 'BPE', ...small, ...model },
      ...changes,
    },
  };
}
const template = (single: unknown, ids: unknown = [2]) => ({
  post_processor: {
    type: 'TemplateProcessing',
    single,
    special_tokens: { '</s>': { id: '</s>', ids, tokens: ['</s>'] } },
  },
});
const TEXT = { Sequence: { id: 'A', type_id: 0 } };
const END = { SpecialToken: { id: '</s>', type_id: 0 } };

describe('byte-level BPE vocabulary', () => {
  it('is the same from tokenizer.json and from vocab.json with merges.txt', async () => {
    const expected = await read(HUB, SIZE + 5);
    expect(await read(fast(template([END, TEXT])), SIZE + 5)).toEqual(expected);
    const pairs = small.merges.map(merge => merge.split(' '));
    expect(await read(fast(template([END, TEXT]), { merges: pairs }), SIZE + 5)).toEqual(expected);
  });

  it('takes the image token for special even where the files do not say so', async () => {
    const files = { ...HUB, 'added_tokens.json': { '<image>': SIZE, '<cap>': SIZE + 1 } };
    const { tokens } = await read(files, SIZE + 2, SIZE);
    expect(tokens.slice(SIZE).map(({ type }) => type)).toEqual([TOKEN_TYPES.control, TOKEN_TYPES.userDefined]);
  });

  it('leaves out added tokens beyond the rows of the model', async () => {
    const files = { ...HUB, 'added_tokens.json': { '<image>': SIZE, '<cap>': SIZE + 1 } };
    const vocabulary = await read({ ...files, 'tokenizer_config.json': { ...CONFIG, pad_token: '<cap>' } }, SIZE + 1);
    expect(vocabulary.tokens.length).toBe(SIZE + 1);
    expect(vocabulary.padTokenId).toBe(-1);
  });

  it('fills gaps between ids', async () => {
    const { '<unk>': unknown, ...rest } = small.vocab;
    const { tokens } = await read({ ...HUB, 'vocab.json': rest }, SIZE);
    expect(tokens[unknown as number]).toMatchObject({ text: '[PAD3]', type: TOKEN_TYPES.unused });
  });
});

const token = (flags: object) => ({ content: '<cap>', lstrip: false, rstrip: false, single_word: false, ...flags });
const digits = { type: 'Sequence', pretokenizers: [{ type: 'Digits' }, { type: 'ByteLevel' }] };

describe('byte-level BPE vocabularies that are refused', () => {
  it.each<[string, Files, string]>([
    [
      'another class',
      { ...HUB, 'tokenizer_config.json': { tokenizer_class: 'CodeGenTokenizer' } },
      "'CodeGenTokenizer'",
    ],
    ['another model', fast({}, { type: 'WordLevel' }), 'WordLevel'],
    ['a normalizer', fast({ normalizer: { type: 'NFKC' } }), 'NFKC'],
    ['another pre_tokenizer', fast({ pre_tokenizer: { type: 'Whitespace' } }), 'Whitespace'],
    ['several pre_tokenizers', fast({ pre_tokenizer: digits }), 'Digits'],
    ['no pre_tokenizer', fast({ pre_tokenizer: null }), 'pre_tokenizer null'],
    ['no pattern', fast({ pre_tokenizer: { type: 'ByteLevel', use_regex: false } }), 'use_regex'],
    ['another decoder', fast({ decoder: { type: 'Metaspace' } }), 'Metaspace'],
    ['dropout', fast({}, { dropout: 0.1 }), 'model.dropout'],
    ['suffixes', fast({}, { end_of_word_suffix: '</w>' }), 'end_of_word_suffix'],
    ['byte fallback', fast({}, { byte_fallback: true }), 'byte_fallback'],
    ['another post_processor', fast({ post_processor: { type: 'Magic' } }), 'Magic'],
    ['two tokens in front', fast(template([END, END, TEXT])), 'post_processor'],
    ['two tokens behind', fast(template([TEXT, END, END])), 'post_processor'],
    ['one that makes two', fast(template([END, TEXT], [2, 2])), "2 tokens of '</s>'"],
    ['a template without text', fast(template([END])), 'post_processor'],
    ['lstrip', fast({ added_tokens: [{ id: SIZE, ...token({ lstrip: true }) }] }), 'lstrip'],
    ['rstrip', { ...HUB, 'special_tokens_map.json': { mask_token: token({ rstrip: true }) } }, 'rstrip'],
    [
      'single_word',
      {
        ...HUB,
        'tokenizer_config.json': { ...CONFIG, added_tokens_decoder: { [SIZE]: token({ single_word: true }) } },
      },
      'single_word',
    ],
    ['unknown bytes', fast({}, { unk_token: '<unk>', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] }), "'<unk>'"],
  ])('as unsupported: %s', async (_, files, named) => {
    await expect(read(files, SIZE + 9)).rejects.toMatchObject({
      code: 'CHECKPOINT_UNSUPPORTED',
      message: expect.stringContaining(named),
    });
  });

  it.each<[string, Files, string]>([
    ['an id twice', { ...HUB, 'vocab.json': { ...small.vocab, zz: 5 } }, "'zz'"],
    ['an id that is no number', { ...HUB, 'vocab.json': { ...small.vocab, zz: '5' } }, "'zz'"],
    ['a merge of unknown tokens', { ...HUB, 'merges.txt': '#version\nĠ t\nq z\n' }, "'qz'"],
    ['a merge of three', { ...HUB, 'merges.txt': '#version\nĠ t h\n' }, 'merge 0'],
    ['an empty line', { ...HUB, 'merges.txt': '#version\nĠ t\n\nh e\n' }, 'merge 1'],
    ['merges that are no texts', fast({}, { merges: [1] }), 'merge 0'],
    ['no merges', fast({}, { merges: undefined }), 'model.merges'],
    ['no vocabulary', fast({}, { vocab: [] }), 'vocabulary'],
    ['no model', fast({ model: null }), 'no model'],
    ['a template of unknown tokens', fast(template([{ SpecialToken: { id: '<x>' } }, TEXT])), "'<x>'"],
    ['a template with an impossible id', fast(template([END, TEXT], [1000])), '1000'],
    ['a template with no ids', fast(template([END, TEXT], 'x')), "'</s>'"],
    ['bos wanted, but none', { ...HUB, 'tokenizer_config.json': { ...CONFIG, bos_token: null } }, 'bos_token'],
    ['a flag that is none', { ...HUB, 'tokenizer_config.json': { ...CONFIG, add_bos_token: 'yes' } }, 'add_bos_token'],
    [
      'gaps in which an added token would land',
      { ...HUB, 'vocab.json': { ...small.vocab, zz: SIZE + 1 }, 'added_tokens.json': { '<cap>': SIZE + 2 } },
      "'<cap>'",
    ],
  ])('as invalid: %s', async (_, files, named) => {
    await expect(read(files, SIZE + 9)).rejects.toMatchObject({
      code: 'CHECKPOINT_INVALID',
      message: expect.stringContaining(named),
    });
  });

  it('when they have more tokens than the model has rows', async () => {
    await expect(read(HUB, SIZE - 1)).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' });
  });

  it('when there are none', async () => {
    for (const name of ['vocab.json', 'merges.txt']) {
      const files = Object.fromEntries(Object.entries(HUB).filter(([file]) => file !== name));
      await expect(read(files, SIZE)).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    }
  });
});
