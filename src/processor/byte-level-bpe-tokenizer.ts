import { TOKEN_TYPES } from '../convert/base-vocabulary.js';
import { createError } from '../errors.js';
import type { TokenText } from '../generation/text-stream.js';
import type { NativeVocabulary } from '../native/addon.js';
import { AddedTokens } from './added-tokens.js';
import { BYTE_CHARACTERS, tokenBytes } from './byte-characters.js';
import { byteLevelWords } from './byte-level-words.js';
import { BytePairs } from './byte-pairs.js';
import type { EncodeOptions, LanguageTokenizer } from './language-tokenizer.js';

/** What every prompt gets in front and behind; -1 = nothing. */
export interface PromptAffixes {
  readonly promptBosTokenId: number;
  readonly promptEosTokenId: number;
}

const NO_TEXT: TokenText = { bytes: new Uint8Array(), isByte: false };
const utf8 = new TextEncoder();

const isSpecial = (type: number): boolean => type === TOKEN_TYPES.control || type === TOKEN_TYPES.unknown;

/** OPT's tokenizer: byte-level BPE as transformers 4.34's `GPT2TokenizerFast` does it; the vocabulary and the rules are those of the model's file. */
export class ByteLevelBpeTokenizer implements LanguageTokenizer {
  readonly #vocabulary: NativeVocabulary;
  /** Ids in front of every prompt and behind it: one or none. */
  readonly #front: readonly number[];
  readonly #behind: readonly number[];
  readonly #ids = new Map<string, number>();
  readonly #pairs: BytePairs;
  /** Token of each byte; -1 = the vocabulary has none, and HF drops the byte. */
  readonly #byteIds: Int32Array;
  readonly #added: AddedTokens;
  readonly #addedOrSpecial: AddedTokens;
  readonly #longestTokenBytes: number;

  /** @throws MODEL_FILE_KEY_INVALID */
  constructor(vocabulary: NativeVocabulary, { promptBosTokenId, promptEosTokenId }: PromptAffixes) {
    const { tokens, types, merges } = vocabulary;
    this.#vocabulary = vocabulary;
    this.#front = this.#affix(promptBosTokenId);
    this.#behind = this.#affix(promptEosTokenId);
    for (const [id, text] of tokens.entries()) if (types[id] !== TOKEN_TYPES.unused) this.#ids.set(text, id);
    this.#byteIds = Int32Array.from(BYTE_CHARACTERS, character => this.#ids.get(character) ?? -1);
    this.#pairs = new BytePairs(this.#ids, tokens.length, merges);
    const addedIf = (belongs: (id: number) => boolean): AddedTokens =>
      new AddedTokens(tokens.flatMap((text, id) => (belongs(id) ? [[text, id]] : [])));
    this.#added = addedIf(id => types[id] === TOKEN_TYPES.userDefined);
    this.#addedOrSpecial = addedIf(id => this.#isAdded(id));
    this.#longestTokenBytes = this.#findLongest();
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const ids = [...this.#front];
    for (const part of (options.parseSpecial ? this.#addedOrSpecial : this.#added).split(text)) {
      if (typeof part === 'number') ids.push(part);
      else this.#encodeText(part, ids);
    }
    ids.push(...this.#behind);
    return Int32Array.from(ids);
  }

  tokenText(id: number): TokenText {
    const text = this.#vocabulary.tokens[id];
    const type = this.#vocabulary.types[id] ?? TOKEN_TYPES.unused;
    if (text === undefined || type === TOKEN_TYPES.unused || isSpecial(type)) return NO_TEXT;
    return { bytes: tokenBytes(text), isByte: false };
  }

  leastTokens(text: string): number {
    const affixes = this.#front.length + this.#behind.length;
    // Bytes without a token are dropped: then nothing can be said.
    if (this.#byteIds.includes(-1)) return affixes;
    return affixes + Math.ceil(Buffer.byteLength(text) / this.#longestTokenBytes);
  }

  /** Appends the tokens of text without added ones. Each such text gets its own space in front, as in HF. */
  #encodeText(text: string, ids: number[]): void {
    const spaced = this.#vocabulary.addSpacePrefix && !text.startsWith(' ') ? ` ${text}` : text;
    for (const word of byteLevelWords(spaced)) {
      this.#pairs.merge(this.#bytesOf(word), ids);
    }
  }

  /** A token for each byte that has one. */
  #bytesOf(word: string): Int32Array {
    const bytes = utf8.encode(word);
    const ids = new Int32Array(bytes.length);
    let count = 0;
    for (const byte of bytes) {
      const id = this.#byteIds[byte] as number;
      if (id >= 0) ids[count++] = id;
    }
    return ids.subarray(0, count);
  }

  #isAdded(id: number): boolean {
    const type = this.#vocabulary.types[id] as number;
    return type === TOKEN_TYPES.userDefined || isSpecial(type);
  }

  /** Most bytes of text that one token takes. */
  #findLongest(): number {
    const lengths = this.#vocabulary.tokens.map((text, id) =>
      this.#isAdded(id) ? Buffer.byteLength(text) : this.tokenText(id).bytes.length,
    );
    return lengths.reduce((longest, length) => Math.max(longest, length), 1);
  }

  #affix(id: number): readonly number[] {
    if (id < this.#vocabulary.tokens.length) return id >= 0 ? [id] : [];
    throw createError(
      'MODEL_FILE_KEY_INVALID',
      `instructblip.text: prompts would begin or end with token ${id}, but the vocabulary has ${this.#vocabulary.tokens.length}`,
    );
  }
}
