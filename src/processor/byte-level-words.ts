import { BYTE_LEVEL_CHARACTERS } from './byte-level-characters.js';
import { codePointRanges } from './code-points.js';

const SPACE = 1;
const LETTER = 2;
const NUMBER = 3;

/** Kind of every code point; 0 = any other. Own table, because JavaScript's `\s` differs from HF's by U+0085 and U+FEFF, and Node's Unicode is newer. */
const KINDS = (() => {
  const kinds = new Uint8Array(0x110000);
  for (const [kind, set] of [
    [SPACE, BYTE_LEVEL_CHARACTERS.spaces],
    [LETTER, BYTE_LEVEL_CHARACTERS.letters],
    [NUMBER, BYTE_LEVEL_CHARACTERS.numbers],
  ] as const) {
    for (const [first, last] of codePointRanges(set)) kinds.fill(kind, first, last + 1);
  }
  return kinds;
})();
const CONTRACTION = /'(?:s|t|re|ve|m|ll|d)/y;

/** Where the run of characters of `kind` ends that goes on at `at`. */
function runEnd(text: string, at: number, kind: number): number {
  let end = at;
  while (end < text.length) {
    const point = text.codePointAt(end) as number;
    if (KINDS[point] !== kind) break;
    end += point > 0xffff ? 2 : 1;
  }
  return end;
}

function wordEnd(text: string, start: number): number {
  CONTRACTION.lastIndex = start;
  if (text[start] === "'" && CONTRACTION.test(text)) return CONTRACTION.lastIndex;
  const visible = text[start] === ' ' ? start + 1 : start;
  const kind = KINDS[text.codePointAt(visible) ?? 0x20] as number;
  if (kind !== SPACE) return runEnd(text, visible, kind);
  const end = runEnd(text, start, SPACE);
  // A word follows and takes the last space with it, if that is ' '; HF's pattern keeps it apart whichever it is.
  return end === text.length || end === start + 1 ? end : end - 1;
}

/**
 * Text → words whose bytes are merged, as the `ByteLevel` pre-tokenizer of HF's tokenizers 0.14 finds them. Every character is in one. The pattern is GPT-2's,
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * but not run by RegExp, which needs stack for every character of a word and fails on one of some megabytes.
 */
export function* byteLevelWords(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = wordEnd(text, start);
    yield text.slice(start, end);
    start = end;
  }
}
