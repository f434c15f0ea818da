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

/** HF `HammingDiversityLogitsProcessor` (Vijayakumar et al. 2016): minus the penalty for each time that another group took the token in this step. */
export function hammingDiversity(penalty: number, taken: readonly number[]): LogitsProcessor {
  return (_context, scores) => {
    // As HF: the count times the penalty, taken off once.
    const counts = new Map<number, number>();
    for (const id of taken) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const [id, count] of counts) scores[id] = (scores[id] as number) - Math.fround(penalty * count);
  };
}
