import { startBytes, type TokenText } from '../text-stream.js';
import type { Spelling } from './check-program.js';
import type { CodePointRange } from './expression.js';
import { TokenTrie } from './token-trie.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** What the tokens of a model are in text. Everything that follows from it is worked out once, when it is first needed. */
export class Vocabulary implements Spelling {
  readonly #size: number;
  readonly #tokenText: (id: number) => TokenText;
  #texts: readonly TokenText[] | undefined;
  #trie: TokenTrie | undefined;
  #starts: readonly Uint8Array[] | undefined;
  #characters: ReadonlySet<number> | undefined;
  #bytes: ReadonlySet<number> | undefined;

  constructor(size: number, tokenText: (id: number) => TokenText) {
    this.#size = size;
    this.#tokenText = tokenText;
  }

  /** By id. Special tokens have no bytes. */
  get texts(): readonly TokenText[] {
    this.#texts ??= Array.from({ length: this.#size }, (_, id) => this.#tokenText(id));
    return this.#texts;
  }

  /** By id: bytes of a token that an answer begins with. */
  get starts(): readonly Uint8Array[] {
    this.#starts ??= this.texts.map(startBytes);
    return this.#starts;
  }

  get trie(): TokenTrie {
    this.#trie ??= new TokenTrie(this.texts.map(({ bytes }) => bytes));
    return this.#trie;
  }

  canSpell(ranges: readonly CodePointRange[]): boolean {
    return ranges.some(range => this.#hasCharacter(range) || this.#hasBytes(range));
  }

  #hasCharacter([first, last]: CodePointRange): boolean {
    if (first === last) return this.#knownCharacters().has(first);
    for (const point of this.#knownCharacters()) if (first <= point && point <= last) return true;
    return false;
  }

  #hasBytes([first, last]: CodePointRange): boolean {
    const bytes = this.#singleBytes();
    // Without parts of characters, only those of one byte.
    const end = bytes.has(0x80) ? last : Math.min(last, 0x7f);
    for (let point = first; point <= end; point++) {
      const isSurrogate = point >= 0xd800 && point <= 0xdfff;
      if (!isSurrogate && encoder.encode(String.fromCodePoint(point)).every(byte => bytes.has(byte))) return true;
    }
    return false;
  }

  /** Those of tokens that are whole characters. */
  #knownCharacters(): ReadonlySet<number> {
    this.#characters ??= new Set(
      this.texts.flatMap(({ bytes }) => Array.from(textOf(bytes), each => each.codePointAt(0) as number)),
    );
    return this.#characters;
  }

  #singleBytes(): ReadonlySet<number> {
    this.#bytes ??= new Set(this.texts.flatMap(({ bytes }) => (bytes.length === 1 ? [bytes[0] as number] : [])));
    return this.#bytes;
  }
}

/** '' where the bytes are parts of characters. */
function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return '';
  }
}
