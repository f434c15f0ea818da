import type { GenerationSettings } from './generation-settings.js';
import { TextStream, type TokenText } from './text-stream.js';

/** One token as it was chosen. */
export interface GeneratedToken {
  readonly id: number;
  /** Text that this token added to the answer; '' while bytes of a character, white space or a possible stop string are held back. */
  readonly text: string;
  /** Natural logarithm of the model's own probability, before any processor. */
  readonly logprob: number;
  /** 0 for the first token of the answer. */
  readonly index: number;
}

export type FinishReason = 'stop' | 'length' | 'abort';

export interface GenerateHooks {
  readonly tokenText: (id: number) => TokenText;
  /** The tokenizer's `clean_up_tokenization_spaces`; missing = false. */
  readonly cleanUpSpaces?: boolean;
  /** Aborts between and inside steps; the reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Each is waited for before the next step. */
  readonly onText?: ((text: string) => unknown) | undefined;
  readonly onToken?: ((token: GeneratedToken) => unknown) | undefined;
}

/** What there is of an answer; grows while the loop runs, so that an aborted call still has it. */
export interface GenerationState {
  readonly tokens: number[];
  text: string;
  finishReason: FinishReason;
}

export const newGenerationState = (): GenerationState => ({ tokens: [], text: '', finishReason: 'abort' });

/** Takes the tokens of an answer, one after the other, and tells the caller what they add to its text. */
export class AnswerWriter {
  readonly #stream: TextStream;
  readonly #hooks: GenerateHooks;
  readonly #state: GenerationState;

  constructor({ stopStrings, constraint }: GenerationSettings, hooks: GenerateHooks, state: GenerationState) {
    this.#stream = new TextStream(stopStrings, hooks.cleanUpSpaces, constraint !== null);
    this.#hooks = hooks;
    this.#state = state;
  }

  /**
   * One token more. `end`: why it is the last one, or null. A stop string ends the answer too.
   * @returns whether the answer has ended
   */
  async write(id: number, logprob: () => number, end: FinishReason | null): Promise<boolean> {
    const { tokens } = this.#state;
    tokens.push(id);
    // A stop id that is text (`eosTokenId` of a full stop, say) is text of the answer, as in HF; special tokens have none.
    let text = this.#stream.push(this.#hooks.tokenText(id));
    if (end || this.#stream.stopped) text += this.#stream.finish();
    // The last characters, held back until now, may complete a stop string.
    const reason = this.#stream.stopped ? 'stop' : end;
    await this.#deliver({ id, text, index: tokens.length - 1 }, logprob);
    if (reason) this.#state.finishReason = reason;
    return reason !== null;
  }

  async #deliver(token: Omit<GeneratedToken, 'logprob'>, logprob: () => number): Promise<void> {
    const { onToken, onText, signal } = this.#hooks;
    if (onToken) await settled(onToken({ ...token, logprob: logprob() }), signal);
    if (token.text === '') return;
    signal?.throwIfAborted();
    // Not before: after an abort in `onToken`, the pieces still join to the text.
    this.#state.text += token.text;
    if (onText) await settled(onText(token.text), signal);
  }
}

/** Waits for a callback's promise, but not beyond an abort: a reader that never comes back must not keep the call alive. */
async function settled(result: unknown, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) {
    await result;
    return;
  }
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([result, aborted]);
    signal.throwIfAborted();
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}
