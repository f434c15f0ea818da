import { createError } from '../errors.js';
import type { GgufEntry } from '../gguf/gguf-header.js';
import type { Fields } from './json-fields.js';
import { readLlamaConfig } from './llama-config.js';
import { llamaMetadata } from './llama-metadata.js';
import { llamaTensors } from './llama-tensors.js';
import { readOptConfig } from './opt-config.js';
import { optMetadata } from './opt-metadata.js';
import { optTensors } from './opt-tensors.js';
import { readT5Config } from './t5-config.js';
import { t5Metadata } from './t5-metadata.js';
import { t5Tensors } from './t5-tensors.js';
import type { TensorRule } from './tensor-rules.js';
import type { TextConfig, TextType } from './text-config.js';
import { readGraphTokenizer, readLlamaTokenizer, type TextTokenizer } from './text-tokenizer.js';

/** What differs between language models when they are converted. The type is the GGUF's architecture too. */
export interface TextModel<Config extends TextConfig> {
  readonly readConfig: (fields: Fields) => Config;
  readonly tensors: (config: Config) => TensorRule[];
  /** The keys `<architecture>.*`. */
  readonly metadata: (config: Config) => GgufEntry[];
  /** @param rows rows of the embedding @param imageTokenId -1 = none */
  readonly readTokenizer: (folder: string, rows: number, imageTokenId: number) => Promise<TextTokenizer>;
}

const TEXT_MODELS: { readonly [Type in TextType]: TextModel<Extract<TextConfig, { type: Type }>> } = {
  llama: {
    readConfig: readLlamaConfig,
    tensors: llamaTensors,
    metadata: llamaMetadata,
    readTokenizer: readLlamaTokenizer,
  },
  t5: { readConfig: readT5Config, tensors: t5Tensors, metadata: t5Metadata, readTokenizer: readGraphTokenizer },
  opt: { readConfig: readOptConfig, tensors: optTensors, metadata: optMetadata, readTokenizer: readGraphTokenizer },
};

export const isTextType = (type: string): type is TextType => Object.hasOwn(TEXT_MODELS, type);

/** The row of the table that a config belongs to: its type says which, which TypeScript cannot follow. */
export function textModel<Config extends TextConfig>(config: Config): TextModel<Config> {
  return TEXT_MODELS[config.type] as unknown as TextModel<Config>;
}

/**
 * Reads `text_config` by its `model_type`. HF's default, also of a missing text_config, is OPT.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export function readTextConfig(fields: Fields): TextConfig {
  const type = fields.string('model_type', 'opt');
  if (isTextType(type)) return TEXT_MODELS[type].readConfig(fields);
  throw createError(
    'CHECKPOINT_UNSUPPORTED',
    `${fields.where}: the language model is of type '${type}', which is not supported; supported are llama (Vicuna), t5 (Flan-T5) and opt`,
  );
}
