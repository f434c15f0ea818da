import type { RowSettings } from '../convert/row-settings.js';
import type { ImageDefaults } from './blip-image-processor.js';
import type { TextCodec } from './text-codec.js';

/** A tokenizer, as a source of either kind describes it. */
export interface TokenizerSource extends RowSettings {
  readonly codec: TextCodec;
  /** -1 = none, as all ids here. */
  readonly padTokenId: number;
  /** What a text gets in front and behind. */
  readonly front: readonly number[];
  readonly behind: readonly number[];
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
