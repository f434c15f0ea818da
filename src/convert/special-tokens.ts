import { join } from 'node:path';
import { createError } from '../errors.js';
import { Fields, isObject, type JsonObject, readJson } from './json-fields.js';

/** A token that HF's tokenizer adds to, or marks in, the base vocabulary. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Special tokens are matched in text by HF, and dropped by `skip_special_tokens`. */
  readonly special: boolean;
}

/** What the JSON files around a tokenizer say about its special tokens. */
export interface SpecialTokens {
  readonly added: readonly AddedToken[];
  /** Token text by HF's name: `bos_token`, `pad_token`, … */
  readonly named: ReadonlyMap<string, string>;
  /** All special token texts, in the order in which HF adds those that have no id yet. */
  readonly texts: readonly string[];
  /** `tokenizer_config.json`; empty where there is none. */
  readonly config: Fields;
}

// The order of HF's SPECIAL_TOKENS_ATTRIBUTES: the order of ids that are given out.
const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;

/** The text of a token that is written as a string or as a serialized AddedToken. */
function textOf(value: unknown): string | undefined {
  const text = isObject(value) ? value.content : value;
  return typeof text === 'string' ? text : undefined;
}

function addedFromDecoder(decoder: JsonObject): AddedToken[] {
  return Object.entries(decoder).flatMap(([id, token]) => {
    const content = textOf(token);
    return content === undefined
      ? []
      : [{ id: Number(id), content, special: isObject(token) && token.special === true }];
  });
}

function addedFromTokenizer(tokenizer: JsonObject | undefined): AddedToken[] {
  const list = tokenizer?.added_tokens;
  if (!Array.isArray(list)) return [];
  return list.flatMap(token => {
    const content = textOf(token);
    if (content === undefined || !isObject(token)) return [];
    return [{ id: Number(token.id), content, special: token.special === true }];
  });
}

function addedFromLegacy(json: JsonObject | undefined): AddedToken[] {
  return Object.entries(json ?? {}).map(([content, id]) => ({ id: Number(id), content, special: false }));
}

function checkIds(folder: string, tokens: readonly AddedToken[]): void {
  const bad = tokens.find(({ id }) => !Number.isInteger(id) || id < 0);
  if (bad) throw createError('CHECKPOINT_INVALID', `${folder}: the added token '${bad.content}' has no valid id`);
}

/**
 * Collects added and special tokens as transformers 4.34 does: `added_tokens_decoder` of tokenizer_config.json when it is there, else
 * special_tokens_map.json and added_tokens.json; `added_tokens` of tokenizer.json below both.
 * @param defaults the tokenizer class's own special tokens
 * @throws CHECKPOINT_INVALID
 */
export async function readSpecialTokens(
  folder: string,
  tokenizer: JsonObject | undefined,
  defaults: Readonly<Record<string, string>>,
): Promise<SpecialTokens> {
  const config = new Fields('tokenizer_config.json', (await readJson(join(folder, 'tokenizer_config.json'))) ?? {});
  const modern = config.object.added_tokens_decoder;
  const legacyMap = isObject(modern) ? {} : ((await readJson(join(folder, 'special_tokens_map.json'))) ?? {});
  const legacyAdded = isObject(modern) ? undefined : await readJson(join(folder, 'added_tokens.json'));

  const settings: JsonObject = { ...defaults, ...config.object, ...legacyMap };
  const named = new Map<string, string>();
  for (const name of NAMES) {
    const text = textOf(settings[name]);
    if (text !== undefined) named.set(name, text);
  }
  const additional = Array.isArray(settings.additional_special_tokens) ? settings.additional_special_tokens : [];
  const texts = [...new Set([...named.values(), ...additional.flatMap(token => textOf(token) ?? [])])];

  const byId = new Map<number, AddedToken>();
  const found = [
    ...addedFromTokenizer(tokenizer),
    ...addedFromLegacy(legacyAdded),
    ...(isObject(modern) ? addedFromDecoder(modern) : []),
  ];
  checkIds(folder, found);
  for (const token of found) {
    const special = token.special || texts.includes(token.content) || byId.get(token.id)?.special === true;
    byId.set(token.id, { ...token, special });
  }
  return { added: [...byId.values()].sort((a, b) => a.id - b.id), named, texts, config };
}
