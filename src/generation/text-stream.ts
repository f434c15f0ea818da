import { SpaceCleaner } from './clean-up-spaces.js';

/**
 * Token bytes → pieces of text that join exactly to the answer, which is what HF gives as
 * `batch_decode(tokens, skip_special_tokens=True)[0].strip()`, cut before a stop string. Held back until it is certain:
 * a character of which bytes are missing, a run of byte tokens (HF turns a run that is not valid UTF-8 into one U+FFFD per byte), what clean-up may
 * still change, a possible beginning of a stop string, white space at the end.
 */

/** How a token appears in text. */
export interface TokenText {
  /** UTF-8; empty for special tokens, which are not text. */
  readonly bytes: Uint8Array;
  /** One raw byte of a character that the vocabulary does not have (`<0xE2>`), not a piece of text. */
  readonly isByte: boolean;
  /** In place of `bytes` when no token with text came before: HF's decoder for T5 drops the spaces of the first one. */
  readonly atStart?: Uint8Array;
}

/** Bytes of a token that an answer begins with, where nothing but the space that tokenizers put in front of a text is taken away. */
export const startBytes = ({ bytes, atStart }: TokenText): Uint8Array =>
  atStart ?? (bytes[0] === 0x20 ? bytes.subarray(1) : bytes);

/** What Python's `str.strip()` takes for white space: JavaScript's set differs by U+001C..1F, U+0085 and U+FEFF. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const LEADING_SPACE = new RegExp(`^${SPACE}+`);
const TRAILING_SPACE = new RegExp(`${SPACE}+$`);

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeValid(bytes: readonly number[]): string | null {
  try {
    return strict.decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
}

export class TextStream {
  readonly #stopStrings: readonly string[];
  /** Keeps the beginning of a character whose other bytes come with the next token (byte-level BPE cuts anywhere). */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #cleaner: SpaceCleaner | null;
  /** Decoded and cleaned, not yet released. */
  #held = '';
  #hasTokens = false;
  /** Bytes of the byte tokens since the last other token. */
  #run: number[] = [];
  #started = false;
  #stopped = false;
  readonly #isExact: boolean;

  /**
   * @param stopStrings looked for in the text as the user sees it
   * @param cleanUpSpaces HF's `clean_up_tokenization_spaces`
   * @param isExact the text of a constrained answer: neither stripped nor cleaned up, only the first space is left out (`startBytes`)
   */
  constructor(stopStrings: readonly string[], cleanUpSpaces = false, isExact = false) {
    this.#stopStrings = stopStrings;
    this.#cleaner = cleanUpSpaces && !isExact ? new SpaceCleaner() : null;
    this.#isExact = isExact;
  }

  /** Whether a stop string has been found; nothing comes after it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes the next token and returns the text that became certain, often ''. */
  push(token: TokenText): string {
    if (this.#stopped || token.bytes.length === 0) return '';
    const bytes = this.#hasTokens ? token.bytes : this.#startOf(token);
    this.#hasTokens = true;
    if (token.isByte) this.#run.push(...bytes);
    else {
      this.#endRun();
      this.#append(this.#decoder.decode(bytes, { stream: true }));
    }
    if (this.#stopIn(this.#held + this.#runSoFar())) return this.#releaseAll();
    return this.#release(this.#held.length - this.#possibleStopLength());
  }

  /** The rest, when no token follows. */
  finish(): string {
    if (this.#stopped) return '';
    this.#endRun();
    this.#append(this.#decoder.decode());
    this.#held += this.#cleaner?.finish() ?? '';
    this.#stopIn(this.#held);
    return this.#releaseAll();
  }

  #startOf(token: TokenText): Uint8Array {
    return this.#isExact ? startBytes(token) : (token.atStart ?? token.bytes);
  }

  #append(text: string): void {
    this.#held += this.#cleaner ? this.#cleaner.push(text) : text;
  }

  #endRun(): void {
    if (this.#run.length === 0) return;
    this.#append(decodeValid(this.#run) ?? '\u{fffd}'.repeat(this.#run.length));
    this.#run = [];
  }

  /** A run that is valid so far may contain a stop string already, most often a line feed. What clean-up makes of it is known when it ends. */
  #runSoFar(): string {
    return this.#run.length > 0 && !this.#cleaner ? (decodeValid(this.#run) ?? '') : '';
  }

  /** Whether `text`, which is all that is held, contains a stop string; then only what is before it stays. */
  #stopIn(text: string): boolean {
    const stop = this.#findStop(text);
    if (stop < 0) return false;
    this.#stopped = true;
    this.#held = text.slice(0, stop);
    this.#run = [];
    return true;
  }

  #findStop(text: string): number {
    const found = this.#stopStrings.map(stop => text.indexOf(stop)).filter(index => index >= 0);
    return found.length === 0 ? -1 : Math.min(...found);
  }

  /** Length of the longest end of the held text with which a stop string may begin. */
  #possibleStopLength(): number {
    let longest = 0;
    for (const stop of this.#stopStrings) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > longest; length--) {
        if (this.#held.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }

  #releaseAll(): string {
    return this.#release(this.#held.length);
  }

  /** Releases the first `length` characters but white space at their end, which is text only when text follows. */
  #release(length: number): string {
    let text = this.#held.slice(0, length);
    if (!this.#isExact) text = text.replace(TRAILING_SPACE, '');
    this.#held = this.#held.slice(text.length);
    if (!this.#started && !this.#isExact) text = text.replace(LEADING_SPACE, '');
    this.#started ||= text.length > 0;
    return text;
  }
}
