import { bestCandidates, drawCandidates } from '../../../src/generation/beam-candidates.js';
import { BeamSearch } from '../../../src/generation/beam-search.js';
import type { GenerateOptions } from '../../../src/generation/generate-options.js';
import { type GenerationSettings, interpretOptions } from '../../../src/generation/generation-settings.js';
import { seededRandom } from '../../../src/generation/random.js';
import { validateGenerateOptions } from '../../../src/generation/validate-options.js';
import { type BeamCase, BOS, cases, logitsOf, MODEL } from './support/tables.js';

const settingsOf = (options: GenerateOptions, changes: Partial<GenerationSettings> = {}): GenerationSettings => ({
  ...interpretOptions(validateGenerateOptions(options), MODEL),
  ...changes,
});

/** Runs a search to its end. `watch` sees it after each step. */
function search(
  table: number,
  settings: GenerationSettings,
  watch: (running: BeamSearch) => void = () => {},
): BeamSearch {
  const running = new BeamSearch(settings, seededRandom(settings.seed), { scores: true });
  let contexts: number[][] = [[BOS]];
  for (;;) {
    const next = running.advance(contexts.map(context => logitsOf(table, context)));
    if (!next) return running;
    expect(next.tokens.length).toBeLessThanOrEqual(settings.numBeams);
    contexts = next.tokens.map((token, i) => [...contexts[next.parents[i]!]!, token]);
    watch(running);
  }
}

const HF = { compat: 'hf-4.34' } as const;

function shownHypotheses({ tables: table, options, scores }: BeamCase): number[][] {
  const settings = settingsOf({ ...options, ...HF }, { numReturnSequences: options.numBeams! });
  const found = search(table, settings).hypotheses();
  for (const [i, { score }] of found.entries())
    expect(Math.abs(score! - scores[i]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(scores[i]!)));
  // transformers writes the first stop id, whichever ended the answer.
  return found.map(({ tokens, stopped }) => (stopped ? [...tokens.slice(0, -1), settings.stopIds[0]!] : [...tokens]));
}

describe('beam search', () => {
  it.each([
    ['beams', 1],
    ['groups', 2],
  ] as const)('keeps the hypotheses of transformers 4.34, with their scores: %s', (_, least) => {
    const some = cases.filter(({ options }) => Math.min(options.numBeamGroups ?? 1, 2) === least);
    expect(some.length).toBeGreaterThanOrEqual(200);
    const others = some.filter(each => JSON.stringify(shownHypotheses(each)) !== JSON.stringify(each.sequences));
    expect(others.map(({ options, scores }) => ({ options, scores }))).toEqual([]);
  });

  // transformers 4.34 numbers beams of groups within their group, and those that end once too often.
  it('tells by which row of scores each token was chosen; they sum up to the beam', () => {
    for (const { tables: table, options } of cases) {
      const settings = settingsOf({ ...options, ...HF }, { numReturnSequences: options.numBeams! });
      const found = search(table, settings);
      for (const { tokens, tokenScores, rows, score, stopped } of found.hypotheses()) {
        expect(tokenScores).toEqual(tokens.map((token, step) => found.scores[step]!.get(rows[step]!)![token]));
        // Beams beside the first that a short answer leaves no time to drop.
        if (score! < -1e7) continue;
        const length = 1 + tokens.length - (stopped ? 1 : 0);
        const sum = tokenScores.reduce((total, each) => total + each, 0);
        expect(sum / length ** settings.lengthPenalty).toBeCloseTo(score!, 3);
      }
    }
  });

  it('never takes back what is settled', () => {
    let settledTokens = 0;
    for (const { tables: table, options } of cases) {
      let before: readonly number[] = [];
      const settings = settingsOf({ ...options, ...HF });
      const finished = search(table, settings, running => {
        const { tokens, logprobs } = running.settled();
        expect(tokens.slice(0, before.length)).toEqual(before);
        expect(logprobs.length).toBeGreaterThanOrEqual(tokens.length);
        before = tokens;
      });
      const [best] = finished.hypotheses();
      expect(best!.tokens.slice(0, before.length)).toEqual(before);
      settledTokens += before.length;
    }
    expect(settledTokens).toBeGreaterThan(200);
  });

  it('has one beam for greedy search', () => {
    const settings = settingsOf({ maxNewTokens: 12, numBeams: 2, ...HF }, { numBeams: 1 });
    const [best] = search(0, settings).hypotheses();
    const context = [BOS];
    for (const token of best!.tokens) {
      const logits = logitsOf(0, context);
      expect(logits[token]).toBe(Math.max(...logits));
      context.push(token);
    }
  });

  it('gives the log-probabilities of the model itself', () => {
    const settings = settingsOf({ maxNewTokens: 9, numBeams: 3, repetitionPenalty: 1.5, ...HF });
    const [best] = search(1, settings).hypotheses();
    const context = [BOS];
    for (const [i, token] of best!.tokens.entries()) {
      const logits = [...logitsOf(1, context)];
      const total = Math.log(logits.reduce((sum, each) => sum + Math.exp(each), 0));
      expect(best!.logprobs[i]).toBeCloseTo(logits[token]! - total, 5);
      context.push(token);
    }
  });

  it('gives the same beams for the same seed', () => {
    const settings = settingsOf({ numBeams: 3, doSample: true, temperature: 4, maxNewTokens: 8, seed: 5, ...HF });
    const seeds = Array.from({ length: 20 }, (_, seed) => search(2, { ...settings, seed }).hypotheses());
    expect(search(2, settings).hypotheses()).toEqual(search(2, settings).hypotheses());
    expect(new Set(seeds.map(each => String(each[0]!.tokens))).size).toBeGreaterThan(3);
  });
});

describe('candidates of beam sampling', () => {
  // Two beams of four tokens, one of them impossible.
  const sums = [Float32Array.of(-1, -2, -3, Number.NEGATIVE_INFINITY), Float32Array.of(-1.5, -4, -2.5, -2)];
  const weights = sums.flatMap(row => Array.from(row, Math.exp));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const p = weights.map(weight => weight / total);

  it.each([1, 2])('are drawn with their probability, without replacement: %i at once', count => {
    const rounds = 20_000;
    const random = seededRandom(count);
    const drawn = new Array<number>(p.length).fill(0);
    for (let i = 0; i < rounds; i++) {
      const candidates = drawCandidates(sums, count, random);
      expect(new Set(candidates.map(({ beam, token }) => beam * 4 + token)).size).toBe(count);
      for (const { beam, token } of candidates) drawn[beam * 4 + token]! += 1;
    }
    const expected = p.map((own, i) =>
      count === 1 ? own : own + p.reduce((sum, first, j) => sum + (j === i ? 0 : (first * own) / (1 - first)), 0),
    );
    // Chi-square of 6 degrees of freedom: above 22.5 once in a thousand.
    const chiSquare = expected.reduce(
      (sum, each, i) => sum + (each === 0 ? 0 : (drawn[i]! - rounds * each) ** 2 / (rounds * each)),
      0,
    );
    expect(drawn[3]).toBe(0);
    expect(chiSquare).toBeLessThan(22.5);
  });

  it('are fewer where fewer are possible, and best first', () => {
    const few = drawCandidates([Float32Array.of(-3, Number.NEGATIVE_INFINITY, -1)], 5, seededRandom(1));
    expect(few.map(({ token }) => token)).toEqual([2, 0]);
    expect(
      bestCandidates([Float32Array.of(-3, Number.NaN, Number.NEGATIVE_INFINITY, -1)], 4).map(({ token }) => token),
    ).toEqual([3, 0]);
  });
});
