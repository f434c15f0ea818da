import type { TokenText } from '../generation/text-stream.js';
import type { NativeModel, NativeModelInfo } from '../native/addon.js';
import { nativeCall } from '../native/native-call.js';
import type { EncodeOptions, LanguageTokenizer } from './language-tokenizer.js';

/** A loaded model, or its vocabulary alone. */
type EngineModel = Pick<NativeModel, 'tokenize' | 'tokenBytes'> & {
  readonly info: Pick<NativeModelInfo, 'vocabularySize' | 'longestTokenBytes'>;
};

/** LLaMA's SentencePiece BPE, through libllama: the vocabulary is the model file's own. Prompts are [BOS][text]. */
export class LlamaTokenizer implements LanguageTokenizer {
  readonly #model: EngineModel;
  readonly #firstByte: number;

  constructor(model: EngineModel) {
    this.#model = model;
    this.#firstByte = findByteTokens(model);
  }

  encode(text: string, { parseSpecial = false }: EncodeOptions = {}): Int32Array {
    return nativeCall(() => this.#model.tokenize(text, { addBos: true, parseSpecial }));
  }

  tokenText(id: number): TokenText {
    const first = this.#firstByte;
    return { bytes: this.#model.tokenBytes(id, false), isByte: first >= 0 && id >= first && id < first + 256 };
  }

  /** libllama takes half a minute for a megabyte of newlines, and nobody else's JavaScript runs meanwhile. */
  leastTokens(text: string): number {
    return Math.floor(Buffer.byteLength(text) / this.#model.info.longestTokenBytes);
  }
}

/**
 * First id of the 256 byte tokens `<0x00>`..`<0xFF>`, or -1. They follow each other in every LLaMA vocabulary (3..258), and a piece of text can never
 * be the single byte 0x80, so that one tells where they are.
 */
function findByteTokens(model: EngineModel): number {
  for (let id = 0; id < model.info.vocabularySize; id++) {
    const bytes = model.tokenBytes(id, false);
    if (bytes.length === 1 && bytes[0] === 0x80) {
      const first = id - 0x80;
      return first >= 0 && first + 256 <= model.info.vocabularySize ? first : -1;
    }
  }
  return -1;
}
