import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { createError } from '../errors.js';
import type { GgufEntry } from '../gguf/gguf-header.js';
import { readBpeVocabulary } from './bpe-vocabulary.js';
import { type GraphVocabulary, graphTokenizerMetadata } from './graph-vocabulary.js';
import { isObject, readJson } from './json-fields.js';
import { readLanguageVocabulary } from './language-vocabulary.js';
import { llamaTokenizerMetadata } from './llama-metadata.js';
import { readUnigramVocabulary } from './unigram-vocabulary.js';

/** A language model's tokenizer, ready to be written. */
export interface TextTokenizer {
  /** The keys `tokenizer.ggml.*`. */
  readonly entries: readonly GgufEntry[];
  /** What it puts in front of a prompt and behind it; -1 = nothing. */
  readonly promptBosTokenId: number;
  readonly promptEosTokenId: number;
  /** `clean_up_tokenization_spaces`. */
  readonly cleanUpSpaces: boolean;
}

/** LLaMA's, which libllama runs. @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED */
export async function readLlamaTokenizer(folder: string, rows: number, imageTokenId: number): Promise<TextTokenizer> {
  const vocabulary = await readLanguageVocabulary(folder, rows, imageTokenId);
  const { promptBosTokenId, cleanUpSpaces } = vocabulary;
  return { entries: llamaTokenizerMetadata(vocabulary), promptBosTokenId, promptEosTokenId: -1, cleanUpSpaces };
}

type ReadVocabulary = (folder: string, rows: number, imageTokenId: number) => Promise<GraphVocabulary>;

const isThere = (folder: string, name: string): Promise<boolean> =>
  access(join(folder, name)).then(
    () => true,
    () => false,
  );

/** What the folder holds decides, as in HF: tokenizer.json first. */
async function vocabularyReader(folder: string): Promise<ReadVocabulary> {
  const json = await readJson(join(folder, 'tokenizer.json'));
  if (json) {
    const type = isObject(json.model) ? json.model.type : undefined;
    if (type === 'Unigram') return readUnigramVocabulary;
    if (type === 'BPE') return readBpeVocabulary;
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `tokenizer.json has a model of type ${JSON.stringify(type)}; supported are 'Unigram' (T5) and 'BPE' (OPT)`,
    );
  }
  if (await isThere(folder, 'spiece.model')) return readUnigramVocabulary;
  if ((await isThere(folder, 'vocab.json')) && (await isThere(folder, 'merges.txt'))) return readBpeVocabulary;
  if (await isThere(folder, 'tokenizer.model')) return readUnigramVocabulary;
  throw createError(
    'CHECKPOINT_NOT_FOUND',
    `${folder} has no tokenizer.json, no spiece.model, and no vocab.json with merges.txt: download its tokenizer`,
  );
}

/** That of a model with an own graph: either kind with either model. @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED */
export async function readGraphTokenizer(folder: string, rows: number, imageTokenId: number): Promise<TextTokenizer> {
  const read = await vocabularyReader(folder);
  const vocabulary = await read(folder, rows, imageTokenId);
  const { promptBosTokenId, promptEosTokenId, cleanUpSpaces } = vocabulary;
  return { entries: graphTokenizerMetadata(vocabulary), promptBosTokenId, promptEosTokenId, cleanUpSpaces };
}
