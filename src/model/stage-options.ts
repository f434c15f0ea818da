/** What the `forward` of every class has in common. */
import { boolean, type OptionRule } from '../generation/option-rules.js';
import type { NativeAddon, NativeModel } from '../native/addon.js';
import { signalRule } from './ask-options.js';

/** What every `forward` may be asked for. What is not asked for is not kept. */
export interface OutputOptions {
  /** Return `hiddenStates`. Default false. */
  readonly outputHiddenStates?: boolean;
  /** Return attention weights (behind the softmax). Default false. */
  readonly outputAttentions?: boolean;
  /** Aborts the call in any phase; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Of tensors, which are checked together. */
export const anything: OptionRule = { expected: 'a Tensor', allows: () => true };
export const OUTPUT_RULES: Readonly<Record<keyof OutputOptions, OptionRule>> = {
  outputHiddenStates: boolean,
  outputAttentions: boolean,
  signal: signalRule,
};

/** What a stage runs on. */
export interface StageEngine {
  readonly addon: Pick<NativeAddon, 'CancelToken'>;
  readonly model: NativeModel;
}
