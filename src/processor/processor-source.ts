import type { Side } from './batch-encoding.js';
import type { ImageDefaults } from './blip-image-processor.js';
import type { TextCodec } from './text-codec.js';

/** HF's `model_type` of a language model. */
export type LanguageModelKind = 'llama' | 't5' | 'opt';

/** A tokenizer, as a source of either kind describes it. */
export interface TokenizerSource {
  readonly codec: TextCodec;
  readonly paddingSide: Side;
  readonly truncationSide: Side;
  /** Infinity = unknown. */
  readonly modelMaxLength: number;
  /** -1 = none, as all ids here. */
  readonly padTokenId: number;
  /** What a text gets in front and behind. */
  readonly front: readonly number[];
  readonly behind: readonly number[];
  readonly cleanUpTokenizationSpaces: boolean;
}

/** What a processor is made of. */
export interface ProcessorSource {
  readonly image: ImageDefaults;
  readonly tokenizer: TokenizerSource;
  readonly qformerTokenizer: TokenizerSource;
  /** Writes the tokenizers' files as HF lays them out. @throws CHECKPOINT_NOT_FOUND, OUTPUT_WRITE_FAILED, OPTION_UNSUPPORTED */
  readonly saveTokenizers: (folder: string) => Promise<void>;
}

export const presentIds = (...ids: readonly number[]): readonly number[] => ids.filter(id => id >= 0);
