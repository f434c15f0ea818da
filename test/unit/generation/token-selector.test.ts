import { seededRandom } from '../../../src/generation/random.js';
import { greedy, multinomial } from '../../../src/generation/token-selector.js';

const LOW = Number.NEGATIVE_INFINITY;

describe('greedy', () => {
  it('takes the best, of equal ones the first, never NaN', () => {
    expect(greedy(Float32Array.of(1, 3, 2, 3))).toBe(1);
    expect(greedy(Float32Array.of(Number.NaN, -5, Number.NaN, -4))).toBe(3);
    expect(greedy(Float32Array.of(LOW, LOW))).toBe(0);
  });
});

describe('multinomial', () => {
  it('draws with the probabilities of the softmax (chi-square)', () => {
    const scores = Float32Array.of(0, 1, 2, LOW, -1, 0.5, 3, -2);
    const weights = [...scores].map(Math.exp);
    const total = weights.reduce((a, b) => a + b);
    const draws = 40_000;
    const counts = new Array<number>(scores.length).fill(0);
    const select = multinomial(seededRandom(12345));
    for (let i = 0; i < draws; i++) {
      const id = select(scores);
      counts[id] = (counts[id] as number) + 1;
    }
    expect(counts[3]).toBe(0);
    const chiSquare = counts.reduce((sum, count, id) => {
      const expected = (draws * (weights[id] as number)) / total;
      return expected === 0 ? sum : sum + (count - expected) ** 2 / expected;
    }, 0);
    // 6 degrees of freedom: 22.5 is the 99.9 % quantile.
    expect(chiSquare).toBeLessThan(22.5);
    // A fit that is too good would be as suspicious: 0.38 is the 0.1 % quantile.
    expect(chiSquare).toBeGreaterThan(0.38);
  });

  it('falls back to the best token when there is no distribution', () => {
    expect(multinomial(() => 0.5)(Float32Array.of(LOW, LOW))).toBe(0);
    expect(multinomial(() => 0.5)(Float32Array.of(1, Number.POSITIVE_INFINITY))).toBe(1);
  });

  it('never leaves the possible tokens, at either end of the random numbers', () => {
    const scores = Float32Array.of(LOW, 1, LOW, 2, LOW);
    expect(multinomial(() => 0)(scores)).toBe(1);
    expect(multinomial(() => 1 - 2 ** -53)(scores)).toBe(3);
  });
});

describe('seededRandom', () => {
  it('gives the same numbers for the same seed, in every release', () => {
    const random = seededRandom(42);
    expect([random(), random(), random()]).toEqual([0.6797770287819473, 0.38962255665873646, 0.9510086373696831]);
  });

  it('gives other numbers for other seeds, above 2^32 as well', () => {
    const firsts = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1].map(seed => seededRandom(seed)());
    expect(new Set(firsts).size).toBe(firsts.length);
    for (const first of firsts) expect(first >= 0 && first < 1).toBe(true);
  });

  it('is uniform (mean and variance of 100,000)', () => {
    const random = seededRandom(7);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 100_000; i++) {
      const value = random();
      sum += value;
      squares += (value - 0.5) ** 2;
    }
    // Four standard errors.
    expect(Math.abs(sum / 100_000 - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / 100_000));
    expect(Math.abs(squares / 100_000 - 1 / 12)).toBeLessThan(4 * Math.sqrt(1 / 180 / 100_000));
  });
});
