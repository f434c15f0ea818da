import { TOKEN_TYPES } from '../convert/base-vocabulary.js';
import { isAddedType } from '../convert/normalized-tokens.js';
import type { TokenText } from '../generation/text-stream.js';
import type { NativeLanguageVocabulary } from '../native/addon.js';
import { nativeCall } from '../native/native-call.js';
import { AddedTokens, type PromptPart } from './added-tokens.js';
import { LlamaTokenizer } from './llama-tokenizer.js';
import type { TextCodec } from './text-codec.js';
import { joinTokens } from './tokens-to-text.js';

const SPACE = '\u2581';

/** Text → stretches as LLaMA's BPE takes them, and the added tokens between them. Mirrors tokenizers' `extract_and_normalize`. */
class LlamaStretches {
  readonly #plain: AddedTokens;
  readonly #normalized: AddedTokens;
  readonly #prefix: string;

  constructor(
    tokens: readonly (readonly [text: string, id: number])[],
    normalizedIds: readonly number[],
    addSpacePrefix: boolean,
  ) {
    this.#prefix = addSpacePrefix ? SPACE : '';
    const isNormalized = ([, id]: readonly [string, number]): boolean => normalizedIds.includes(id);
    this.#plain = new AddedTokens(tokens.filter(token => !isNormalized(token)));
    this.#normalized = new AddedTokens(tokens.filter(isNormalized).map(([text, id]) => [this.#normalize(text), id]));
  }

  /** Stretches are normalized: with ▁ for spaces and in front. */
  *split(text: string): Generator<PromptPart> {
    for (const part of this.#plain.split(text)) {
      if (typeof part === 'number') yield part;
      else yield* this.#normalized.split(this.#normalize(part));
    }
  }

  #normalize(text: string): string {
    return this.#prefix + text.replaceAll(' ', SPACE);
  }
}

/** What a file says of LLaMA's tokens. */
export interface LlamaTokens {
  readonly tokens: readonly string[];
  readonly types: Int32Array;
  readonly addSpacePrefix: boolean;
  /** Ids of added tokens that are matched in normalized text. */
  readonly normalizedIds: readonly number[];
}

/**
 * SentencePiece BPE by the engine, added tokens by HF's rules. The decoder takes one space from the front of the whole text.
 * @param vocabulary one that matches no added tokens and puts nothing in front of text: all added tokens are control tokens in it
 */
export function llamaCodec(vocabulary: NativeLanguageVocabulary, file: LlamaTokens): TextCodec {
  const { tokens, types } = file;
  const tokenizer = new LlamaTokenizer({
    info: vocabulary,
    tokenize: (text, { parseSpecial }) => vocabulary.tokenize(text, parseSpecial),
    tokenBytes: (id, special) => vocabulary.tokenBytes(id, special),
  });
  const added = tokens.flatMap((text, id) => (isAddedType(types[id]) ? [[text, id] as const] : []));
  const stretches = new LlamaStretches(added, file.normalizedIds, file.addSpacePrefix);
  const textOf = (id: number, skipSpecialTokens: boolean): TokenText => {
    const text = tokenizer.tokenText(id);
    const isShown = !skipSpecialTokens || types[id] === TOKEN_TYPES.userDefined;
    if (text.bytes.length > 0 || !isShown) return text;
    return { bytes: nativeCall(() => vocabulary.tokenBytes(id, true)), isByte: false };
  };
  return {
    vocabularySize: vocabulary.vocabularySize,
    encode: text => {
      const ids: number[] = [];
      // A surrogate without its partner has no place in UTF-8: it becomes U+FFFD.
      for (const part of stretches.split(Buffer.from(text).toString())) {
        if (typeof part === 'number') ids.push(part);
        else for (const id of nativeCall(() => vocabulary.tokenize(part, false))) ids.push(id);
      }
      return ids;
    },
    decode: (ids, skipSpecialTokens) => {
      const texts = ids.map(id => textOf(id, skipSpecialTokens)).filter(({ bytes }) => bytes.length > 0);
      return joinTokens(texts).replace(/^ /, '');
    },
  };
}
