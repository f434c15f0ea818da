/** What beams may continue with: the best or drawn ones of all (beam, token) pairs. */
import { maximum } from './float32.js';
import type { GenerationSettings } from './generation-settings.js';
import type { Random } from './random.js';

export interface Candidate {
  /** Index of the beam. */
  readonly beam: number;
  readonly token: number;
  /** The beam's sum and the token's score. */
  readonly sum: number;
}

/** `rank`: how many candidates count as better. */
export type Ranked = Candidate & { readonly rank: number };

/** What `size` beams may go on with, the best sum first: more than beams, because those that end leave no beam behind. */
export function rankedCandidates(
  sums: readonly Float32Array[],
  size: number,
  { doSample, stopIds, beamPolicy }: Pick<GenerationSettings, 'doSample' | 'stopIds' | 'beamPolicy'>,
  random: Random,
): Ranked[] {
  const enough = Math.max(2, 1 + stopIds.length) * size;
  const ranked = (candidates: readonly Candidate[]) => candidates.map((candidate, rank) => ({ ...candidate, rank }));
  if (!doSample) return ranked(bestCandidates(sums, enough));
  const drawn = drawCandidates(sums, beamPolicy.drawn === 'two' ? 2 * size : enough, random);
  return beamPolicy.drawnBest === 'sum' ? ranked(drawn.sort(bySum)) : ranked(drawn).sort(bySum);
}

/** The best sum first; of equal ones the first. */
const bySum = (a: Candidate, b: Candidate): number => b.sum - a.sum;

/** The `count` best pairs of `sums` ([beams] rows of [V] sums), best first; of equal ones the first. Impossible ones are left out. */
export function bestCandidates(sums: readonly Float32Array[], count: number): Candidate[] {
  const best: Candidate[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (const [beam, row] of sums.entries()) {
    for (let token = 0; token < row.length; token++) {
      const sum = row[token] as number;
      if (!(sum > least)) continue;
      insert(best, { beam, token, sum }, count);
      if (best.length === count) least = (best[count - 1] as Candidate).sum;
    }
  }
  return best;
}

function insert(best: Candidate[], candidate: Candidate, count: number): void {
  let place = best.length;
  while (place > 0 && candidate.sum > (best[place - 1] as Candidate).sum) place--;
  best.splice(place, 0, candidate);
  if (best.length > count) best.pop();
}

/** `count` pairs drawn without replacement with probability softmax(all sums), in the order in which they were drawn. */
export function drawCandidates(sums: readonly Float32Array[], count: number, random: Random): Candidate[] {
  const largest = Math.max(...sums.map(maximum));
  if (largest === Number.NEGATIVE_INFINITY) return [];
  const weights = sums.map(row => Float64Array.from(row, sum => (Number.isNaN(sum) ? 0 : Math.exp(sum - largest))));
  const totals = weights.map(totalOf);
  const drawn: Candidate[] = [];
  while (drawn.length < count) {
    const pair = drawPair(weights, totals, random);
    if (!pair) break;
    const { beam, token } = pair;
    const row = weights[beam] as Float64Array;
    row[token] = 0;
    totals[beam] = totalOf(row);
    drawn.push({ beam, token, sum: (sums[beam] as Float32Array)[token] as number });
  }
  return drawn;
}

const totalOf = (row: Float64Array): number => row.reduce((sum, weight) => sum + weight, 0);

/** One pair by inverting the cumulative distribution; undefined when nothing is possible. `totals`: of each row of `weights`. */
function drawPair(
  weights: readonly Float64Array[],
  totals: readonly number[],
  random: Random,
): { beam: number; token: number } | undefined {
  let rest = random() * totals.reduce((sum, total) => sum + total, 0);
  let last: { beam: number; token: number } | undefined;
  for (const [beam, row] of weights.entries()) {
    if (rest >= (totals[beam] as number) && beam < weights.length - 1) {
      rest -= totals[beam] as number;
      continue;
    }
    for (let token = 0; token < row.length; token++) {
      const weight = row[token] as number;
      if (weight === 0) continue;
      last = { beam, token };
      rest -= weight;
      if (rest < 0) return last;
    }
  }
  // Rounding left a crumb: the last pair that was possible.
  return last;
}
