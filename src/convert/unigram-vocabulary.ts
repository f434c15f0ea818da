import { join } from 'node:path';
import { createError } from '../errors.js';
import { PrecompiledCharsmap } from '../processor/precompiled-charsmap.js';
import { checkAddedTokens } from './added-token-flags.js';
import { TOKEN_TYPES, type VocabularyToken } from './base-vocabulary.js';
import type { GraphVocabulary } from './graph-vocabulary.js';
import { type JsonObject, readJson, readOptional } from './json-fields.js';
import { NO_TEMPLATE, type PromptTemplate, readPromptTemplate } from './prompt-template.js';
import { parseUnigramModel, type UnigramModel } from './sentencepiece-model.js';
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js';
import { TokenTable } from './token-table.js';
import { parseUnigramJson } from './unigram-json.js';

const T5_SPECIAL_TOKENS = { eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' };
const GENERIC_CLASS = 'PreTrainedTokenizerFast';
const CLASSES = ['T5Tokenizer', 'T5TokenizerFast', GENERIC_CLASS];
const EXTRA_ID = /^<extra_id_\d+>$/;
const MAX_EXTRA_IDS = 10000;

// As llama.cpp's converter: added tokens are not in the lattice, or would never win there.
const ADDED_SCORE = -1000;
const UNUSED_SCORE = -10000;

const invalid = (reason: string): Error => createError('CHECKPOINT_INVALID', `the tokenizer does not fit: ${reason}`);

/** What a checkpoint's folder says. */
interface Source {
  readonly model: UnigramModel;
  readonly special: SpecialTokens;
  readonly tokenizer: JsonObject | undefined;
  /** All special tokens in the order in which HF adds them. */
  readonly texts: readonly string[];
}

/** `<extra_id_0>`, …: T5's tokenizer has them even where no file names them. */
function extraIds({ texts, config }: SpecialTokens): string[] {
  if (texts.some(text => EXTRA_ID.test(text))) return [];
  const count = config.object.extra_ids === 0 ? 0 : config.count('extra_ids', 100, MAX_EXTRA_IDS);
  return Array.from({ length: count }, (_, i) => `<extra_id_${i}>`);
}

/** As transformers converts it: the extra ids are pieces, the highest first. */
function withExtraIds(model: UnigramModel, { config }: SpecialTokens): UnigramModel {
  const count = config.object.extra_ids === 0 ? 0 : config.count('extra_ids', 100, MAX_EXTRA_IDS);
  const extra = Array.from({ length: count }, (_, i): [string, number] => [`<extra_id_${count - 1 - i}>`, 0]);
  return { ...model, pieces: [...model.pieces, ...extra] };
}

async function readSpiece(folder: string): Promise<UnigramModel> {
  for (const name of ['spiece.model', 'tokenizer.model']) {
    const bytes = await readOptional(join(folder, name));
    if (bytes) return parseUnigramModel(bytes, name);
  }
  throw createError(
    'CHECKPOINT_NOT_FOUND',
    `${folder} has neither tokenizer.json nor spiece.model: download one of them`,
  );
}

async function readSource(folder: string): Promise<Source> {
  const tokenizer = await readJson(join(folder, 'tokenizer.json'));
  const config = (await readJson(join(folder, 'tokenizer_config.json'))) ?? {};
  const className = String(config.tokenizer_class ?? CLASSES[0]);
  if (!CLASSES.includes(className)) {
    const reason = `tokenizer_class is '${className}'; supported for Unigram are ${CLASSES.join(', ')}`;
    throw createError('CHECKPOINT_UNSUPPORTED', `tokenizer_config.json: ${reason}`);
  }
  const generic = className === GENERIC_CLASS;
  const special = await readSpecialTokens(folder, tokenizer, generic ? {} : T5_SPECIAL_TOKENS);
  const texts = generic ? special.texts : [...special.texts, ...extraIds(special)];
  // Where a SentencePiece model was converted by transformers 4.34, T5's special tokens swallow the spaces around them. That matters only to prompts in which
  // special tokens are parsed, and they are not refused for it: those spaces stay.
  const controls = special.added.filter(token => token.special).map(token => token.content);
  await checkAddedTokens(folder, tokenizer, config, new Set([...texts, ...controls]));
  const model = tokenizer ? parseUnigramJson(tokenizer) : withExtraIds(await readSpiece(folder), special);
  return { model, special, tokenizer, texts };
}

/** @throws CHECKPOINT_INVALID */
function checkModel({ pieces, unknownTokenId, charsmap }: UnigramModel, rows: number): void {
  if (pieces.length > rows)
    throw invalid(`it has ${pieces.length} pieces, the model ${rows} rows (config.json: text_config.vocab_size)`);
  if (unknownTokenId < 0 || unknownTokenId >= pieces.length)
    throw invalid(`the unknown token is ${unknownTokenId}, there are ${pieces.length} pieces`);
  const ids = new Map<string, number>();
  for (const [id, [text, score]] of pieces.entries()) {
    const other = ids.get(text);
    if (other !== undefined || text === '') throw invalid(`the pieces ${other ?? id} and ${id} are both '${text}'`);
    if (!Number.isFinite(Math.fround(score))) throw invalid(`the piece '${text}' has the score ${score}`);
    ids.set(text, id);
  }
  if (charsmap.length === 0) return;
  try {
    new PrecompiledCharsmap(charsmap);
  } catch (error) {
    throw createError('CHECKPOINT_INVALID', (error as Error).message, { cause: error });
  }
}

function makeTable({ model, special, texts }: Source, imageTokenId: number): TokenTable {
  const table = new TokenTable(new Map(model.pieces.map(([text], id) => [text, id])));
  for (const { content, special: control } of special.added) {
    // The image token is special even where old files do not say so: a user's text must never become one.
    table.add(content, id => (control || id === imageTokenId ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined));
  }
  for (const text of texts) table.add(text, () => TOKEN_TYPES.control);
  return table;
}

function tokensOf({ pieces, unknownTokenId }: UnigramModel, table: TokenTable, rows: number): VocabularyToken[] {
  return table.rows(rows).map((token, id) => {
    const type = id === unknownTokenId ? TOKEN_TYPES.unknown : token.type;
    const added = type === TOKEN_TYPES.unused ? UNUSED_SCORE : ADDED_SCORE;
    return { ...token, type, score: pieces[id]?.[1] ?? added };
  });
}

/** Without tokenizer.json, HF makes T5's own template: `</s>` behind. */
function templateOf({ tokenizer }: Source, table: TokenTable, rows: number): PromptTemplate {
  const template = tokenizer
    ? readPromptTemplate(tokenizer.post_processor)
    : { ...NO_TEMPLATE, promptEosTokenId: table.idOf('</s>') };
  const most = Math.max(template.promptBosTokenId, template.promptEosTokenId);
  if (most < rows) return template;
  throw invalid(`prompts would begin or end with the token ${most}, the model has ${rows} rows`);
}

/**
 * Reads a Unigram tokenizer (T5's) as transformers 4.34 does: `tokenizer.json` or, without it, `spiece.model`; with the JSON files around them.
 * @param rows rows of the embedding: the vocabulary is filled up to them
 * @param imageTokenId -1 = none
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export async function readUnigramVocabulary(
  folder: string,
  rows: number,
  imageTokenId: number,
): Promise<GraphVocabulary> {
  const source = await readSource(folder);
  const { model, special } = source;
  checkModel(model, rows);
  const table = makeTable(source, imageTokenId);
  // A tokenizer may know more tokens than the model has rows: those can never be used.
  const idOf = (name: string): number => {
    const id = table.idOf(special.named.get(name));
    return id < rows ? id : -1;
  };
  return {
    kind: 't5',
    tokens: tokensOf(model, table, rows),
    merges: [],
    charsmap: model.charsmap,
    addSpacePrefix: model.addSpacePrefix,
    removeExtraWhitespaces: model.removeExtraWhitespaces,
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    unknownTokenId: model.unknownTokenId,
    padTokenId: idOf('pad_token'),
    ...templateOf(source, table, rows),
    cleanUpSpaces: special.config.bool('clean_up_tokenization_spaces', true),
  };
}
