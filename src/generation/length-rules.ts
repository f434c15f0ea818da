import { ban, force, type LogitsProcessor } from './logits-processor.js';

/** HF `MinLengthLogitsProcessor` and `MinNewTokensLengthLogitsProcessor`: no stop id while the context is shorter than `length`. */
export const minLength =
  (length: number, stopIds: readonly number[]): LogitsProcessor =>
  (context, scores) => {
    if (context.length < length) ban(scores, stopIds);
  };

/** HF `ForcedBOSTokenLogitsProcessor`: the first generated token. `firstLength` = context length at that moment. */
export const forcedBos =
  (firstLength: number, id: number): LogitsProcessor =>
  (context, scores) => {
    if (context.length === firstLength) force(scores, [id]);
  };

/** HF `ForcedEOSTokenLogitsProcessor`: the last token when `maxLength` is reached. */
export const forcedEos =
  (maxLength: number, ids: readonly number[]): LogitsProcessor =>
  (context, scores) => {
    if (context.length === maxLength - 1) force(scores, ids);
  };

/** HF `ExponentialDecayLengthPenalty`: from context length `start` on, the stop ids gain |score| * (factor^steps - 1). */
export const exponentialDecay =
  (start: number, factor: number, stopIds: readonly number[]): LogitsProcessor =>
  (context, scores) => {
    if (context.length <= start) return;
    const gain = Math.fround(factor ** (context.length - start) - 1);
    for (const id of stopIds) {
      const score = scores[id] as number;
      scores[id] = score + Math.fround(Math.abs(score) * gain);
    }
  };

/** HF `SuppressTokensLogitsProcessor`. */
export const suppress =
  (ids: readonly number[]): LogitsProcessor =>
  (_context, scores) =>
    ban(scores, ids);

/** HF `SuppressTokensAtBeginLogitsProcessor`: only while the context has exactly `length` tokens. */
export const suppressAtLength =
  (length: number, ids: readonly number[]): LogitsProcessor =>
  (context, scores) => {
    if (context.length === length) ban(scores, ids);
  };
