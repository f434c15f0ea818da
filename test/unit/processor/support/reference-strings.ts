import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** What transformers made of every string, for one tokenizer. */
interface ReferenceIds {
  /** base64; 4 bytes per string. */
  readonly digests: string;
  /** [hf, plain] of every fourth string at the start. */
  readonly whole: readonly (readonly [readonly number[], readonly number[]])[];
}

const FOLDER = join(__dirname, '../../../fixtures');
const WHOLE_STEP = 4;

export const readFixture = (name: string): unknown =>
  JSON.parse(gunzipSync(readFileSync(join(FOLDER, 'tokenizers', name))).toString('utf8'));

const fixture = readFixture('strings.json.gz') as {
  readonly pool: readonly string[];
  readonly strings: readonly (readonly number[])[];
  readonly llama: ReferenceIds & { readonly decoded: string };
  readonly bert: ReferenceIds;
};

/** More than 5,000 texts of all kinds. */
export const TEXTS: readonly string[] = fixture.strings.map(parts => parts.map(i => fixture.pool[i]).join(''));

export const BERT_VOCABULARY: readonly string[] = [
  ...readFileSync(join(FOLDER, 'vocab/bert-vocab.txt'), 'utf8').trimEnd().split('\n'),
  '[DEC]',
];

export const digest = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest().subarray(0, 4).toString('base64');
const digestIds = (ids: readonly number[]): string => digest(new Uint8Array(Int32Array.from(ids).buffer));
const digestAt = (digests: string, i: number): string =>
  Buffer.from(digests, 'base64')
    .subarray(4 * i, 4 * i + 4)
    .toString('base64');

/** Texts whose ids are not those of transformers: with parsed special tokens (as its processor) or without. */
export function differences(
  name: 'llama' | 'bert',
  encode: (text: string, parseSpecial: boolean) => Int32Array,
): unknown[] {
  const { digests, whole } = fixture[name];
  return TEXTS.flatMap((text, i) => {
    const hf = [...encode(text, true)];
    const plain = [...encode(text, false)];
    if (digestIds([...hf, -1, ...plain]) === digestAt(digests, i)) return [];
    return [{ text, hf, plain, expected: i % WHOLE_STEP === 0 ? whole[i / WHOLE_STEP] : 'see test/reference' }];
  });
}

/** Texts whose ids are not decoded to what transformers decodes them to. */
export function decodingDifferences(roundTrip: (text: string) => string): unknown[] {
  return TEXTS.flatMap((text, i) => {
    const decoded = roundTrip(text);
    return digest(decoded) === digestAt(fixture.llama.decoded, i) ? [] : [{ text, decoded }];
  });
}
