import { logSoftmax } from './float32.js';
import type { LogitsProcessor } from './logits-processor.js';

const FLOAT32_MAX = 3.4028234663852886e38;

/** HF `InfNanRemoveLogitsProcessor`: NaN becomes 0, +infinity the largest float32; -infinity stays, or becomes the smallest (`minusToo`). */
export const removeInvalid =
  (minusToo: boolean): LogitsProcessor =>
  (_context, scores) => {
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i] as number;
      if (Number.isNaN(score)) scores[i] = 0;
      else if (score === Number.POSITIVE_INFINITY) scores[i] = FLOAT32_MAX;
      else if (minusToo && score === Number.NEGATIVE_INFINITY) scores[i] = -FLOAT32_MAX;
    }
  };

/** HF `LogitNormalization`: log-softmax. */
export const renormalize: LogitsProcessor = (_context, scores) => scores.set(logSoftmax(scores));
