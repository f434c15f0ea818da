import { logSumExp } from './float32.js';
import type { GenerationSettings } from './generation-settings.js';
import { createProcessor } from './processor-order.js';
import { seededRandom } from './random.js';
import { TextStream, type TokenText } from './text-stream.js';
import { greedy, multinomial } from './token-selector.js';

/** Where logits come from: a session of the engine, or a script in tests. Rows are sequences; this loop runs one, beams will run several. */
export interface LogitsSource {
  /** Reads the prompt; logits [V] of its last position. */
  prefill(): Promise<Float32Array>;
  /** Row i continues the sequence `parents[i]` of the last step (default: i) with `tokens[i]`; logits [rows,V]. */
  decode(tokens: Int32Array, parents?: Int32Array): Promise<Float32Array>;
}

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

/**
 * Generates one answer into `state`: scores → processors → token → text, until a stop id, a stop string or the length limit. A throw from `source`,
 * from a callback or of the signal's reason ends it and leaves `state` with what was delivered, `finishReason` 'abort'.
 */
export async function generate(
  source: LogitsSource,
  settings: GenerationSettings,
  hooks: GenerateHooks,
  state: GenerationState,
): Promise<void> {
  const process = createProcessor(settings);
  const select = settings.doSample ? multinomial(seededRandom(settings.seed)) : greedy;
  const stream = new TextStream(settings.stopStrings, hooks.cleanUpSpaces);
  const context = [...settings.contextPrefix];

  let scores = await source.prefill();
  for (;;) {
    hooks.signal?.throwIfAborted();
    const raw = hooks.onToken ? scores.slice() : scores;
    process(context, scores);
    const id = select(scores);
    context.push(id);
    state.tokens.push(id);

    const ended = settings.stopIds.includes(id);
    // A stop id that is text (`eosTokenId` of a full stop, say) is text of the answer, as in HF; special tokens have none.
    let text = stream.push(hooks.tokenText(id));
    let finishReason = finishReasonOf(ended || stream.stopped, state.tokens.length, settings);
    if (finishReason) text += stream.finish();
    // The last characters, held back until now, may complete a stop string.
    if (stream.stopped) finishReason = 'stop';
    await deliver(hooks, state, { id, text, index: state.tokens.length - 1 }, raw);
    if (finishReason) {
      state.finishReason = finishReason;
      return;
    }
    scores = await source.decode(Int32Array.of(id));
  }
}

function finishReasonOf(stopped: boolean, count: number, settings: GenerationSettings): FinishReason | null {
  if (stopped) return 'stop';
  return count >= settings.maxNewTokens ? 'length' : null;
}

async function deliver(
  hooks: GenerateHooks,
  state: GenerationState,
  token: Omit<GeneratedToken, 'logprob'>,
  raw: Float32Array,
): Promise<void> {
  if (hooks.onToken) {
    const logprob = (raw[token.id] as number) - logSumExp(raw);
    await settled(hooks.onToken({ ...token, logprob }), hooks.signal);
  }
  if (token.text === '') return;
  hooks.signal?.throwIfAborted();
  // Not before: after an abort in `onToken`, the pieces still join to the text.
  state.text += token.text;
  if (hooks.onText) await settled(hooks.onText(token.text), hooks.signal);
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
