import { TOKEN_TYPES } from '../convert/base-vocabulary.js';
import { cleanUpSpaces } from '../generation/clean-up-spaces.js';
import type { TokenText } from '../generation/text-stream.js';
import type { NativeQFormerTokenizer, NativeVocabulary } from '../native/addon.js';
import { tokenBytes } from './byte-characters.js';
import { ByteLevelBpeTokenizer } from './byte-level-bpe-tokenizer.js';
import type { LanguageTokenizer } from './language-tokenizer.js';
import { QFormerTokenizer } from './qformer-tokenizer.js';
import { joinTokens } from './tokens-to-text.js';
import { UnigramTokenizer } from './unigram-tokenizer.js';

/** What kinds of tokenizers have in common: text → ids without what a prompt gets in front and behind, and ids → text. */
export interface TextCodec {
  /** Ids are below this. */
  readonly vocabularySize: number;
  /** Text in the shape of special tokens becomes those tokens, as in HF. */
  encode(text: string): ArrayLike<number>;
  /** HF's decoder, without cleaning up. Ids that have no token are left out. */
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
}

const SPACE = '\u2581';
const NO_AFFIXES = { promptBosTokenId: -1, promptEosTokenId: -1 };
const utf8 = new TextEncoder();
const isSpecial = (type: number | undefined): boolean => type === TOKEN_TYPES.control || type === TOKEN_TYPES.unknown;

/** SentencePiece Unigram. Its decoder drops the spaces of the first token. */
function unigramCodec(vocabulary: NativeVocabulary): TextCodec {
  const tokenizer = new UnigramTokenizer(vocabulary, NO_AFFIXES);
  const { tokens, types, addSpacePrefix } = vocabulary;
  return codecOf(vocabulary, tokenizer, (id, isFirst) => {
    const text = tokenizer.tokenText(id);
    if (text.isByte) return text;
    const space = isFirst && addSpacePrefix ? '' : ' ';
    return types[id] === TOKEN_TYPES.unused ? NO_TEXT : written((tokens[id] as string).replaceAll(SPACE, space));
  });
}

/** Byte-level BPE. */
function byteLevelCodec(vocabulary: NativeVocabulary): TextCodec {
  const { tokens, types } = vocabulary;
  return codecOf(vocabulary, new ByteLevelBpeTokenizer(vocabulary, NO_AFFIXES), id =>
    types[id] === TOKEN_TYPES.unused ? NO_TEXT : { bytes: tokenBytes(tokens[id] as string), isByte: false },
  );
}

const NO_TEXT: TokenText = { bytes: new Uint8Array(), isByte: false };
const written = (text: string): TokenText => ({ bytes: utf8.encode(text), isByte: false });

function codecOf(
  { tokens, types }: NativeVocabulary,
  tokenizer: LanguageTokenizer,
  textOf: (id: number, isFirst: boolean) => TokenText,
): TextCodec {
  return {
    vocabularySize: tokens.length,
    encode: text => tokenizer.encode(text, { parseSpecial: true }),
    decode: (ids, skipSpecialTokens) => {
      const known = ids.filter(id => types[id] !== TOKEN_TYPES.unused && !(skipSpecialTokens && isSpecial(types[id])));
      return joinTokens(known.map((id, i) => textOf(id, i === 0)));
    },
  };
}

/** That of a language model whose tokenizer is not the engine's. @throws MODEL_FILE_KEY_INVALID */
export function graphCodec(vocabulary: NativeVocabulary): TextCodec {
  return vocabulary.kind === 't5' ? unigramCodec(vocabulary) : byteLevelCodec(vocabulary);
}

/** BERT's WordPiece. Its decoder writes words apart and cleans each of them up. @throws MODEL_FILE_KEY_INVALID */
export function wordPieceCodec(vocabulary: readonly string[], facts: NativeQFormerTokenizer): TextCodec {
  const tokenizer = new QFormerTokenizer(vocabulary, facts);
  const special = new Set(facts.specialTokenIds);
  const textOf = (token: string, isFirst: boolean): string => {
    if (isFirst) return cleanUpSpaces(token);
    return cleanUpSpaces(token.startsWith('##') ? token.slice(2) : ` ${token}`);
  };
  return {
    vocabularySize: vocabulary.length,
    encode: text => tokenizer.encode(text, { parseSpecial: true }).subarray(1, -1),
    decode: (ids, skipSpecialTokens) => {
      const known = ids.filter(id => !(skipSpecialTokens && special.has(id)));
      return known.map((id, i) => textOf(vocabulary[id] as string, i === 0)).join('');
    },
  };
}
