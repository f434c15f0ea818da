import type { LogitsProcessor } from './logits-processor.js';

/** A sequence of ids and what is added to the score of its last id when the ids before it have just been generated. */
export interface SequenceBias {
  readonly ids: readonly number[];
  readonly bias: number;
}

function endsWith(context: readonly number[], prefix: readonly number[]): boolean {
  const start = context.length - prefix.length;
  return prefix.every((id, i) => context[start + i] === id);
}

/**
 * HF `SequenceBiasLogitsProcessor`. Its quirk is kept: a sequence of several ids is skipped while it is longer than the context, although its prefix
 * may already be complete.
 */
export function sequenceBias(sequences: readonly SequenceBias[]): LogitsProcessor {
  // Single ids first: the order in which HF sums float32 values.
  const ordered = [...sequences].sort((a, b) => Math.min(a.ids.length, 2) - Math.min(b.ids.length, 2));
  return (context, scores) => {
    const sums = new Map<number, number>();
    for (const { ids, bias } of ordered) {
      const applies = ids.length === 1 || (ids.length <= context.length && endsWith(context, ids.slice(0, -1)));
      if (!applies) continue;
      const last = ids[ids.length - 1] as number;
      sums.set(last, Math.fround((sums.get(last) ?? 0) + Math.fround(bias)));
    }
    for (const [id, bias] of sums) scores[id] = (scores[id] as number) + bias;
  };
}

/** HF `NoBadWordsLogitsProcessor`: a bias of minus infinity; words that are just a stop id are left alone. */
export function badWords(words: readonly (readonly number[])[], stopIds: readonly number[]): LogitsProcessor {
  const kept = words.filter(word => !(word.length === 1 && stopIds.includes(word[0] as number)));
  return sequenceBias(kept.map(ids => ({ ids, bias: Number.NEGATIVE_INFINITY })));
}
