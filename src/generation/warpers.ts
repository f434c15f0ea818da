/**
 * The sampling filters of transformers, each with its paper or HF class. All keep at least `minKeep` tokens (1; beams of a later issue ask for 2) and
 * give what they remove minus infinity.
 */
import { kthLargest, logSoftmax, softmax } from './float32.js';
import type { LogitsProcessor } from './logits-processor.js';

const REMOVED = Number.NEGATIVE_INFINITY;

/** HF `TemperatureLogitsWarper`. */
export function temperature(value: number): LogitsProcessor {
  const divisor = Math.fround(value);
  return (_context, scores) => {
    for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] as number) / divisor;
  };
}

/** HF `TopKLogitsWarper` (Fan et al. 2018): the k best; ties with the k-th stay. */
export function topK(k: number, minKeep: number): LogitsProcessor {
  return (_context, scores) => {
    const threshold = kthLargest(scores, Math.min(Math.max(k, minKeep), scores.length));
    removeWhere(scores, i => (scores[i] as number) < threshold);
  };
}

/** HF `TopPLogitsWarper` (nucleus sampling, Holtzman et al. 2019): the smallest set of best tokens whose probabilities reach p. */
export function topP(p: number, minKeep: number): LogitsProcessor {
  const tail = Math.fround(1 - p);
  return (_context, scores) => {
    const ascending = indicesBy(scores, scores);
    const probabilities = softmax(scores);
    let cumulative = 0;
    for (const id of ascending.slice(0, Math.max(0, ascending.length - minKeep))) {
      cumulative += probabilities[id] as number;
      if (Math.fround(cumulative) > tail) break;
      scores[id] = REMOVED;
    }
  };
}

/** HF `MinPLogitsWarper` (transformers >= 4.41): tokens with at least `p` times the best token's probability. */
export function minP(p: number, minKeep: number): LogitsProcessor {
  const share = Math.fround(p);
  return (_context, scores) => {
    const probabilities = softmax(scores);
    const threshold = Math.fround(share * kthLargest(probabilities, 1));
    const kept = kthLargest(scores, Math.min(minKeep, scores.length));
    removeWhere(scores, i => (probabilities[i] as number) < threshold && (scores[i] as number) < kept);
  };
}

/** HF `TypicalLogitsWarper` (Meister et al. 2022): the tokens whose information is closest to the entropy, up to `mass`. */
export function typicalP(mass: number, minKeep: number): LogitsProcessor {
  const limit = Math.fround(mass);
  return (_context, scores) => {
    const logProbabilities = logSoftmax(scores);
    const entropy = entropyOf(logProbabilities);
    const distance = logProbabilities.map(value => Math.abs(-value - entropy));
    const probabilities = softmax(scores);
    const byDistance = indicesBy(scores, distance);
    let cumulative = 0;
    let last = 0;
    for (; last < byDistance.length - 1; last++) {
      cumulative += probabilities[byDistance[last] as number] as number;
      if (Math.fround(cumulative) >= limit) break;
    }
    const threshold = distance[byDistance[last] as number] as number;
    const kept = new Set(byDistance.slice(0, minKeep));
    removeWhere(scores, i => (distance[i] as number) > threshold && !kept.has(i));
  };
}

/** HF `EpsilonLogitsWarper` (Hewitt et al. 2022): tokens with a probability of at least `epsilon`. */
export function epsilonCutoff(epsilon: number, minKeep: number): LogitsProcessor {
  const cutoff = Math.fround(epsilon);
  return (_context, scores) => removeBelow(scores, softmax(scores), cutoff, minKeep);
}

/** HF `EtaLogitsWarper` (Hewitt et al. 2022): as epsilon, with min(epsilon, sqrt(epsilon) * exp(-entropy)). */
export function etaCutoff(epsilon: number, minKeep: number): LogitsProcessor {
  const fixed = Math.fround(epsilon);
  const root = Math.fround(Math.sqrt(fixed));
  return (_context, scores) => {
    const entropy = entropyOf(logSoftmax(scores));
    const cutoff = Math.min(fixed, Math.fround(root * Math.fround(Math.exp(-entropy))));
    removeBelow(scores, softmax(scores), cutoff, minKeep);
  };
}

function removeBelow(scores: Float32Array, probabilities: Float32Array, cutoff: number, minKeep: number): void {
  const kept = kthLargest(scores, Math.min(minKeep, scores.length));
  removeWhere(scores, i => (probabilities[i] as number) < cutoff && (scores[i] as number) < kept);
}

function removeWhere(scores: Float32Array, removes: (id: number) => boolean): void {
  for (let i = 0; i < scores.length; i++) if (removes(i)) scores[i] = REMOVED;
}

/** Entropy in nats; impossible tokens count nothing. */
function entropyOf(logProbabilities: Float32Array): number {
  let sum = 0;
  for (const value of logProbabilities) if (value !== REMOVED) sum -= value * Math.exp(value);
  return Math.fround(sum);
}

/** Ids that are still possible, by ascending key, ties in the order of ids. */
function indicesBy(scores: Float32Array, keys: Float32Array): number[] {
  const ids: number[] = [];
  for (let i = 0; i < scores.length; i++) if (scores[i] !== REMOVED) ids.push(i);
  return ids.sort((a, b) => (keys[a] as number) - (keys[b] as number));
}
