import { OptionError } from '../errors.js';
import type { PromptIds } from '../generation/context-prefix.js';
import type { GeneratePrompt } from './generate-inputs.js';
import type { Engine } from './loaded-model.js';

/** A prompt as the processor of transformers >= 4.47 writes it: an image id for each soft token, then the text's ids, with their padding. */
export const promptIdsOf =
  (
    { model }: Engine,
    {
      pictures,
      ids,
      paddedIds = ids,
    }: Pick<GeneratePrompt, 'ids' | 'paddedIds'> & { readonly pictures: readonly unknown[] },
  ): PromptIds =>
  () => {
    const { imageTokenId, imageTokens } = model.info;
    if (imageTokenId < 0)
      throw new OptionError(
        'OPTION_INVALID',
        "compat: 'hf-5' needs the checkpoint's image_token_index, which its files do not name: convert a newer revision of it, or use 'hf-4.34'",
      );
    return [...new Array<number>(pictures.length * imageTokens).fill(imageTokenId), ...paddedIds];
  };
