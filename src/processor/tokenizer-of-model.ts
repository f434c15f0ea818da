import type { NativeModel } from '../native/addon.js';
import { ByteLevelBpeTokenizer } from './byte-level-bpe-tokenizer.js';
import type { LanguageTokenizer } from './language-tokenizer.js';
import { LlamaTokenizer } from './llama-tokenizer.js';
import { UnigramTokenizer } from './unigram-tokenizer.js';

/** The tokenizer of a model's language: the engine's for LLaMA, else what its vocabulary asks for. @throws MODEL_FILE_KEY_INVALID */
export function tokenizerOf(model: NativeModel): LanguageTokenizer {
  const vocabulary = model.languageVocabulary;
  if (vocabulary === null) return new LlamaTokenizer(model);
  return vocabulary.kind === 't5'
    ? new UnigramTokenizer(vocabulary, model.info)
    : new ByteLevelBpeTokenizer(vocabulary, model.info);
}
