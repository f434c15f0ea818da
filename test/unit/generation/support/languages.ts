import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { GenerateOptions } from '../../../../src/generation/generate-options.js';
import type { ModelFacts } from '../../../../src/generation/generation-settings.js';

/** The languages of test/reference/searches.py, and what transformers does with them. */

export interface SearchCase {
  readonly mode: 'greedy' | 'beams' | 'sample' | 'beam-sample';
  readonly type: string;
  readonly seed: number;
  readonly prompts: readonly number[][];
  readonly options: GenerateOptions & { readonly numReturnSequences?: number };
  readonly sequences: readonly number[][];
  readonly sequencesScores?: readonly number[];
  readonly beamIndices?: readonly number[][];
  /** HF's `compute_transition_scores`; null = minus infinity. */
  readonly transitionScores: readonly (number | null)[][];
  /** Of each step, base64. */
  readonly scores?: readonly string[];
  /** Smallest distance of two sums or scores that compete. */
  readonly closest: number;
  /** Some were equal: beams of the same text. */
  readonly equal: boolean;
}
type TypeFacts = Record<'bos' | 'start' | 'eos' | 'other' | 'pad' | 'image', number>;
export interface SearchFixture {
  readonly vocabulary: number;
  readonly places: number;
  readonly types: Readonly<Record<string, TypeFacts>>;
  readonly cases: readonly SearchCase[];
}

export const readSearches = (preset: string): SearchFixture =>
  JSON.parse(gunzipSync(readFileSync(`test/fixtures/generation/searches-${preset}.json.gz`)).toString());

/** 32-bit numbers of the linear congruential generator that both sides have. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

/** Numbers from 0 to 1, as `Random`. */
export function draws(seed: number): () => number {
  const next = generator(seed);
  return () => next() / 2 ** 32;
}

export function factsOf({ types, vocabulary }: SearchFixture, type: string): ModelFacts {
  const { bos, start, eos, pad } = types[type]!;
  return {
    vocabularySize: vocabulary,
    bosTokenId: bos,
    decoderStartTokenId: type === 't5' ? start : -1,
    padTokenId: pad,
    eosTokenIds: [eos],
    vocabularyEosTokenId: eos,
  };
}

/** Logits behind a context. */
export function languageOf(
  fixture: SearchFixture,
  { type, seed }: SearchCase,
): (context: readonly number[]) => Float32Array {
  const { vocabulary, places } = fixture;
  const next = generator(seed);
  const table = (rows: number, scale: number) =>
    Float32Array.from({ length: rows * vocabulary }, () => ((next() >>> 16) / 65536 - 0.5) * scale);
  const [after, skip, place] = [table(vocabulary, 8), table(vocabulary, 4), table(places, 2)];
  const { eos } = fixture.types[type]!;
  for (let row = 0; row < vocabulary; row++) after[row * vocabulary + eos]! += seed % 3;
  return context => {
    const last = context.at(-1)!;
    const rows = [last, context.at(-2) ?? last, Math.min(context.length, places - 1)].map(row => row * vocabulary);
    return Float32Array.from({ length: vocabulary }, (_, id) =>
      Math.fround(after[rows[0]! + id]! + Math.fround(skip[rows[1]! + id]! + place[rows[2]! + id]!)),
    );
  };
}
