import type { Beginning, CandidateTrie } from './candidate-tries.js';
import { logSumExp } from './float32.js';
import { type LogitsSource, scoresAreNoNumbers } from './run-searches.js';

/** A beginning that the model reads next. */
interface Pending {
  readonly node: Beginning;
  readonly token: number;
  /** Row of the last step that it continues. */
  readonly parent: number;
  /** Sum of log-probabilities up to `token`. */
  readonly score: number;
}

/** One row: a beginning, its score, and the logits behind it. */
interface Row extends Pick<Pending, 'node' | 'score'> {
  readonly logits: Float32Array;
}

/**
 * Scores answers that are given: the sum of the natural logarithms of their tokens' probabilities, without any processor. The prompt is read once and waits
 * while one trie after the other continues it; each beginning is computed once; rows of candidates that are complete leave.
 * @param onScore gets each candidate's index and score
 * @throws MODEL_FILE_CORRUPT: nothing can be ranked by scores that are no numbers
 */
export async function scoreCandidates(
  source: LogitsSource,
  tries: readonly CandidateTrie[],
  onScore: (candidate: number, score: number) => void,
): Promise<void> {
  const prompt = await source.prefill();
  /** Where the prompt is among the rows of the last step. */
  let promptRow = 0;
  for (const [index, { root }] of tries.entries()) {
    const promptWaits = index < tries.length - 1;
    let pending = follow({ node: root, score: 0, logits: prompt }, promptRow, onScore);
    while (pending.length > 0) {
      const parents = pending.map(({ parent }) => parent);
      if (promptWaits) parents.push(promptRow);
      const tokens = Int32Array.from(pending, ({ token }) => token);
      const logits = await source.decode(tokens, Int32Array.from(parents));
      const width = logits.length / pending.length;
      promptRow = pending.length;
      pending = pending.flatMap(({ node, score }, row) =>
        follow({ node, score, logits: logits.subarray(row * width, (row + 1) * width) }, row, onScore),
      );
    }
  }
}

/** Scores what a row goes on with; gives what has to be read for the rest. */
function follow(
  { node, score, logits }: Row,
  parent: number,
  onScore: (candidate: number, score: number) => void,
): Pending[] {
  const total = logSumExp(logits);
  if (!Number.isFinite(total)) throw scoresAreNoNumbers();
  const pending: Pending[] = [];
  for (const [token, next] of node.next) {
    const nextScore = score + (logits[token] as number) - total;
    for (const candidate of next.ends) onScore(candidate, nextScore);
    if (next.next.size > 0) pending.push({ node: next, token, parent, score: nextScore });
  }
  return pending;
}
