import type { NativeModel } from '../native/addon.js';
import { nativeCall } from '../native/native-call.js';

export interface LlamaPromptOptions {
  /** Text in the shape of special tokens becomes those tokens, as in HF's processor. Default: false, it stays text. */
  readonly parseSpecial?: boolean;
}

/** Questions as the language model reads them: [BOS][text]. The vocabulary is the model file's own, through libllama. */
export class LlamaPrompt {
  readonly #model: Pick<NativeModel, 'tokenize'>;

  constructor(model: Pick<NativeModel, 'tokenize'>) {
    this.#model = model;
  }

  encode(text: string, options: LlamaPromptOptions = {}): Int32Array {
    const parseSpecial = options.parseSpecial ?? false;
    return nativeCall(() => this.#model.tokenize(text, { addBos: true, parseSpecial }));
  }
}
