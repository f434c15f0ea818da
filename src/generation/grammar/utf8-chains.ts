import type { CodePointRange } from './expression.js';

/** What a character may be in UTF-8: a first byte in this range, then what `next` says; null = the character is complete. */
export interface ByteChain {
  readonly id: number;
  readonly first: number;
  readonly last: number;
  readonly next: ByteChain | null;
}

/** Ends of the code points with 1, 2, 3 and 4 bytes, and of the two stretches around the surrogates. */
const LENGTH_ENDS = [0x7f, 0x7ff, 0xd7ff, 0xffff, 0x10ffff];
const SURROGATES: CodePointRange = [0xd800, 0xdfff];

const utf8Of = (point: number): Uint8Array => new TextEncoder().encode(String.fromCodePoint(point));

/** Makes chains; equal ones are one object, so that states that hold them can be compared. */
export class ByteChains {
  readonly #chains = new Map<string, ByteChain>();
  readonly #ofRanges = new Map<string, readonly ByteChain[]>();

  /** Every byte sequence of a character in `ranges`, once. Surrogates have none. */
  of(ranges: readonly CodePointRange[]): readonly ByteChain[] {
    const key = ranges.join(';');
    const known = this.#ofRanges.get(key);
    if (known) return known;
    const chains = ranges.flatMap(range => [...this.#ofRange(range)]);
    this.#ofRanges.set(key, chains);
    return chains;
  }

  *#ofRange([first, last]: CodePointRange): Generator<ByteChain> {
    let start = first;
    for (const end of LENGTH_ENDS) {
      if (start >= SURROGATES[0] && start <= SURROGATES[1]) start = SURROGATES[1] + 1;
      if (start > last) return;
      if (start > end) continue;
      const stop = Math.min(end, last);
      yield* this.#ofBytes(utf8Of(start), utf8Of(stop));
      start = stop + 1;
    }
  }

  /** All sequences of this length from `low` to `high`, in the order of bytes. */
  *#ofBytes(low: Uint8Array, high: Uint8Array): Generator<ByteChain> {
    const [first, ...restLow] = low as unknown as [number, ...number[]];
    const [last, ...restHigh] = high as unknown as [number, ...number[]];
    if (restLow.length === 0) yield this.#chain(first, last, null);
    else if (first === last) yield* this.#under(first, last, restLow, restHigh);
    else {
      const lowest = restLow.map(() => 0x80);
      const highest = restHigh.map(() => 0xbf);
      const startsWhole = restLow.every(byte => byte === 0x80);
      const endsWhole = restHigh.every(byte => byte === 0xbf);
      if (!startsWhole) yield* this.#under(first, first, restLow, highest);
      const from = startsWhole ? first : first + 1;
      const to = endsWhole ? last : last - 1;
      if (from <= to) yield* this.#under(from, to, lowest, highest);
      if (!endsWhole) yield* this.#under(last, last, lowest, restHigh);
    }
  }

  *#under(first: number, last: number, low: readonly number[], high: readonly number[]): Generator<ByteChain> {
    for (const next of this.#ofBytes(Uint8Array.from(low), Uint8Array.from(high))) yield this.#chain(first, last, next);
  }

  #chain(first: number, last: number, next: ByteChain | null): ByteChain {
    const key = `${first}-${last}-${next?.id}`;
    const chain = this.#chains.get(key) ?? { id: this.#chains.size, first, last, next };
    this.#chains.set(key, chain);
    return chain;
  }
}
