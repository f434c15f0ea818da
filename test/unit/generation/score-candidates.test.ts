import { candidateTries } from '../../../src/generation/candidate-tries.js';
import { logSumExp } from '../../../src/generation/float32.js';
import type { LogitsSource } from '../../../src/generation/run-searches.js';
import { scoreCandidates } from '../../../src/generation/score-candidates.js';
import { randomNumbers } from '../support/random.js';
import { BOS, logitsOf, MODEL } from './support/tables.js';

const ids = (...tokens: number[]) => Int32Array.from(tokens);

/** A session of one prompt in the language of table 0; counts what it computes and how many rows it holds. */
function session() {
  let rows: number[][] = [];
  const seen = { prefills: 0, tokens: 0, mostRows: 0 };
  const source: LogitsSource = {
    prefill: async () => {
      seen.prefills += 1;
      rows = [[BOS]];
      return logitsOf(0, [BOS]);
    },
    decode: async (tokens, parents) => {
      const before = rows;
      rows = Array.from(parents, (parent, i) => [...before[parent]!, ...tokens.slice(i, i + 1)]);
      seen.tokens += tokens.length;
      seen.mostRows = Math.max(seen.mostRows, rows.length);
      return Float32Array.from(rows.slice(0, tokens.length).flatMap(context => [...logitsOf(0, context)]));
    },
  };
  return { source, seen };
}

/** Token by token, each from the whole context. */
function scoreAlone(candidate: Int32Array): number {
  const context = [BOS];
  let score = 0;
  for (const token of candidate) {
    const logits = logitsOf(0, context);
    score += logits[token]! - logSumExp(logits);
    context.push(token);
  }
  return score;
}

async function score(candidates: readonly Int32Array[], width: number, inner: number) {
  const tries = candidateTries(candidates, { width, inner });
  const { source, seen } = session();
  const scores = new Map<number, number>();
  await scoreCandidates(source, tries, (candidate, found) => {
    if (scores.has(candidate)) throw new Error(`candidate ${candidate} twice`);
    scores.set(candidate, found);
  });
  return { tries, seen, scores: candidates.map((_, i) => scores.get(i)!) };
}

describe('given answers', () => {
  it('are scored as each is alone, whatever the limits', async () => {
    const random = randomNumbers(8);
    const below = (limit: number) => Math.floor(((random() + 1) / 2) * limit);
    for (let round = 0; round < 60; round++) {
      // Few different tokens: most candidates begin like others, some are others' beginnings, some are equal.
      const candidates = Array.from({ length: 1 + below(30) }, () =>
        Int32Array.from({ length: 1 + below(5) }, () => 3 + below(1 + below(MODEL.vocabularySize - 3))),
      );
      const width = 1 + below(6);
      const inner = 4 + below(10);
      const { tries, seen, scores } = await score(candidates, width, inner);
      for (const [i, candidate] of candidates.entries()) expect(scores[i]).toBeCloseTo(scoreAlone(candidate), 10);
      expect(seen.prefills).toBe(1);
      // The prompt waits beside them.
      expect(seen.mostRows).toBeLessThanOrEqual(width + 1);
      expect(seen.tokens).toBe(tries.reduce((sum, trie) => sum + trie.inner, 0));
      for (const trie of tries) expect(trie.inner).toBeLessThanOrEqual(inner);
    }
  });

  it('that begin alike are computed once, and last tokens never', async () => {
    const candidates = [ids(3, 4, 5), ids(3, 4, 6), ids(3, 4), ids(3), ids(7), ids(3, 4, 5)];
    const { seen, tries, scores } = await score(candidates, 5, 100);
    expect({ ...seen, tries: tries.length }).toEqual({ prefills: 1, tokens: 2, mostRows: 1, tries: 1 });
    expect(scores[0]).toBe(scores[5]);
  });

  it('of one token need nothing but the prompt, however many they are', async () => {
    const candidates = Array.from({ length: 500 }, (_, i) => ids(i % MODEL.vocabularySize));
    expect((await score(candidates, 1, 0)).seen).toEqual({ prefills: 1, tokens: 0, mostRows: 0 });
  });

  it('take no more parts than the limits make necessary', () => {
    const candidates = Array.from({ length: 12 }, (_, i) => ids(i, 3));
    const sizes = (width: number, inner: number) =>
      candidateTries(candidates, { width, inner }).map(trie => [trie.width, trie.inner]);
    expect(sizes(12, 12)).toEqual([[12, 12]]);
    expect(sizes(5, 12)).toEqual([
      [5, 5],
      [5, 5],
      [2, 2],
    ]);
    expect(sizes(12, 6)).toEqual([
      [6, 6],
      [6, 6],
    ]);
    expect(() => candidateTries([ids(1, 2, 3)], { width: 1, inner: 1 })).toThrow(RangeError);
  });

  it('cannot be scored by numbers that are none', async () => {
    const tries = candidateTries([ids(1)], { width: 1, inner: 1 });
    for (const score of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const source: LogitsSource = { prefill: async () => Float32Array.of(1, 2, score), decode: fail };
      await expect(scoreCandidates(source, tries, () => {})).rejects.toMatchObject({ code: 'MODEL_FILE_CORRUPT' });
    }
  });
});

const fail = () => Promise.reject(new Error('not to be called'));
