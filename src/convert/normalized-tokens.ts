import { join } from 'node:path';
import { createError } from '../errors.js';
import { type GgufEntry, i32s } from '../gguf/gguf-header.js';
import type { NativeGgufFile } from '../native/addon.js';
import { TOKEN_TYPES } from './base-vocabulary.js';
import { isObject, readJson } from './json-fields.js';
import { readSpecialTokens } from './special-tokens.js';

/** Tokens that HF matches in text before all else. */
export const isAddedType = (type: number | undefined): boolean =>
  type === TOKEN_TYPES.control || type === TOKEN_TYPES.unknown || type === TOKEN_TYPES.userDefined;

/** Serialized tokens anywhere in a list or an object. */
function serialized(value: unknown): readonly unknown[] {
  if (!isObject(value) && !Array.isArray(value)) return [];
  return Object.values(value).flatMap(each => (Array.isArray(each) ? each : [each]));
}

/**
 * The flag `normalized` of added tokens, as transformers 4.34's fast tokenizer of LLaMA ends up with it: that of tokenizer.json, else that of the JSON files around
 * it; without either, tokens of added_tokens.json are normalized, the others not. (Found by trial: the first of several versions of a token stays.)
 */
async function readFlags(folder: string): Promise<ReadonlyMap<string, boolean>> {
  const read = async (name: string) => (await readJson(join(folder, name))) ?? {};
  const tokenizer = await read('tokenizer.json');
  const config = await read('tokenizer_config.json');
  const legacy = isObject(config.added_tokens_decoder) ? {} : await read('added_tokens.json');
  const map = isObject(config.added_tokens_decoder) ? {} : await read('special_tokens_map.json');
  const flags = new Map<string, boolean>();
  const add = (content: string, normalized: boolean): void => {
    if (!flags.has(content)) flags.set(content, normalized);
  };
  const addAll = (tokens: readonly unknown[]): void => {
    for (const token of tokens) {
      if (!isObject(token) || typeof token.content !== 'string') continue;
      add(token.content, typeof token.normalized === 'boolean' ? token.normalized : token.special !== true);
    }
  };
  if (Object.keys(tokenizer).length > 0) {
    addAll(serialized(tokenizer.added_tokens));
    // Special tokens that it does not know are added as plain ones, whatever flags the other files have.
    for (const content of (await readSpecialTokens(folder, tokenizer, {})).texts) add(content, false);
  } else for (const content of ['<unk>', '<s>', '</s>']) add(content, false);
  addAll(serialized(config.added_tokens_decoder));
  addAll(serialized(map));
  addAll(serialized(config));
  for (const content of Object.keys(legacy)) add(content, true);
  return flags;
}

/**
 * Ids of LLaMA's added tokens that HF looks for in text as the normalizer leaves it: only where a space or the beginning of a stretch is in front of them,
 * which they take along.
 * @param entries `tokenizer.ggml.*`
 * @throws CHECKPOINT_INVALID
 */
export async function readNormalizedTokens(folder: string, entries: readonly GgufEntry[]): Promise<readonly number[]> {
  const flags = await readFlags(folder);
  const tokens = entries.find(({ key }) => key === 'tokenizer.ggml.tokens')?.value as readonly string[];
  const types = entries.find(({ key }) => key === 'tokenizer.ggml.token_type')?.value as Int32Array;
  return tokens.flatMap((text, id) => (isAddedType(types[id]) && flags.get(text) ? [id] : []));
}

const KEY = 'instructblip.text.tokenizer.normalized_tokens';

/** The key of docs/gguf.md that keeps them. */
export const normalizedMetadata = (ids: readonly number[]): GgufEntry => i32s(KEY, ids);

/** Those of a vision file; none where it has no such key. @throws MODEL_FILE_KEY_INVALID */
export function normalizedOfFile(path: string, file: NativeGgufFile): readonly number[] {
  const value = file.metadata.find(({ key }) => key === KEY)?.value ?? new Int32Array();
  if (Object.prototype.toString.call(value) === '[object Int32Array]') return Array.from(value as Int32Array);
  throw createError('MODEL_FILE_KEY_INVALID', `key '${KEY}' of ${path} must be an array of i32`);
}
