import { Tokenizer } from '@huggingface/tokenizers';
import { createError } from '../errors.js';
import type { NativeQFormerTokenizer } from '../native/addon.js';
import { bertWords } from './bert-words.js';

export interface QFormerEncodeOptions {
  /** Text in the shape of special tokens becomes those tokens, as in HF's processor. Default: false, it stays text. */
  readonly parseSpecial?: boolean;
}

/** Longest word that WordPiece takes apart, in characters: BERT's. */
const MAX_WORD_LENGTH = 100;

/**
 * Instructions as the Q-Former reads them: [CLS] text [SEP]. Mirrors transformers 4.34's `BertTokenizerFast`; the vocabulary and the rules are those of
 * the vision file. Neither cut nor padded.
 */
export class QFormerTokenizer {
  readonly #vocabulary: readonly string[];
  readonly #facts: NativeQFormerTokenizer;
  readonly #wordPiece: Tokenizer;
  readonly #special: ReadonlyMap<string, number>;
  readonly #specialPattern: RegExp | undefined;

  constructor(vocabulary: readonly string[], facts: NativeQFormerTokenizer) {
    this.#vocabulary = vocabulary;
    this.#facts = facts;
    this.#wordPiece = makeWordPiece(vocabulary, this.#textOf(facts.unkTokenId));
    this.#special = new Map(facts.specialTokenIds.map(id => [this.#textOf(id), id]));
    // The longest first: a token may begin with another.
    const texts = [...this.#special.keys()].sort((a, b) => b.length - a.length);
    this.#specialPattern = texts.length > 0 ? new RegExp(texts.map(escapeRegExp).join('|'), 'g') : undefined;
  }

  encode(text: string, options: QFormerEncodeOptions = {}): Int32Array {
    const { clsTokenId, sepTokenId } = this.#facts;
    const ids = options.parseSpecial ? this.#encodeWithSpecial(text) : this.#encodeText(text);
    return Int32Array.from([clsTokenId, ...ids, sepTokenId]);
  }

  #encodeText(text: string): number[] {
    return this.#wordPiece.encode(bertWords(text, this.#facts).join(' ')).ids;
  }

  #encodeWithSpecial(text: string): number[] {
    const ids: number[] = [];
    let end = 0;
    for (const match of this.#specialPattern ? text.matchAll(this.#specialPattern) : []) {
      ids.push(...this.#encodeText(text.slice(end, match.index)), this.#special.get(match[0]) as number);
      end = match.index + match[0].length;
    }
    return [...ids, ...this.#encodeText(text.slice(end))];
  }

  #textOf(id: number): string {
    const text = this.#vocabulary[id];
    if (text === undefined) {
      throw createError(
        'MODEL_FILE_KEY_INVALID',
        `the Q-Former's vocabulary has no token ${id}, but its tokenizer uses it`,
      );
    }
    return text;
  }
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Words, already apart, → pieces: the longest piece that the word begins with, then the longest that continues it. */
function makeWordPiece(vocabulary: readonly string[], unknown: string): Tokenizer {
  const model = {
    type: 'WordPiece',
    unk_token: unknown,
    continuing_subword_prefix: '##',
    max_input_chars_per_word: MAX_WORD_LENGTH,
    vocab: Object.fromEntries(vocabulary.map((text, id) => [text, id])),
  };
  const split = { type: 'WhitespaceSplit' };
  return new Tokenizer(
    { added_tokens: [], normalizer: null, pre_tokenizer: split, post_processor: null, decoder: null, model },
    {},
  );
}
