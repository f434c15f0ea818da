import { TOKEN_TYPES } from '../../../../src/convert/base-vocabulary.js';
import type { NativeVocabulary } from '../../../../src/native/addon.js';
import { realUnigramTokenizer, type UnigramTokenizerJson } from '../../support/unigram-vocabulary.js';

const ROWS = 32128;
const IMAGE = 32100;

function typeOf(id: number, unknown: number, special: ReadonlySet<number>): number {
  if (id === unknown) return TOKEN_TYPES.unknown;
  return special.has(id) ? TOKEN_TYPES.control : TOKEN_TYPES.normal;
}

/** What the native side gives for a `tokenizer.json`, when all its pieces are rows. */
export function nativeVocabulary({ model, added_tokens, normalizer }: UnigramTokenizerJson): NativeVocabulary {
  const special = new Set(added_tokens.map(({ id }) => id));
  const steps = (normalizer as { normalizers: { precompiled_charsmap?: string }[] }).normalizers;
  return {
    kind: 't5',
    tokens: model.vocab.map(([text]) => text),
    scores: Float32Array.from(model.vocab, ([, score]) => score),
    types: Int32Array.from(model.vocab, (_, id) => typeOf(id, model.unk_id, special)),
    charsmap: Uint8Array.from(Buffer.from(steps[0]?.precompiled_charsmap ?? '', 'base64')),
    merges: [],
    addSpacePrefix: true,
    removeExtraWhitespaces: true,
    unkTokenId: model.unk_id,
  };
}

/** Flan-T5's, with InstructBLIP's `<image>` and the rows of the embedding that have no token. */
export function t5Vocabulary(): NativeVocabulary {
  const pieces = nativeVocabulary(realUnigramTokenizer());
  const rest = Array.from({ length: ROWS - pieces.tokens.length }, (_, i) => IMAGE + i);
  return {
    ...pieces,
    tokens: [...pieces.tokens, ...rest.map(id => (id === IMAGE ? '<image>' : `[PAD${id}]`))],
    scores: Float32Array.from([...pieces.scores, ...rest.map(id => (id === IMAGE ? -1000 : -10000))]),
    types: Int32Array.from([
      ...pieces.types,
      ...rest.map(id => (id === IMAGE ? TOKEN_TYPES.control : TOKEN_TYPES.unused)),
    ]),
  };
}
