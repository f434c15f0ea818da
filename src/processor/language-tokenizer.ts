import type { TokenText } from '../generation/text-stream.js';

export interface EncodeOptions {
  /** Text in the shape of special tokens becomes those tokens, as in HF's processor. Default: false, it stays text. */
  readonly parseSpecial?: boolean;
}

/** Questions → ids of the language model, and ids → text. What each model file brings decides which one it is. */
export interface LanguageTokenizer {
  /** Ids of a prompt, with what the checkpoint's tokenizer puts in front (LLaMA, OPT: BOS) and behind (T5: `</s>`). Neither cut nor padded. */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** How a token appears in text. */
  tokenText(id: number): TokenText;
  /** No fewer tokens can come of `text`: cheap, so that a hopeless text is refused before it is tokenized. */
  leastTokens(text: string): number;
}
