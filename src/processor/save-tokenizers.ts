import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readJson } from '../convert/json-fields.js';
import type { TextType } from '../convert/text-config.js';
import { createError } from '../errors.js';

/** All that transformers 4.34 reads for a tokenizer of ours. */
const FILES = [
  'tokenizer.json',
  'tokenizer.model',
  'spiece.model',
  'vocab.json',
  'merges.txt',
  'vocab.txt',
  'added_tokens.json',
  'special_tokens_map.json',
];
const CONFIG = 'tokenizer_config.json';
/** What AutoTokenizer would not find out without config.json. */
const CLASSES: Readonly<Record<TextType, string>> = {
  llama: 'LlamaTokenizer',
  t5: 'T5Tokenizer',
  opt: 'GPT2Tokenizer',
};

/** @throws OUTPUT_WRITE_FAILED */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw createError('OUTPUT_WRITE_FAILED', `${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}

async function copyOne(from: string, to: string): Promise<boolean> {
  const bytes = await readFile(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw createError('CHECKPOINT_INVALID', `${from} cannot be read: ${error.message}`, { cause: error });
  });
  if (bytes) await writing(to, () => writeFile(to, bytes));
  return bytes !== undefined;
}

async function saveFolder(from: string, to: string, className: string): Promise<void> {
  await writing(to, () => mkdir(to, { recursive: true }));
  let count = 0;
  for (const name of FILES) if (await copyOne(join(from, name), join(to, name))) count++;
  if (count === 0)
    throw createError(
      'CHECKPOINT_NOT_FOUND',
      `${from} holds no tokenizer files any more: download the checkpoint again`,
    );
  const config = (await readJson(join(from, CONFIG))) ?? {};
  if (config.tokenizer_class !== undefined) {
    await writing(join(to, CONFIG), () => copyFile(join(from, CONFIG), join(to, CONFIG)));
    return;
  }
  const text = `${JSON.stringify({ ...config, tokenizer_class: className }, null, 2)}\n`;
  await writing(join(to, CONFIG), () => writeFile(join(to, CONFIG), text));
}

/**
 * The files of both tokenizers of a checkpoint as they are, with the tokenizers' classes where they were left to config.json.
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, OUTPUT_WRITE_FAILED
 */
export async function saveTokenizerFiles(from: string, to: string, kind: TextType): Promise<void> {
  if (resolve(from) === resolve(to)) return;
  await saveFolder(from, to, CLASSES[kind]);
  await saveFolder(join(from, 'qformer_tokenizer'), join(to, 'qformer_tokenizer'), 'BertTokenizer');
}
