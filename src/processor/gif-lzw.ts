/** Codes of growing width, least significant bit first. */
class CodeReader {
  bits = 0;
  #buffer = 0;
  #held = 0;
  #from = 0;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** -1 = the data ends. */
  next(): number {
    while (this.#held < this.bits) {
      if (this.#from >= this.#data.length) return -1;
      this.#buffer |= (this.#data[this.#from++] as number) << this.#held;
      this.#held += 8;
    }
    const code = this.#buffer & ((1 << this.bits) - 1);
    this.#buffer >>>= this.bits;
    this.#held -= this.bits;
    return code;
  }
}

const MAX_CODES = 4096;

/**
 * Decompresses GIF's LZW into `output`.
 * @param codeSize bits of an index
 * @returns what is wrong, or undefined when `output` is full
 */
export function decompressLzw(data: Uint8Array, codeSize: number, output: Uint8Array): string | undefined {
  const clear = 1 << codeSize;
  // Per code: the code before its last byte, that byte, and its length.
  const prefix = new Uint16Array(MAX_CODES);
  const suffix = new Uint8Array(MAX_CODES);
  const lengths = new Uint16Array(MAX_CODES).fill(1, 0, clear);
  for (let code = 0; code < clear; code++) suffix[code] = code;
  const reader = new CodeReader(data);
  let next = clear + 2;
  let previous = -1;
  let written = 0;
  reader.bits = codeSize + 1;
  while (written < output.length) {
    const code = reader.next();
    if (code < 0 || code === clear + 1) return 'its pixels end too early';
    if (code === clear) {
      next = clear + 2;
      reader.bits = codeSize + 1;
      previous = -1;
      continue;
    }
    if (code > next || (previous < 0 && code > clear)) return 'its pixels are damaged';
    // A code that is just being defined: the previous string and its own first byte.
    const source = code < next ? code : previous;
    const length = lengths[source] as number;
    for (let at = written + length - 1, link = source; at >= written; at--, link = prefix[link] as number) {
      output[at] = suffix[link] as number;
    }
    const first = output[written] as number;
    written += length;
    if (code === next) output[written++] = first;
    if (previous >= 0 && next < MAX_CODES) {
      prefix[next] = previous;
      suffix[next] = first;
      lengths[next] = (lengths[previous] as number) + 1;
      next++;
      if (next === 1 << reader.bits && reader.bits < 12) reader.bits++;
    }
    previous = code;
  }
  return undefined;
}
