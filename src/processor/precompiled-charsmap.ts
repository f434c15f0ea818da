import { createError } from '../errors.js';
import { forEachGrapheme } from './graphemes.js';

/** Longest replacement of a sound map, in bytes; the longest of NFKC has 33. A damaged map could put its whole text in for every character. */
const MAX_REPLACEMENT = 256;
/** Longer graphemes are replaced character by character. */
const MAX_GRAPHEME_BYTES = 5;

const invalid = (reason: string): Error =>
  createError(
    'MODEL_FILE_KEY_INVALID',
    `tokenizer.ggml.precompiled_charsmap ${reason}; convert or download the language model again`,
  );

/**
 * SentencePiece's precompiled normalization: [size u32][a darts-clone double array of `size` bytes][replacements, each ended by NUL]. Mirrors the
 * `Precompiled` normalizer of HF's tokenizers 0.14.1, which differs from SentencePiece's longest match: a short grapheme is looked up whole, and
 * the replacement of the SHORTEST beginning that has one stands for all of it. (The library @huggingface/tokenizers has NFKC in its place.)
 */
export class PrecompiledCharsmap {
  /** Units of the double array: label bits 0-7, leaf flag bit 8, offset bits 10-31. */
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;
  readonly #known = new Map<string, string | null>();

  /** @throws MODEL_FILE_KEY_INVALID */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length < 4 ? 0 : view.getUint32(0, true);
    if (size < 4 || size % 4 !== 0 || size > bytes.length - 4)
      throw invalid(`has ${bytes.length} bytes and says that ${size} of them are its index`);
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#replacements = bytes.slice(4 + size);
    checkReplacements(this.#replacements);
  }

  normalize(text: string): string {
    let result = '';
    forEachGrapheme(text, grapheme => {
      const whole = grapheme.length <= MAX_GRAPHEME_BYTES ? this.#replacementOf(grapheme) : null;
      if (whole !== null) result += whole;
      else if (grapheme.length === 1) result += grapheme;
      else for (const char of grapheme) result += this.#replacementOf(char) ?? char;
    });
    return result;
  }

  /** What stands for a short grapheme or a character; null = itself. */
  #replacementOf(key: string): string | null {
    let replacement = this.#known.get(key);
    if (replacement === undefined) {
      const bytes = Buffer.from(key);
      replacement = bytes.length <= MAX_GRAPHEME_BYTES ? this.#find(bytes) : null;
      if (this.#known.size < 0x10000) this.#known.set(key, replacement);
    }
    return replacement;
  }

  /** Walks the double array. A damaged one leads out of it, where there is nothing. */
  #find(key: Uint8Array): string | null {
    const units = this.#units;
    let at = offsetOf(units[0] as number);
    for (const byte of key) {
      at ^= byte;
      const unit = units[at];
      if (byte === 0 || unit === undefined || (unit & 0x800000ff) !== byte) return null;
      at ^= offsetOf(unit);
      if ((unit & 0x100) !== 0) return this.#textAt((units[at] ?? 0) & 0x7fffffff);
    }
    return null;
  }

  #textAt(start: number): string | null {
    if (start >= this.#replacements.length) return null;
    const end = this.#replacements.indexOf(0, start);
    return decoder.decode(this.#replacements.subarray(start, end < 0 ? undefined : end));
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

function checkReplacements(bytes: Uint8Array): void {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid('has replacements that are not UTF-8');
  }
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(0, start);
    const length = (end < 0 ? bytes.length : end) - start;
    if (length > MAX_REPLACEMENT) throw invalid(`has a replacement of ${length} bytes`);
    start += length + 1;
  }
}
