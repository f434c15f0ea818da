import type { GenerationFields } from '../config/generation-fields.js';
import { type GgufEntry, string, u32 } from '../gguf/gguf-header.js';
import { fileTypeId, type LanguageModelType } from '../gguf/tensor-types.js';
import type { TextConfig } from './text-config.js';
import { textModel } from './text-models.js';
import type { TextTokenizer } from './text-tokenizer.js';

/** Version of ggml's quantized formats, for `general.quantization_version`. */
export const QUANTIZATION_VERSION = 2;

/** Settings of `generate` in the checkpoint's `text_config`: JSON, by our names. */
const GENERATION_KEY = 'instructblip.generation';

/** Metadata of the language model file. */
export function languageModelMetadata(
  name: string,
  type: LanguageModelType,
  config: TextConfig,
  tokenizer: TextTokenizer,
  generation: GenerationFields,
): GgufEntry[] {
  return [
    string('general.architecture', config.type),
    string('general.type', 'model'),
    string('general.name', name),
    u32('general.file_type', fileTypeId(type)),
    u32('general.quantization_version', QUANTIZATION_VERSION),
    ...textModel(config).metadata(config),
    ...(Object.keys(generation).length > 0 ? [string(GENERATION_KEY, JSON.stringify(generation))] : []),
    ...tokenizer.entries,
  ];
}
