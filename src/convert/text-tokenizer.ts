import { createError } from '../errors.js';
import type { GgufEntry } from '../gguf/gguf-header.js';
import { readLanguageVocabulary } from './language-vocabulary.js';
import { llamaTokenizerMetadata } from './llama-metadata.js';

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

/** That of a model with an own graph. @throws CHECKPOINT_UNSUPPORTED until its readers are here */
export async function readGraphTokenizer(folder: string): Promise<TextTokenizer> {
  throw createError('CHECKPOINT_UNSUPPORTED', `${folder}: tokenizers of T5 and OPT are not supported yet`);
}
