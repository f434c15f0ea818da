/**
 * GPT-2's way to write bytes as visible characters: printable ones as themselves, the others, in order, as U+0100, U+0101, … So a space is Ġ (U+0120).
 * By byte.
 */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  let others = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : others++);
  });
})();

const BYTES = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));
const utf8 = new TextEncoder();

/** What a token stands for in text. As HF's `ByteLevel` decoder: a token with any other character (an added one) is text as it is. */
export function tokenBytes(token: string): Uint8Array {
  const bytes = Array.from(token, character => BYTES.get(character));
  return bytes.includes(undefined) ? utf8.encode(token) : Uint8Array.from(bytes as number[]);
}
