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
    return ranges.some(([first, last]) => {
      for (let point = first; point <= last; point++) if (this.#canSpellOne(point)) return true;
      return false;
    });
  }

  #canSpellOne(point: number): boolean {
    if (point >= 0xd800 && point <= 0xdfff) return false;
    if (this.#knownCharacters().has(point)) return true;
    return encoder.encode(String.fromCodePoint(point)).every(byte => this.#singleBytes().has(byte));
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
