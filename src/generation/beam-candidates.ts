/** What beams may continue with: the best or drawn ones of all (beam, token) pairs. */
import { maximum } from './float32.js';
import type { Random } from './random.js';

export interface Candidate {
  /** Index of the beam. */
  readonly beam: number;
  readonly token: number;
  /** The beam's sum and the token's score. */
  readonly sum: number;
}

/** The `count` best pairs of `sums` ([beams] rows of [V] sums), best first; of equal ones the first. Impossible ones are left out. */
export function bestCandidates(sums: readonly Float32Array[], count: number): Candidate[] {
  const best: Candidate[] = [];
  for (const [beam, row] of sums.entries()) {
    for (let token = 0; token < row.length; token++) {
      const sum = row[token] as number;
      if (!(sum > (best.length === count ? (best[count - 1] as Candidate).sum : Number.NEGATIVE_INFINITY))) continue;
      insert(best, { beam, token, sum }, count);
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

/** `count` pairs drawn without replacement with probability softmax(all sums), best first. */
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
  return drawn.sort((a, b) => b.sum - a.sum);
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
