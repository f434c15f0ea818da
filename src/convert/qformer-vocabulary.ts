import { join } from 'node:path';
import { createError } from '../errors.js';
import { isObject, type JsonObject, readJson, readOptional } from './json-fields.js';
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js';

/** The Q-Former's WordPiece tokenizer (HF `BertTokenizerFast`). */
export interface QFormerVocabulary {
  readonly tokens: readonly string[];
  readonly clsTokenId: number;
  readonly sepTokenId: number;
  readonly padTokenId: number;
  readonly unknownTokenId: number;
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
  readonly tokenizeChineseChars: boolean;
  /** Ids of tokens that HF matches in text. */
  readonly specialTokenIds: readonly number[];
}

const BERT_SPECIAL_TOKENS = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
};

function fromText(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** An id becomes the length of a list: a damaged one must not take all memory. */
function checkedId(text: string, id: number, rows: number): number {
  if (Number.isInteger(id) && id >= 0 && id < rows) return id;
  throw createError(
    'CHECKPOINT_INVALID',
    `qformer_tokenizer: the token '${text}' has the id ${id}, the Q-Former ${rows} tokens (config.json: qformer_config.vocab_size)`,
  );
}

function fromJson(tokenizer: JsonObject, rows: number): string[] {
  const { model } = tokenizer;
  // Older files do not name the type of the model.
  if (!isObject(model) || (model.type ?? 'WordPiece') !== 'WordPiece' || !isObject(model.vocab))
    throw createError('CHECKPOINT_UNSUPPORTED', 'qformer_tokenizer/tokenizer.json is not a WordPiece tokenizer (BERT)');
  const tokens: string[] = [];
  for (const [text, id] of Object.entries(model.vocab)) tokens[checkedId(text, Number(id), rows)] = text;
  return tokens;
}

/** Adds tokens at their ids; special tokens without one get the next. */
function addTokens(base: readonly string[], special: SpecialTokens, rows: number): string[] {
  const tokens = [...base];
  for (const { id, content } of special.added) tokens[checkedId(content, id, rows)] = content;
  for (const text of special.texts) if (!tokens.includes(text)) tokens.push(text);
  const hole = Array.from(tokens).findIndex(text => text === undefined || text === '');
  if (hole >= 0) throw createError('CHECKPOINT_INVALID', `qformer_tokenizer has no token with id ${hole}`);
  return tokens;
}

/**
 * Reads `qformer_tokenizer/`: `vocab.txt` or, without it, `tokenizer.json`.
 * @param rows rows of the Q-Former's word embedding
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export async function readQFormerVocabulary(checkpoint: string, rows: number): Promise<QFormerVocabulary> {
  const folder = join(checkpoint, 'qformer_tokenizer');
  const vocabulary = await readOptional(join(folder, 'vocab.txt'));
  const json = await readJson(join(folder, 'tokenizer.json'));
  if (!vocabulary && !json) {
    throw createError(
      'CHECKPOINT_NOT_FOUND',
      `${folder} has neither vocab.txt nor tokenizer.json: download the checkpoint's qformer_tokenizer folder too`,
    );
  }
  const special = await readSpecialTokens(folder, json, BERT_SPECIAL_TOKENS);
  const base = vocabulary ? fromText(vocabulary.toString('utf8')) : fromJson(json!, rows);
  const tokens = addTokens(base, special, rows);
  if (tokens.length > rows) {
    throw createError(
      'CHECKPOINT_INVALID',
      `qformer_tokenizer has ${tokens.length} tokens, the Q-Former ${rows} (config.json: qformer_config.vocab_size)`,
    );
  }
  const idOf = (name: string): number => {
    const id = tokens.indexOf(special.named.get(name) ?? '');
    if (id < 0) throw createError('CHECKPOINT_INVALID', `qformer_tokenizer has no ${name}`);
    return id;
  };
  const { config } = special;
  // transformers gives the tokenizer_config's settings precedence over those inside tokenizer.json.
  const lowercase = config.bool('do_lower_case', true);
  return {
    tokens,
    clsTokenId: idOf('cls_token'),
    sepTokenId: idOf('sep_token'),
    padTokenId: idOf('pad_token'),
    unknownTokenId: idOf('unk_token'),
    lowercase,
    stripAccents: config.bool('strip_accents', lowercase),
    tokenizeChineseChars: config.bool('tokenize_chinese_chars', true),
    specialTokenIds: [
      ...new Set([...special.added.map(({ id }) => id), ...special.texts.map(text => tokens.indexOf(text))]),
    ].sort((a, b) => a - b),
  };
}
