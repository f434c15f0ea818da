import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOKEN_TYPES } from '../../src/convert/base-vocabulary.js';
import { readLanguageVocabulary } from '../../src/convert/language-vocabulary.js';
import { readQFormerVocabulary } from '../../src/convert/qformer-vocabulary.js';
import { parseSentencePiece } from '../../src/convert/sentencepiece-model.js';
import { parseTokenizerJson } from '../../src/convert/tokenizer-json.js';
import { json, makeCheckpoint, QFORMER_WORDS, tokenizerJson } from './support/checkpoint.js';

const folders: string[] = [];
const checkpoint = (): string => {
  const folder = makeCheckpoint({ withoutWeights: true });
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const remove = (folder: string, ...names: string[]) => {
  for (const name of names) rmSync(join(folder, name));
};

/** The merges that transformers' `SentencePieceExtractor` makes: every split of a piece into two pieces, best piece first. */
function hfMerges(pieces: readonly { text: string; score: number }[]): string[] {
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  const merges = pieces.flatMap(({ text, score }) => {
    const chars = [...text];
    return chars.slice(1).flatMap((_, i) => {
      const left = chars.slice(0, i + 1).join('');
      const right = chars.slice(i + 1).join('');
      return ids.has(left) && ids.has(right) ? [{ merge: `${left} ${right}`, score }] : [];
    });
  });
  return merges.sort((a, b) => b.score - a.score).map(({ merge }) => merge);
}

describe('language vocabulary', () => {
  it('is the same from tokenizer.model and tokenizer.json (LLaMA: 32,000 pieces)', async () => {
    const model = await parseSentencePiece(readFileSync(join(__dirname, '../fixtures/vocab/llama-tokenizer.model')));
    expect(model.tokens.length).toBe(32000);
    const converted = parseTokenizerJson({
      ...tokenizerJson(),
      model: {
        type: 'BPE',
        byte_fallback: true,
        unk_token: '<unk>',
        vocab: Object.fromEntries(model.tokens.map(({ text }, id) => [text, id])),
        merges: hfMerges(model.tokens),
      },
    });
    expect(converted).toEqual(model);
    expect(model.tokens[260]).toEqual({ text: '\u2581t', score: -1, type: TOKEN_TYPES.normal });
  });

  it('scores by merge order where ids do not follow it', () => {
    const tokenizer = tokenizerJson() as { model: { merges: unknown } };
    const at = (text: string) =>
      (parseTokenizerJson(tokenizer).tokens.find(token => token.text === text) as { score: number }).score;
    tokenizer.model.merges = [
      ['a', 'bc'],
      ['b', 'c'],
      ['\u2581', 'a'],
      ['\u2581a', 'bc'],
      ['\u2581', '\u2581'],
    ];
    expect([at('abc'), at('bc'), at('\u2581a'), at('\u2581abc')]).toEqual([-0, -1, -2, -3]);
  });

  it('is the same for a whole folder from either file alone', async () => {
    const both = await readLanguageVocabulary(checkpoint(), 320, 301);
    for (const file of ['tokenizer.model', 'tokenizer.json']) {
      const folder = checkpoint();
      remove(folder, file);
      expect(await readLanguageVocabulary(folder, 320, 301)).toEqual(both);
    }
    expect(both).toMatchObject({
      bosTokenId: 1,
      eosTokenId: 2,
      unknownTokenId: 0,
      padTokenId: 300,
      promptBosTokenId: 2,
    });
    expect(both.tokens[300]).toEqual({ text: '[PAD]', score: -1000, type: TOKEN_TYPES.control });
    expect(both.tokens[319]).toEqual({ text: '[PAD319]', score: -10000, type: TOKEN_TYPES.unused });
    expect(both.tokens[0]!.type).toBe(TOKEN_TYPES.unknown);
  });

  it('takes added tokens from added_tokens_decoder alone (newer folders)', async () => {
    const folder = checkpoint();
    const expected = await readLanguageVocabulary(folder, 320, 301);
    remove(folder, 'added_tokens.json', 'special_tokens_map.json', 'tokenizer.json');
    const token = (content: string) => ({ content, special: true });
    const decoder = {
      0: token('<unk>'),
      1: token('<s>'),
      2: token('</s>'),
      300: token('[PAD]'),
      301: token('<image>'),
    };
    const config = { bos_token: '</s>', eos_token: '</s>', pad_token: '[PAD]', added_tokens_decoder: decoder };
    writeFileSync(join(folder, 'tokenizer_config.json'), json(config));
    expect(await readLanguageVocabulary(folder, 320, 301)).toEqual(expected);
  });

  it('gives the next id to a special token that has none, and drops tokens beyond the rows', async () => {
    const folder = checkpoint();
    remove(folder, 'added_tokens.json', 'tokenizer.json');
    expect((await readLanguageVocabulary(folder, 320, 301)).padTokenId).toBe(268);
    const full = await readLanguageVocabulary(folder, 268, -1);
    expect(full.tokens.length).toBe(268);
    expect(full.padTokenId).toBe(-1);
  });

  it('puts nothing in front of prompts when the tokenizer does not', async () => {
    const folder = checkpoint();
    writeFileSync(join(folder, 'tokenizer_config.json'), json({ add_bos_token: false }));
    expect((await readLanguageVocabulary(folder, 320, 301)).promptBosTokenId).toBe(-1);
  });

  it('adds no space in front where the normalizer does not', () => {
    const tokenizer = { ...tokenizerJson(), normalizer: null };
    expect(parseTokenizerJson(tokenizer).addSpacePrefix).toBe(false);
    const metaspace = { ...tokenizer, pre_tokenizer: { type: 'Metaspace', prepend_scheme: 'first' } };
    expect(parseTokenizerJson(metaspace).addSpacePrefix).toBe(true);
  });
});

describe('Q-Former vocabulary', () => {
  it('is the same from vocab.txt and tokenizer.json', async () => {
    const folder = checkpoint();
    const fromText = await readQFormerVocabulary(folder, 40);
    remove(folder, 'qformer_tokenizer/vocab.txt');
    const vocab = Object.fromEntries(QFORMER_WORDS.map((word, id) => [word, id]));
    const tokenizer = {
      model: { type: 'WordPiece', vocab },
      added_tokens: [{ id: 10, content: '[DEC]', special: true }],
    };
    writeFileSync(join(folder, 'qformer_tokenizer/tokenizer.json'), json(tokenizer));
    expect(await readQFormerVocabulary(folder, 40)).toEqual(fromText);
    expect(fromText).toMatchObject({
      tokens: [...QFORMER_WORDS, '[DEC]'],
      padTokenId: 0,
      unknownTokenId: 1,
      clsTokenId: 2,
      sepTokenId: 3,
    });
  });

  it('keeps the flags of tokenizer_config; stripping accents follows lowercasing', async () => {
    const folder = checkpoint();
    const flags = async (config: object) => {
      writeFileSync(join(folder, 'qformer_tokenizer/tokenizer_config.json'), json(config));
      const { lowercase, stripAccents, tokenizeChineseChars } = await readQFormerVocabulary(folder, 40);
      return [lowercase, stripAccents, tokenizeChineseChars];
    };
    expect(await flags({})).toEqual([true, true, true]);
    expect(await flags({ do_lower_case: false, tokenize_chinese_chars: false })).toEqual([false, false, false]);
    expect(await flags({ do_lower_case: true, strip_accents: false })).toEqual([true, false, true]);
  });

  it('refuses more tokens than the embedding has rows', async () => {
    await expect(readQFormerVocabulary(checkpoint(), 10)).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' });
  });
});
