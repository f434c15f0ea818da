import { TOKEN_TYPES } from '../convert/base-vocabulary.js';
import { isAddedType } from '../convert/normalized-tokens.js';
import { OptionError } from '../errors.js';
import type { NativeVocabulary } from '../native/addon.js';

/** A language model's vocabulary as its GGUF file has it; `llama`: SentencePiece BPE, whose merges follow from the scores. */
export interface FileVocabulary extends Omit<NativeVocabulary, 'kind'> {
  readonly kind: NativeVocabulary['kind'] | 'llama';
}

interface Affixes {
  readonly front: readonly number[];
  readonly behind: readonly number[];
}

type Json = Readonly<Record<string, unknown>>;

const SPACE = '\u2581';
/** Tokens behind the last one that is not an added one: transformers gives them the ids that follow, so that there must not be gaps. */
function splitTokens({ tokens, types }: FileVocabulary): { base: number; end: number } {
  let end = tokens.length;
  while (end > 0 && types[end - 1] === TOKEN_TYPES.unused) end--;
  let base = end;
  while (base > 0 && isAddedType(types[base - 1])) base--;
  const gap = types.subarray(0, end).indexOf(TOKEN_TYPES.unused);
  if (gap < 0) return { base, end };
  throw new OptionError(
    'OPTION_UNSUPPORTED',
    `savePretrained: the vocabulary has no token ${gap} but later ones, which transformers' files cannot say; load the processor from the checkpoint folder`,
  );
}

/** A token as `tokenizer.json` and `tokenizer_config.json` write it. */
export const addedToken = (
  content: string,
  { special, normalized = false }: { readonly special: boolean; readonly normalized?: boolean },
): Json => ({ content, single_word: false, lstrip: false, rstrip: false, normalized, special });

/** As transformers derives them from a SentencePiece model: every way to put a piece together, those of the best piece first. */
function mergesOf({ tokens, scores, types }: FileVocabulary, base: number): string[] {
  const ids = new Map(tokens.slice(0, base).map((text, id) => [text, id]));
  const pieces = [...ids].filter(([, id]) => types[id] === TOKEN_TYPES.normal || types[id] === TOKEN_TYPES.userDefined);
  const merges = pieces.flatMap(([piece, id]) => {
    const points = [...piece];
    const ways = points.slice(1).flatMap((_, i) => {
      const left = points.slice(0, i + 1).join('');
      const right = points.slice(i + 1).join('');
      return ids.has(left) && ids.has(right) ? [{ left, right, score: scores[id] as number }] : [];
    });
    const order = (text: string): number => ids.get(text) as number;
    return ways.sort((a, b) => order(a.left) - order(b.left) || order(a.right) - order(b.right));
  });
  return merges.sort((a, b) => b.score - a.score).map(({ left, right }) => `${left} ${right}`);
}

const replaceSpaces = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };

function llamaParts(vocabulary: FileVocabulary, base: number): Json {
  const { tokens, addSpacePrefix, unkTokenId } = vocabulary;
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [...(addSpacePrefix ? [{ type: 'Prepend', prepend: SPACE }] : []), replaceSpaces],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      ...BPE,
      unk_token: tokens[unkTokenId] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(tokens.slice(0, base).map((text, id) => [text, id])),
      merges: mergesOf(vocabulary, base),
    },
  };
}

const BPE = {
  type: 'BPE',
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
};

function unigramParts(vocabulary: FileVocabulary, base: number): Json {
  const { tokens, scores, charsmap, addSpacePrefix, removeExtraWhitespaces, unkTokenId } = vocabulary;
  const precompiled = { type: 'Precompiled', precompiled_charsmap: Buffer.from(charsmap).toString('base64') };
  const joinSpaces = { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' };
  const metaspace = { type: 'Metaspace', replacement: SPACE, add_prefix_space: addSpacePrefix };
  const steps = [...(charsmap.length > 0 ? [precompiled] : []), ...(removeExtraWhitespaces ? [joinSpaces] : [])];
  return {
    normalizer: steps.length > 0 ? { type: 'Sequence', normalizers: steps } : null,
    pre_tokenizer: metaspace,
    decoder: metaspace,
    model: {
      type: 'Unigram',
      unk_id: unkTokenId,
      vocab: tokens.slice(0, Math.max(base, unkTokenId + 1)).map((text, id) => [text, scores[id]]),
    },
  };
}

function byteLevelParts({ tokens, merges, addSpacePrefix }: FileVocabulary, base: number): Json {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: addSpacePrefix, trim_offsets: true, use_regex: true };
  const vocab = Object.fromEntries(tokens.slice(0, base).map((text, id) => [text, id]));
  return {
    normalizer: null,
    pre_tokenizer: byteLevel,
    decoder: { ...byteLevel, add_prefix_space: true },
    model: { ...BPE, continuing_subword_prefix: '', end_of_word_suffix: '', vocab, merges },
  };
}

const PARTS = { llama: llamaParts, t5: unigramParts, gpt2: byteLevelParts };

/** One text: [front] text [behind]. */
function template(tokens: readonly string[], { front, behind }: Affixes): Json | null {
  const ids = [...front, ...behind];
  if (ids.length === 0) return null;
  const textOf = (id: number): string => tokens[id] as string;
  const pieces = (list: readonly number[], type: number): Json[] =>
    list.map(id => ({ SpecialToken: { id: textOf(id), type_id: type } }));
  const row = (name: string, type: number): Json[] => [
    ...pieces(front, type),
    { Sequence: { id: name, type_id: type } },
    ...pieces(behind, type),
  ];
  const special = ids.map(id => [textOf(id), { id: textOf(id), ids: [id], tokens: [textOf(id)] }]);
  return {
    type: 'TemplateProcessing',
    single: row('A', 0),
    pair: [...row('A', 0), ...row('B', 1)],
    special_tokens: Object.fromEntries(special),
  };
}

/**
 * The `tokenizer.json` that says what a GGUF file says.
 * @param normalizedIds of added tokens that are matched in normalized text
 * @throws OPTION_UNSUPPORTED for a vocabulary that it cannot say
 */
export function makeTokenizerJson(
  vocabulary: FileVocabulary,
  affixes: Affixes,
  normalizedIds: readonly number[] = [],
): Json {
  const { tokens, types } = vocabulary;
  const { base, end } = splitTokens(vocabulary);
  const added = tokens.slice(0, end).flatMap((content, id) => {
    if (!isAddedType(types[id])) return [];
    const flags = { special: types[id] !== TOKEN_TYPES.userDefined, normalized: normalizedIds.includes(id) };
    return [{ id, ...addedToken(content, flags) }];
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    post_processor: template(tokens, affixes),
    ...PARTS[vocabulary.kind](vocabulary, base),
  };
}
