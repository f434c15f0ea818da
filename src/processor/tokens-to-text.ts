import type { TokenText } from '../generation/text-stream.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeRun(bytes: readonly number[]): string {
  try {
    return strict.decode(Uint8Array.from(bytes));
  } catch {
    return '\u{fffd}'.repeat(bytes.length);
  }
}

/**
 * Joins tokens as HF's decoders do: what a run of byte tokens gives is a text, or U+FFFD for each byte where it is not valid UTF-8; bytes of other tokens
 * may be parts of characters. The whole, with all white space: `TextStream` is its counterpart for text that comes piece by piece.
 */
export function joinTokens(tokens: Iterable<TokenText>): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  let run: number[] = [];
  for (const { bytes, isByte } of tokens) {
    if (isByte) {
      run.push(...bytes);
      continue;
    }
    if (run.length > 0) text += decoder.decode() + decodeRun(run);
    run = [];
    text += decoder.decode(bytes, { stream: true });
  }
  return text + decoder.decode() + (run.length > 0 ? decodeRun(run) : '');
}
