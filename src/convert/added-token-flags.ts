import { join } from 'node:path';
import { createError } from '../errors.js';
import { isObject, type JsonObject, readJson } from './json-fields.js';

/**
 * HF can let added tokens swallow the spaces around them, or match them as whole words only: no field of ours says so. (What 4.34 does on its own is not
 * followed: without a tokenizer.json it lets `additional_special_tokens` that are plain strings swallow spaces; later versions do not.)
 */
function refuseStripping(tokens: readonly unknown[], where: string, allowed: ReadonlySet<string>): void {
  for (const token of tokens) {
    const name = isObject(token) ? ['lstrip', 'rstrip', 'single_word'].find(flag => token[flag] === true) : undefined;
    if (name === undefined) continue;
    const { content } = token as JsonObject;
    if (allowed.has(String(content))) continue;
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `${where}: the token '${String(content)}' has ${name}, which is not supported`,
    );
  }
}

/**
 * @param config tokenizer_config.json
 * @param allowed contents of tokens whose flags do not matter
 * @throws CHECKPOINT_UNSUPPORTED
 */
export async function checkAddedTokens(
  folder: string,
  tokenizer: JsonObject | undefined,
  config: JsonObject,
  allowed: ReadonlySet<string> = new Set(),
): Promise<void> {
  const valuesOf = (value: unknown): unknown[] =>
    Array.isArray(value) ? value : isObject(value) ? Object.values(value).flat() : [];
  refuseStripping(valuesOf(tokenizer?.added_tokens), 'tokenizer.json', allowed);
  refuseStripping([...valuesOf(config), ...valuesOf(config.added_tokens_decoder)], 'tokenizer_config.json', allowed);
  if (config.added_tokens_decoder) return;
  refuseStripping(
    valuesOf(await readJson(join(folder, 'special_tokens_map.json'))),
    'special_tokens_map.json',
    allowed,
  );
}
