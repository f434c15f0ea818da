import type { TokenText } from '../generation/text-stream.js';
import type { NativeModel } from '../native/addon.js';

/**
 * First id of the 256 byte tokens `<0x00>`..`<0xFF>`, or -1. They follow each other in every LLaMA vocabulary (3..258), and a piece of text can never
 * be the single byte 0x80, so that one tells where they are.
 */
function findByteTokens(model: NativeModel): number {
  for (let id = 0; id < model.info.vocabularySize; id++) {
    const bytes = model.tokenBytes(id, false);
    if (bytes.length === 1 && bytes[0] === 0x80) {
      const first = id - 0x80;
      return first >= 0 && first + 256 <= model.info.vocabularySize ? first : -1;
    }
  }
  return -1;
}

/** How each token appears in text. The byte tokens are looked for once. */
export function tokenTexts(model: NativeModel): (id: number) => TokenText {
  const first = findByteTokens(model);
  return id => ({ bytes: model.tokenBytes(id, false), isByte: first >= 0 && id >= first && id < first + 256 });
}
