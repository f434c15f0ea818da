/**
 * Token bytes → pieces of text that join exactly to the answer, which is what HF gives as
 * `batch_decode(tokens, skip_special_tokens=True)[0].strip()`, cut before a stop string. Held back until it is certain:
 * a character of which bytes are missing, a run of byte tokens (HF turns a run that is not valid UTF-8 into one U+FFFD per byte), a possible beginning
 * of a stop string, white space at the end.
 */

/** How a token appears in text. */
export interface TokenText {
  /** UTF-8; empty for special tokens, which are not text. */
  readonly bytes: Uint8Array;
  /** One raw byte of a character that the vocabulary does not have (`<0xE2>`), not a piece of text. */
  readonly isByte: boolean;
}

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
  /** Decoded, not yet released. */
  #held = '';
  /** Bytes of the byte tokens since the last other token. */
  #run: number[] = [];
  #started = false;
  #stopped = false;

  constructor(stopStrings: readonly string[]) {
    this.#stopStrings = stopStrings;
  }

  /** Whether a stop string has been found; nothing comes after it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes the next token and returns the text that became certain, often ''. */
  push(token: TokenText): string {
    if (this.#stopped || token.bytes.length === 0) return '';
    if (token.isByte) this.#run.push(...token.bytes);
    else {
      this.#endRun();
      this.#held += this.#decoder.decode(token.bytes, { stream: true });
    }
    // A run that is valid so far may contain a stop string already, most often a line feed.
    const soFar = this.#held + (this.#run.length > 0 ? (decodeValid(this.#run) ?? '') : '');
    const stop = this.#findStop(soFar);
    if (stop >= 0) {
      this.#stopped = true;
      this.#held = soFar.slice(0, stop);
      this.#run = [];
      return this.#releaseAll();
    }
    return this.#release(this.#held.length - this.#possibleStopLength());
  }

  /** The rest, when no token follows. */
  finish(): string {
    if (this.#stopped) return '';
    this.#endRun();
    this.#held += this.#decoder.decode();
    return this.#releaseAll();
  }

  #endRun(): void {
    if (this.#run.length === 0) return;
    this.#held += decodeValid(this.#run) ?? '\u{fffd}'.repeat(this.#run.length);
    this.#run = [];
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
    let text = this.#held.slice(0, length).replace(TRAILING_SPACE, '');
    this.#held = this.#held.slice(text.length);
    if (!this.#started) text = text.replace(LEADING_SPACE, '');
    this.#started ||= text.length > 0;
    return text;
  }
}
