import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { GenerateOptions } from '../../../../src/generation/generate-options.js';

/** The language of tables of test/reference/beam_search.py, and what transformers does with it. */

export interface BeamCase {
  readonly tables: number;
  readonly options: GenerateOptions;
  readonly sequences: number[][];
  readonly scores: number[];
}
interface Fixture {
  readonly vocabulary: number;
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  readonly tables: readonly Record<'after' | 'skip' | 'place', string>[];
  readonly cases: readonly BeamCase[];
}

const fixture: Fixture = JSON.parse(
  gunzipSync(readFileSync('test/fixtures/generation/beam-search.json.gz')).toString(),
);
const { vocabulary, bos, eos, pad } = fixture;

export const { cases } = fixture;
export const BOS = bos;
const floats = (base64: string) => new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
const tables = fixture.tables.map(each => ({
  after: floats(each.after),
  skip: floats(each.skip),
  place: floats(each.place),
}));
export const MODEL = {
  vocabularySize: vocabulary,
  bosTokenId: bos,
  decoderStartTokenId: -1,
  padTokenId: pad,
  eosTokenIds: [eos],
  vocabularyEosTokenId: eos,
};

/** Logits behind a context, which begins with BOS. */
export function logitsOf(table: number, context: readonly number[]): Float32Array {
  const { after, skip, place } = tables[table]!;
  const at = (from: Float32Array, row: number, id: number) => from[row * vocabulary + id]!;
  const last = context.at(-1)!;
  const before = context.at(-2) ?? bos;
  return Float32Array.from({ length: vocabulary }, (_, id) =>
    Math.fround(at(after, last, id) + Math.fround(at(skip, before, id) + at(place, context.length, id))),
  );
}
