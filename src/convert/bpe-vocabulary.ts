import { join } from 'node:path';
import { createError } from '../errors.js';
import { checkAddedTokens } from './added-token-flags.js';
import { TOKEN_TYPES } from './base-vocabulary.js';
import { type BpeModel, parseBpeJson, readBpeFiles } from './bpe-files.js';
import type { GraphVocabulary } from './graph-vocabulary.js';
import { isObject, type JsonObject, readJson } from './json-fields.js';
import { NO_TEMPLATE, type PromptTemplate, readPromptTemplate } from './prompt-template.js';
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js';
import { TokenTable } from './token-table.js';

const GPT2_SPECIAL_TOKENS = { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: '<|endoftext|>' };
const GENERIC_CLASS = 'PreTrainedTokenizerFast';
const CLASSES = ['GPT2Tokenizer', 'GPT2TokenizerFast', GENERIC_CLASS];

/** What a checkpoint's folder says. */
interface Source {
  readonly model: BpeModel;
  readonly special: SpecialTokens;
  readonly tokenizer: JsonObject | undefined;
  /** Loaded by HF's general class, which has no rules of its own. */
  readonly generic: boolean;
}

async function readSource(folder: string): Promise<Source> {
  const config = (await readJson(join(folder, 'tokenizer_config.json'))) ?? {};
  const className = String(config.tokenizer_class ?? CLASSES[0]);
  if (!CLASSES.includes(className)) {
    const reason = `tokenizer_class is '${className}'; supported for byte-level BPE are ${CLASSES.join(', ')}`;
    throw createError('CHECKPOINT_UNSUPPORTED', `tokenizer_config.json: ${reason}`);
  }
  const generic = className === GENERIC_CLASS;
  const tokenizer = await readJson(join(folder, 'tokenizer.json'));
  const special = await readSpecialTokens(folder, tokenizer, generic ? {} : GPT2_SPECIAL_TOKENS);
  await checkAddedTokens(folder, tokenizer, config);
  const model = tokenizer ? parseBpeJson(tokenizer) : await readBpeFiles(folder);
  return { model, special, tokenizer, generic };
}

function place({ model, special }: Source, imageTokenId: number): TokenTable {
  const table = new TokenTable(model.ids);
  for (const { content, special: control } of special.added) {
    // The image token is special even where old files do not say so: a user's text must never become one.
    table.add(content, id => (control || id === imageTokenId ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined));
  }
  for (const text of special.texts) table.add(text, () => TOKEN_TYPES.control);
  return table;
}

/** Without tokenizer.json, HF makes the template from `add_bos_token`; with it, that field has no effect. */
function templateOf({ tokenizer, special }: Source, table: TokenTable): PromptTemplate {
  if (tokenizer) return readPromptTemplate(tokenizer.post_processor);
  if (!special.config.bool('add_bos_token', false)) return NO_TEMPLATE;
  const promptBosTokenId = table.idOf(special.named.get('bos_token'));
  if (promptBosTokenId >= 0) return { ...NO_TEMPLATE, promptBosTokenId };
  throw createError('CHECKPOINT_INVALID', 'tokenizer_config.json: add_bos_token is true, but there is no bos_token');
}

/** HF's GPT2TokenizerFast takes `add_prefix_space` from tokenizer_config.json even where tokenizer.json says otherwise. */
function prefixOf({ model, special, tokenizer, generic }: Source): boolean {
  const nested = isObject(tokenizer?.pre_tokenizer) && tokenizer.pre_tokenizer.type === 'Sequence';
  const fromFile = generic || nested ? model.addSpacePrefix : undefined;
  return fromFile ?? special.config.bool('add_prefix_space', false);
}

function checkRows(rows: number, ids: Iterable<number>, what: string): void {
  for (const id of ids) {
    if (id < rows) continue;
    const reason = `${what} has the id ${id}, the model ${rows} rows (config.json: text_config.vocab_size)`;
    throw createError('CHECKPOINT_INVALID', `the tokenizer does not fit: ${reason}`);
  }
}

/**
 * Reads a byte-level BPE tokenizer (OPT's) as transformers 4.34 does: `tokenizer.json` or, without it, `vocab.json` and `merges.txt`; with the JSON files
 * around them.
 * @param rows rows of the embedding: the vocabulary is filled up to them
 * @param imageTokenId -1 = none
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export async function readBpeVocabulary(folder: string, rows: number, imageTokenId: number): Promise<GraphVocabulary> {
  const source = await readSource(folder);
  const { model, special } = source;
  checkRows(rows, model.ids.values(), 'a token');
  const table = place(source, imageTokenId);
  const template = templateOf(source, table);
  checkRows(rows, Object.values(template), 'a token that begins or ends every prompt');
  // A tokenizer may know more tokens than the model has rows: those can never be used.
  const idOf = (name: string): number => {
    const id = table.idOf(special.named.get(name));
    return id < rows ? id : -1;
  };
  return {
    kind: 'gpt2',
    tokens: table.rows(rows),
    merges: model.merges,
    charsmap: new Uint8Array(),
    addSpacePrefix: prefixOf(source),
    removeExtraWhitespaces: false,
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    unknownTokenId: idOf('unk_token'),
    padTokenId: idOf('pad_token'),
    ...template,
    cleanUpSpaces: special.config.bool('clean_up_tokenization_spaces', true),
  };
}
