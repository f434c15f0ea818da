import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { f32s, type GgufEntry, i32s, layoutGguf, string, strings, u32 } from '../../../src/gguf/gguf-header.js';
import { loadAddon } from '../../../src/native/load-addon.js';
import { nativeCall } from '../../../src/native/native-call.js';
import { makeTokenizerJson } from '../../../src/processor/make-tokenizer-json.js';
import { optVocabulary } from './support/opt-strings.js';

const LANGUAGE = 'models/demo/demo-F16.gguf';
const VISION = 'models/demo/mmproj-demo-F16.gguf';
const folder = mkdtempSync(join(tmpdir(), 'instructblip-vocabulary-'));
afterAll(() => rmSync(folder, { recursive: true }));

const codeOf = (body: () => unknown): string => {
  try {
    nativeCall(body);
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const { addon } = loadAddon();

/** All byte tokens and a few pieces. */
const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
const TOKENS = ['<unk>', '<s>', '</s>', ...BYTES, '▁', 'a', '▁a'];
const TYPES = [2, 3, 3, ...BYTES.map(() => 6), 1, 1, 1];
const VALUES: Readonly<Record<string, GgufEntry>> = {
  architecture: string('general.architecture', 'llama'),
  model: string('tokenizer.ggml.model', 'llama'),
  tokens: strings('tokenizer.ggml.tokens', TOKENS),
  scores: f32s(
    'tokenizer.ggml.scores',
    TOKENS.map((_, id) => -id),
  ),
  types: i32s('tokenizer.ggml.token_type', TYPES),
};

function opened(changes: Readonly<Record<string, GgufEntry | undefined>>): string {
  const path = join(folder, 'vocabulary.gguf');
  const entries = Object.values({ ...VALUES, ...changes }).filter(entry => entry !== undefined);
  writeFileSync(path, layoutGguf(entries, []).header);
  return codeOf(() => addon.openVocabulary(path));
}

describe('openVocabulary', () => {
  it('needs nothing but the keys of the tokenizer', () => {
    expect(opened({})).toBe('none');
    const vocabulary = addon.openVocabulary(join(folder, 'vocabulary.gguf'));
    expect(vocabulary).toMatchObject({
      vocabularySize: 262,
      padTokenId: -1,
      longestTokenBytes: 6,
      languageVocabulary: null,
    });
    expect([...vocabulary.tokenize('a a</s>', true)]).toEqual([261, 261, 2]);
    expect(Buffer.from(vocabulary.tokenBytes(261, false)).toString()).toBe(' a');
    expect(vocabulary.tokenBytes(2, false).length).toBe(0);
    expect(Buffer.from(vocabulary.tokenBytes(2, true)).toString()).toBe('</s>');
    expect(codeOf(() => vocabulary.tokenBytes(262, true))).toBe('OPTION_INVALID');
    expect(codeOf(() => vocabulary.tokenBytes(-1, true))).toBe('OPTION_INVALID');
    expect(codeOf(() => vocabulary.tokenize(5 as never, true))).toBe('OPTION_INVALID');
  });

  it.each<[string, Record<string, GgufEntry | undefined>, string]>([
    ['no tokens', { tokens: undefined }, 'MODEL_FILE_KEY_MISSING'],
    ['no scores', { scores: undefined }, 'MODEL_FILE_KEY_MISSING'],
    ['fewer types', { types: i32s('tokenizer.ggml.token_type', TYPES.slice(1)) }, 'MODEL_FILE_KEY_INVALID'],
    [
      'two equal tokens',
      { tokens: strings('tokenizer.ggml.tokens', [...TOKENS.slice(0, -1), 'a']) },
      'MODEL_FILE_KEY_INVALID',
    ],
    [
      'a byte without a token',
      {
        tokens: strings(
          'tokenizer.ggml.tokens',
          TOKENS.map(text => (text === '<0x80>' ? 'x' : text)),
        ),
      },
      'MODEL_FILE_KEY_INVALID',
    ],
    ['another tokenizer', { model: string('tokenizer.ggml.model', 'gpt2') }, 'MODEL_FILE_UNSUPPORTED'],
    ['another architecture', { architecture: string('general.architecture', 'clip') }, 'MODEL_FILE_UNSUPPORTED'],
    ['a file type of the wrong kind', { file: string('general.file_type', 'x') }, 'MODEL_FILE_KEY_INVALID'],
    [
      'a padding token of the wrong kind',
      { pad: string('tokenizer.ggml.padding_token_id', 'x') },
      'MODEL_FILE_KEY_INVALID',
    ],
  ])('refuses %s', (_, changes, code) => {
    expect(opened(changes)).toBe(code);
  });

  it('ignores a padding token that there is not', () => {
    expect(opened({ pad: u32('tokenizer.ggml.padding_token_id', 262) })).toBe('none');
    expect(addon.openVocabulary(join(folder, 'vocabulary.gguf')).padTokenId).toBe(-1);
  });

  it('refuses files that are none, and cut ones', () => {
    expect(codeOf(() => addon.openVocabulary('/no/such/file.gguf'))).toBe('MODEL_NOT_FOUND');
    expect(codeOf(() => addon.openVocabulary('package.json'))).toBe('MODEL_FILE_NOT_GGUF');
    const bytes = readFileSync(LANGUAGE);
    for (const size of [10, 1000, 500_000]) {
      writeFileSync(join(folder, 'cut.gguf'), bytes.subarray(0, size));
      expect(codeOf(() => addon.openVocabulary(join(folder, 'cut.gguf')))).toMatch(/^MODEL_FILE_(CORRUPT|NOT_GGUF)$/);
    }
    expect(codeOf(() => (addon.openVocabulary as (path: unknown) => unknown)(5))).toBe('OPTION_INVALID');
  });
});

describe('readPair', () => {
  it('is what a loaded model says, without loading one', async () => {
    const pair = addon.readPair(VISION, LANGUAGE);
    const options = {
      device: 'cpu',
      gpuLayers: 0,
      threads: 1,
      contextSize: 64,
      maxSequences: 1,
      kvCacheType: 'f32',
    } as const;
    const paths = { visionPath: VISION, languageModelPath: LANGUAGE };
    const model = await addon.loadModel({ ...paths, ...options }, new addon.CancelToken(), null);
    // The rest is known when it is loaded.
    const facts = Object.keys(pair.info) as (keyof typeof pair.info)[];
    expect(facts.length).toBeGreaterThan(20);
    for (const name of facts) expect(pair.info[name]).toEqual(model.info[name]);
    expect(pair.qformerVocabulary).toEqual(model.qformerVocabulary);
    await model.dispose();
  });

  it('refuses swapped files as loading does', () => {
    expect(codeOf(() => addon.readPair(LANGUAGE, VISION))).toMatch(/^MODEL_/);
  });
});

describe('makeTokenizerJson', () => {
  it('refuses a vocabulary with gaps', () => {
    const vocabulary = optVocabulary();
    const types = vocabulary.types.slice();
    types[300] = 5;
    const affixes = { front: [], behind: [] };
    expect(() => makeTokenizerJson({ ...vocabulary, types }, affixes)).toThrow('no token 300 but later ones');
    expect(makeTokenizerJson(vocabulary, affixes).post_processor).toBe(null);
  });
});
