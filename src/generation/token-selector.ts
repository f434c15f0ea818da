import { maximum } from './float32.js';
import type { Random } from './random.js';

/** Chooses a token from processed scores. */
export type TokenSelector = (scores: Float32Array) => number;

/** The best token; of equal ones the first, as torch.argmax. NaN is never chosen. */
export const greedy: TokenSelector = scores => {
  let best = 0;
  for (let i = 1; i < scores.length; i++) {
    if ((scores[i] as number) > (scores[best] as number) || Number.isNaN(scores[best])) best = i;
  }
  return best;
};

/** Draws with probability softmax(scores) by inverting the cumulative distribution, summed in double in the order of ids. */
export const multinomial =
  (random: Random): TokenSelector =>
  scores => {
    const largest = maximum(scores);
    // Nothing possible is left, or several infinities: no distribution to draw from.
    if (!Number.isFinite(largest)) return greedy(scores);
    const weights = new Float64Array(scores.length);
    let total = 0;
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i] as number;
      const weight = Number.isNaN(score) ? 0 : Math.exp(score - largest);
      weights[i] = weight;
      total += weight;
    }
    let rest = random() * total;
    let last = 0;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] as number;
      if (weight === 0) continue;
      last = i;
      rest -= weight;
      if (rest < 0) return i;
    }
    // Rounding left a crumb: the last token that was possible.
    return last;
  };
