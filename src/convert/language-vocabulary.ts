import { join } from 'node:path';
import { createError } from '../errors.js';
import { type BaseVocabulary, TOKEN_TYPES, type VocabularyToken } from './base-vocabulary.js';
import { readJson, readOptional } from './json-fields.js';
import { parseSentencePiece } from './sentencepiece-model.js';
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js';
import { parseTokenizerJson } from './tokenizer-json.js';

/** The vocabulary of a language model file: one token for every row of the embedding. */
export interface LanguageVocabulary {
  readonly tokens: readonly VocabularyToken[];
  readonly addSpacePrefix: boolean;
  /** The text model's own `<s>`, `</s>`, `<unk>`; -1 = none. */
  readonly bosTokenId: number;
  readonly eosTokenId: number;
  readonly unknownTokenId: number;
  /** -1 = none. */
  readonly padTokenId: number;
  /** What the tokenizer of this checkpoint puts in front of a prompt (on the hub `</s>`); -1 = nothing. */
  readonly promptBosTokenId: number;
  /** `clean_up_tokenization_spaces`: decoded text loses the space in ` .` and the like. */
  readonly cleanUpSpaces: boolean;
}

// Scores as llama.cpp's converter gives them.
const ADDED_SCORE = -1000;
const UNUSED_SCORE = -10000;
const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;
const LLAMA_SPECIAL_TOKENS = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' };

/** Puts added tokens at their ids, gives the next free ids to special tokens that have none, and fills up with unused tokens. */
function complete(base: BaseVocabulary, special: SpecialTokens, rows: number, imageTokenId: number): VocabularyToken[] {
  const tokens: (VocabularyToken | undefined)[] = [...base.tokens];
  for (const { id, content, special: control } of special.added) {
    const known = base.tokens[id];
    if (known && known.text === content) {
      if (control && known.type === TOKEN_TYPES.normal) tokens[id] = { ...known, type: TOKEN_TYPES.control };
      continue;
    }
    // A tokenizer may know more tokens than the model has rows: those can never be used.
    if (id >= rows) continue;
    // The image token is special even where old files do not say so: a user's text must never become one.
    const type = control || id === imageTokenId ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined;
    tokens[id] = { text: content, score: ADDED_SCORE, type };
  }
  const texts = new Set(tokens.map(token => token?.text));
  for (const text of special.texts) {
    if (!texts.has(text) && tokens.length < rows) tokens.push({ text, score: ADDED_SCORE, type: TOKEN_TYPES.control });
  }
  return Array.from(
    { length: rows },
    (_, id) => tokens[id] ?? { text: `[PAD${id}]`, score: UNUSED_SCORE, type: TOKEN_TYPES.unused },
  );
}

function checkComplete(tokens: readonly VocabularyToken[]): void {
  const ids = new Map<string, number>();
  for (const [id, { text }] of tokens.entries()) {
    const other = ids.get(text);
    if (text === '' || other !== undefined)
      throw createError('CHECKPOINT_INVALID', `the tokenizer's tokens ${other ?? id} and ${id} are both '${text}'`);
    ids.set(text, id);
  }
  const bytes = tokens.filter(({ text, type }) => type === TOKEN_TYPES.byte && BYTE_TOKEN.test(text)).length;
  if (bytes !== 256) {
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `the tokenizer has ${bytes} byte tokens (<0x00>..<0xFF>), LLaMA's has 256: text could not always be tokenized`,
    );
  }
}

const className = ({ config }: SpecialTokens): string => config.string('tokenizer_class', 'LlamaTokenizer');

async function readBase(folder: string): Promise<{ base: BaseVocabulary; special: SpecialTokens }> {
  const sentencePiece = await readOptional(join(folder, 'tokenizer.model'));
  const json = await readJson(join(folder, 'tokenizer.json'));
  const special = await readSpecialTokens(folder, json, LLAMA_SPECIAL_TOKENS);
  if (!/^(Llama|PreTrained)Tokenizer(Fast)?$/.test(className(special)))
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `tokenizer_config.json: tokenizer_class is '${className(special)}'; only LlamaTokenizer is supported`,
    );
  if (special.config.bool('add_eos_token', false))
    throw createError('CHECKPOINT_UNSUPPORTED', 'tokenizer_config.json: add_eos_token is not supported');
  if (sentencePiece) return { base: await parseSentencePiece(sentencePiece), special };
  if (json) return { base: parseTokenizerJson(json), special };
  throw createError(
    'CHECKPOINT_NOT_FOUND',
    `${folder} has neither tokenizer.model nor tokenizer.json: download one of them`,
  );
}

/**
 * Reads the language model's tokenizer: `tokenizer.model` or, without it, `tokenizer.json`; with the JSON files around them.
 * @param rows rows of the embedding: the vocabulary is filled up to them
 * @param imageTokenId -1 = none
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export async function readLanguageVocabulary(
  folder: string,
  rows: number,
  imageTokenId: number,
): Promise<LanguageVocabulary> {
  const { base, special } = await readBase(folder);
  if (base.tokens.length > rows) {
    throw createError(
      'CHECKPOINT_INVALID',
      `the tokenizer has ${base.tokens.length} tokens, the model ${rows} (config.json: text_config.vocab_size)`,
    );
  }
  const tokens = complete(base, special, rows, imageTokenId);
  checkComplete(tokens);
  const idOf = (text: string | undefined): number => tokens.findIndex(token => token.text === text);
  return {
    tokens,
    addSpacePrefix: base.addSpacePrefix,
    bosTokenId: idOf('<s>'),
    eosTokenId: idOf('</s>'),
    unknownTokenId: idOf('<unk>'),
    padTokenId: idOf(special.named.get('pad_token')),
    promptBosTokenId: special.config.bool('add_bos_token', true) ? idOf(special.named.get('bos_token')) : -1,
    // LLaMA's tokenizer sets false itself, transformers' base class true.
    cleanUpSpaces: special.config.bool('clean_up_tokenization_spaces', className(special).startsWith('PreTrained')),
  };
}
