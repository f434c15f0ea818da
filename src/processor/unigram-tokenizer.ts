import { TOKEN_TYPES } from '../convert/base-vocabulary.js';
import { createError } from '../errors.js';
import type { TokenText } from '../generation/text-stream.js';
import type { NativeVocabulary } from '../native/addon.js';
import { AddedTokens } from './added-tokens.js';
import type { EncodeOptions, LanguageTokenizer } from './language-tokenizer.js';
import { PrecompiledCharsmap } from './precompiled-charsmap.js';
import { UnigramLattice } from './unigram-lattice.js';

/** What every prompt gets in front and behind; -1 = nothing. */
export interface PromptAffixes {
  readonly promptBosTokenId: number;
  readonly promptEosTokenId: number;
}

/** SentencePiece's space. */
const SPACE = '\u2581';
/** Characters that are tokenized to see whether a text is hopelessly long. */
const SAMPLE = 1 << 16;
/** Most tokens of one UTF-16 unit: bytes. */
const BYTES_OF_CHARACTER = 3;
const NO_TEXT: TokenText = { bytes: new Uint8Array(), isByte: false };
const encoder = new TextEncoder();

/** T5's tokenizer: SentencePiece Unigram as transformers 4.34's `T5TokenizerFast` does it; the vocabulary and the rules are those of the model's file. */
export class UnigramTokenizer implements LanguageTokenizer {
  readonly #vocabulary: NativeVocabulary;
  readonly #affixes: PromptAffixes;
  readonly #charsmap: PrecompiledCharsmap | undefined;
  readonly #lattice: UnigramLattice;
  /** Matched in every text, and in text whose special tokens are parsed. */
  readonly #added: AddedTokens;
  readonly #addedOrSpecial: AddedTokens;

  /** @throws MODEL_FILE_KEY_INVALID */
  constructor(vocabulary: NativeVocabulary, affixes: PromptAffixes) {
    checkVocabulary(vocabulary, affixes);
    const { tokens, types, charsmap } = vocabulary;
    this.#vocabulary = vocabulary;
    this.#affixes = affixes;
    this.#charsmap = charsmap.length > 0 ? new PrecompiledCharsmap(charsmap) : undefined;
    this.#lattice = new UnigramLattice(vocabulary);
    const ofTypes = (...wanted: number[]): AddedTokens =>
      new AddedTokens(tokens.flatMap((text, id) => (wanted.includes(types[id] as number) ? [[text, id]] : [])));
    const { userDefined, control, unknown } = TOKEN_TYPES;
    this.#added = ofTypes(userDefined);
    this.#addedOrSpecial = ofTypes(userDefined, control, unknown);
  }

  encode(text: string, { parseSpecial = false }: EncodeOptions = {}): Int32Array {
    const { promptBosTokenId, promptEosTokenId } = this.#affixes;
    const ids = promptBosTokenId >= 0 ? [promptBosTokenId] : [];
    // A surrogate without its partner has no place in UTF-8: it becomes U+FFFD.
    const wellFormed = Buffer.from(text).toString();
    for (const part of (parseSpecial ? this.#addedOrSpecial : this.#added).split(wellFormed)) {
      if (typeof part === 'number') ids.push(part);
      else this.#encodeText(part, parseSpecial, ids);
    }
    if (promptEosTokenId >= 0) ids.push(promptEosTokenId);
    return Int32Array.from(ids);
  }

  tokenText(id: number): TokenText {
    const text = this.#vocabulary.tokens[id];
    const type = this.#vocabulary.types[id];
    if (text === undefined) return NO_TEXT;
    if (type === TOKEN_TYPES.byte) return { bytes: byteOf(text), isByte: true };
    if (type !== TOKEN_TYPES.normal && type !== TOKEN_TYPES.userDefined) return NO_TEXT;
    const token: TokenText = { bytes: encoder.encode(text.replaceAll(SPACE, ' ')), isByte: false };
    // HF's decoder takes the space that it put in front away again.
    const dropsSpace = this.#vocabulary.addSpacePrefix && text.includes(SPACE);
    return dropsSpace ? { ...token, atStart: encoder.encode(text.replaceAll(SPACE, '')) } : token;
  }

  /**
   * Of short texts none: spaces join, control characters vanish, and unknown ones become one token. But no piece reaches over a space, so that a long text
   * begins with the tokens of its beginning, apart from what an added token or a space at the cut can change.
   */
  leastTokens(text: string): number {
    const end = text.length > SAMPLE ? text.lastIndexOf(' ', SAMPLE) : 0;
    if (end <= 0) return 0;
    const start = text.slice(0, end);
    const found = Math.min(this.encode(start).length, this.encode(start, { parseSpecial: true }).length);
    return Math.max(0, found - BYTES_OF_CHARACTER * (this.#addedOrSpecial.longest + 8));
  }

  #encodeText(text: string, withSpecial: boolean, ids: number[]): void {
    const { addSpacePrefix, removeExtraWhitespaces } = this.#vocabulary;
    let normal = this.#charsmap ? this.#charsmap.normalize(text) : text;
    if (normal === '') return;
    if (removeExtraWhitespaces) normal = normal.replace(/ {2,}/g, ' ');
    normal = normal.replaceAll(' ', SPACE);
    if (addSpacePrefix && !normal.startsWith(SPACE)) normal = SPACE + normal;
    // Each word begins with its space.
    for (let start = 0; start < normal.length; ) {
      const space = normal.indexOf(SPACE, start + 1);
      const end = space < 0 ? normal.length : space;
      this.#lattice.encode(normal, start, end, withSpecial, ids);
      start = end;
    }
  }
}

/** `<0xE2>` → its byte. */
const byteOf = (text: string): Uint8Array => Uint8Array.of(Number.parseInt(text.slice(3, 5), 16));

function checkVocabulary({ tokens, scores, types, unkTokenId }: NativeVocabulary, affixes: PromptAffixes): void {
  const invalid = (reason: string): Error =>
    createError('MODEL_FILE_KEY_INVALID', `${reason}; convert or download the language model again`);
  if (scores.length !== tokens.length || types.length !== tokens.length)
    throw invalid(
      `tokenizer.ggml.tokens has ${tokens.length} texts, tokenizer.ggml.scores ${scores.length} and tokenizer.ggml.token_type ${types.length} values`,
    );
  if (unkTokenId < 0 || unkTokenId >= tokens.length)
    throw invalid(`tokenizer.ggml.unknown_token_id is ${unkTokenId}, the vocabulary has ${tokens.length} tokens`);
  for (const id of [affixes.promptBosTokenId, affixes.promptEosTokenId]) {
    if (id >= tokens.length)
      throw invalid(`prompts would begin or end with token ${id}, the vocabulary has ${tokens.length}`);
  }
}
