import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** `tokenizer.json` of a SentencePiece Unigram tokenizer, as T5TokenizerFast saves it. */
export interface UnigramTokenizerJson {
  readonly version: string;
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: {
    readonly type: 'Unigram';
    readonly unk_id: number;
    readonly vocab: readonly (readonly [piece: string, score: number])[];
  };
}

/** Flan-T5's own: 32,100 pieces. */
export const realUnigramTokenizer = (): UnigramTokenizerJson =>
  JSON.parse(gunzipSync(readFileSync('test/fixtures/vocab/t5-tokenizer.json.gz')).toString('utf8'));

// ▁ is a space. The likelier a piece, the earlier.
const WORDS = `▁ the a of is in what this to and picture image it how many are there on man cat dog one two red blue green white black yes no who where why does do can you
see question answer short describe detail photo unusual about color colour people show shows with at for from not was that which left right top taxi car street house water
sky tree hand face small big old new day night time What How Is Describe Question Short Answer Yes No The This There A In It woman child boy girl food table ball bird horse train bus
sign light dark next near under over behind eating sitting standing walking playing holding looking wearing because very some other than more most they he she his her three four`;
const ENDINGS =
  's e d t n r er ing ed ly al on es en st th an or re ti at ic ion tion ness ment able un in it is ou ea ch sh qu ll ee oo ss ni ra ro ri li la le lo'.split(
    ' ',
  );
const CHARACTERS = [...'etaoinshrdlcumwfgypbvkjxqzETAOINSHRDLCUMWFGYPBVKJXQZ0123456789.,?!\'":;-()/%$&*+=#@_éèüößñç'];
const SPECIAL = ['<pad>', '</s>', '<unk>'];
const EXTRA = ['<extra_id_1>', '<extra_id_0>'];

function pieces(): string[] {
  const words = WORDS.split(/\s+/).map(word => (word === '▁' ? word : `▁${word}`));
  const starts = ['T', 'W', 'I', 'H', 'th', 'wh', 'un', 're', 'co', 'Q', 'A'].map(text => `▁${text}`);
  return [...new Set([...words.slice(0, 30), ...ENDINGS.slice(0, 20), ...CHARACTERS, ...words, ...starts, ...ENDINGS])];
}

/** A small one, laid out as T5's, with T5's normalization: special tokens, pieces from likely to unlikely, two extra ids. */
export function smallUnigramTokenizer(): UnigramTokenizerJson {
  const real = realUnigramTokenizer();
  // Binary fractions: the same in every precision.
  const scored = pieces().map((piece, i): [string, number] => [piece, -2 - i / 32]);
  const vocab: [string, number][] = [
    ...SPECIAL.map((text): [string, number] => [text, 0]),
    ...scored,
    ...EXTRA.map((text): [string, number] => [text, 0]),
  ];
  const known = new Set([...SPECIAL, ...EXTRA]);
  const plain = real.added_tokens[0];
  const added = vocab.flatMap(([content], id) =>
    known.has(content) ? [{ ...plain, id, content, special: true }] : [],
  );
  return { ...real, added_tokens: added, model: { type: 'Unigram', unk_id: 2, vocab } };
}

/** `tokenizer_config.json` of a T5 tokenizer with `extraIds` extra ids, as on the hub. */
export const unigramTokenizerConfig = (extraIds: number): Readonly<Record<string, unknown>> => ({
  tokenizer_class: 'T5Tokenizer',
  eos_token: '</s>',
  unk_token: '<unk>',
  pad_token: '<pad>',
  extra_ids: extraIds,
  additional_special_tokens: Array.from({ length: extraIds }, (_, i) => `<extra_id_${i}>`),
  model_max_length: 512,
  truncation_side: 'left',
});
