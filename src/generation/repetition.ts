import { ban, type LogitsProcessor } from './logits-processor.js';

/** HF `RepetitionPenaltyLogitsProcessor`: once per distinct id of the context, negative scores times the penalty, others divided by it. */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  const factor = Math.fround(penalty);
  return (context, scores) => {
    for (const id of new Set(context)) {
      const score = scores[id] as number;
      scores[id] = score < 0 ? score * factor : score / factor;
    }
  };
}

/** HF `NoRepeatNGramLogitsProcessor`: bans every token that followed the context's last `size - 1` tokens before. */
export function noRepeatNgram(size: number): LogitsProcessor {
  const prefixLength = size - 1;
  return (context, scores) => {
    const tail = context.length - prefixLength;
    for (let start = 0; start < tail; start++) {
      let matched = 0;
      while (matched < prefixLength && context[start + matched] === context[tail + matched]) matched++;
      if (matched === prefixLength) ban(scores, [context[start + prefixLength] as number]);
    }
  };
}
