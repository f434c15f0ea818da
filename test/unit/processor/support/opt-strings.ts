import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { TOKEN_TYPES } from '../../../../src/convert/base-vocabulary.js';
import type { NativeVocabulary } from '../../../../src/native/addon.js';
import { bpeVocabulary, tokensOf } from '../../support/bpe-vocabulary.js';
import { randomNumbers } from '../../support/random.js';

/** What transformers made of strings and ids: test/reference/tokenizers_opt.py. Digests are base64, 4 bytes each. */
interface Reference {
  readonly seed: number;
  readonly added: readonly string[];
  readonly pool: readonly string[];
  readonly count: number;
  readonly ids: string;
  /** Two per string: as it is, cleaned up. */
  readonly decoded: string;
  /** [with special tokens, without, without but with a space in front] of every fourth string at the start. */
  readonly whole: readonly (readonly (readonly number[])[])[];
  readonly randomDecoded: string;
  readonly randomCount: number;
  readonly codePoints: { readonly block: number; readonly digests: readonly string[] };
}

const FOLDER = join(__dirname, '../../../fixtures');
const unzipped = (name: string): string => gunzipSync(readFileSync(join(FOLDER, name))).toString('utf8');

export const reference: Reference = JSON.parse(unzipped('tokenizers/opt-strings.json.gz'));

/** GPT-2's merges, numbered as OPT's, with the tokens that the script adds: `<image>` is special, the others are not. */
export function optVocabulary(): NativeVocabulary {
  const merges = unzipped('vocab/gpt2-merges.txt.gz').trimEnd().split('\n').slice(1);
  // `picture` has an id already.
  const tokens = [...new Set([...tokensOf(bpeVocabulary(merges)), ...reference.added])];
  return {
    kind: 'gpt2',
    tokens,
    scores: new Float32Array(),
    types: Int32Array.from(tokens, text => {
      if (['<pad>', '</s>', '<unk>', '<image>'].includes(text)) return TOKEN_TYPES.control;
      return reference.added.includes(text) ? TOKEN_TYPES.userDefined : TOKEN_TYPES.normal;
    }),
    charsmap: new Uint8Array(),
    merges,
    addSpacePrefix: false,
    removeExtraWhitespaces: false,
    unkTokenId: 3,
  };
}

/** Whole numbers below a bound, as the script draws them. */
function draws(seed: number): (bound: number) => number {
  const random = randomNumbers(seed);
  return bound => ((random() + 1) * 2 ** 31) % bound;
}

/** Every piece of the pool alone, then one to eight of them, every other time with spaces between. */
export function optTexts(): string[] {
  const { pool, count, seed } = reference;
  const draw = draws(seed);
  const texts = [...pool];
  while (texts.length < count) {
    const glue = draw(2) === 1 ? '' : ' ';
    const length = 1 + draw(8);
    texts.push(Array.from({ length }, () => pool[draw(pool.length)]).join(glue));
  }
  return texts;
}

/** Lists of ids; every other one of bytes alone: characters cut anywhere, and what is no UTF-8 at all. */
export function randomIds(tokens: number): number[][] {
  const draw = draws(reference.seed + 1);
  return Array.from({ length: reference.randomCount }, () => {
    const bound = draw(2) === 1 ? 260 : tokens;
    return Array.from({ length: 1 + draw(16) }, () => draw(bound));
  });
}

export const digest = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest().subarray(0, 4).toString('base64');
export const digestIds = (ids: readonly number[]): string => digest(new Uint8Array(Int32Array.from(ids).buffer));
export const digestsOf = (packed: string): string[] => {
  const bytes = Buffer.from(packed, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.subarray(4 * i, 4 * i + 4).toString('base64'));
};
