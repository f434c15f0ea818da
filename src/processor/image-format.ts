/** The formats that are read. Everything else is refused by its first bytes, before a decoder sees it. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff';

const has = (bytes: Uint8Array, at: number, text: string): boolean =>
  bytes.length >= at + text.length && [...text].every((character, i) => bytes[at + i] === character.charCodeAt(0));

const SIGNATURES: readonly [ImageFormat, (bytes: Uint8Array) => boolean][] = [
  ['jpeg', bytes => has(bytes, 0, '\xff\xd8\xff')],
  ['png', bytes => has(bytes, 0, '\x89PNG\r\n\x1a\n')],
  ['gif', bytes => has(bytes, 0, 'GIF87a') || has(bytes, 0, 'GIF89a')],
  ['webp', bytes => has(bytes, 0, 'RIFF') && has(bytes, 8, 'WEBP')],
  // Classic and BigTIFF, little and big endian.
  ['tiff', bytes => ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some(signature => has(bytes, 0, signature))],
];

/** Names for messages only. */
const REFUSED: readonly [string, RegExp][] = [
  ['PDF', /^\s*%PDF/],
  ['SVG', /<svg[\s>]/i],
  ['HTML', /<html|<!doctype html/i],
  ['XML', /^(\xef\xbb\xbf)?\s*<\?xml/],
  ['AVIF', /^.{4}ftyp(avif|avis)/s],
  ['HEIC', /^.{4}ftyp(heic|heix|hevc|heim|heis|mif1|msf1)/s],
  ['JPEG XL', /^.{4}JXL /s],
  ['JPEG 2000', /^.{4}jP {2}/s],
  ['BMP', /^BM/],
  ['Photoshop', /^8BPS/],
  ['Netpbm', /^P[1-7]\s/],
  ['GGUF', /^GGUF/],
];

/** What the bytes are, by their start; undefined when it is none of the formats that are read. */
export const detectFormat = (bytes: Uint8Array): ImageFormat | undefined =>
  SIGNATURES.find(([, matches]) => matches(bytes))?.[0];

/** What else the bytes may be, for a message. */
export function describeBytes(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString('latin1');
  const name = REFUSED.find(([, pattern]) => pattern.test(start))?.[0];
  if (name) return name;
  return `unknown (starts with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')})`;
}
