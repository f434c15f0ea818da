import type { NativeAddon, NativeModel } from '../native/addon.js';
import type { ImageInput } from '../processor/image-input.js';
import type { LanguageTokenizer } from '../processor/language-tokenizer.js';
import type { VisionIdentity } from './vision-identity.js';

/** What the façade is composed of. `load.ts` makes the real ones; tests script them. */
export interface ModelParts {
  readonly addon: Pick<NativeAddon, 'CancelToken'>;
  readonly model: NativeModel;
  /** → pixels [1,3,S,S]. */
  readonly prepareImage: (image: ImageInput, signal: AbortSignal) => Promise<Float32Array>;
  /** Instruction → ids with [CLS] and [SEP], as long as it comes. */
  readonly qformerIds: (text: string) => Int32Array;
  readonly tokenizer: LanguageTokenizer;
  /** Of the vision encoder's file. */
  readonly visionIdentity: () => Promise<VisionIdentity>;
}
