const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** Intl.Segmenter needs quadratic time for long texts (a quarter of a million characters: minutes), so it gets them in windows. */
const WINDOW = 256;

/** Marks of Unicode 16 and 17: HF's segmentation, that of Unicode 15, begins a grapheme with them. Later versions may bring more; a test tells. */
const NEW_MARKS = /(?=\u0897|[\u1acf-\u1add]|[\u1ae0-\u1aeb])/;

const isPlain = (code: number): boolean => code < 0x7f && code !== 0x0d;
const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code < 0xdc00;

/** Calls `visit` with each grapheme cluster of a well-formed text, as Unicode 15 defines them. */
export function forEachGrapheme(text: string, visit: (grapheme: string) => void): void {
  let at = 0;
  while (at < text.length) {
    // Between two ASCII characters there is always a boundary, but not in CR LF.
    if (isPlain(text.charCodeAt(at)) && !(text.charCodeAt(at + 1) >= 0x7f)) visit(text[at++] as string);
    else at = visitWindow(text, at, visit);
  }
}

/** Visits the graphemes of a window that begins at a boundary; returns where the last boundary in it is. */
function visitWindow(text: string, start: number, visit: (grapheme: string) => void): number {
  for (let size = WINDOW; ; size *= 2) {
    let end = Math.min(start + size, text.length);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end++;
    const graphemes = Array.from(segmenter.segment(text.slice(start, end)), ({ segment }) => segment);
    // The last may go on behind the window.
    const last = end < text.length ? (graphemes.pop() as string).length : 0;
    if (graphemes.length === 0) continue;
    for (const grapheme of graphemes) for (const part of grapheme.split(NEW_MARKS)) visit(part);
    return end - last;
  }
}
