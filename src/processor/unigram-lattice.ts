import { TOKEN_TYPES } from '../convert/base-vocabulary.js';
import { PieceTrie } from './piece-trie.js';

/** What an unknown character costs beyond the least likely piece (SentencePiece's `kUnkPenalty`). */
const UNKNOWN_PENALTY = 10;

/** Pieces that stand for text. Special ones are in the lattice of HF, which takes the added tokens out before, but normalization can make new ones. */
const TEXT_TYPES: ReadonlySet<number> = new Set([TOKEN_TYPES.normal, TOKEN_TYPES.userDefined]);
const SPECIAL_TYPES: ReadonlySet<number> = new Set([TOKEN_TYPES.unknown, TOKEN_TYPES.control, TOKEN_TYPES.byte]);

export interface UnigramPieces {
  readonly tokens: readonly string[];
  readonly scores: Float32Array;
  readonly types: Int32Array;
  readonly unkTokenId: number;
}

/**
 * Words → the likeliest pieces (Viterbi), as `Unigram` of HF's tokenizers 0.14.1 with `fuse_unk`: of equal paths the one with the longer last piece; unknown
 * characters that follow each other are one token. Own code: @huggingface/tokenizers takes 4 s for a megabyte of text and ends in a RangeError for long
 * words, and gives `<unk>` in text another score.
 */
export class UnigramLattice {
  readonly #pieces: UnigramPieces;
  readonly #trie: PieceTrie;
  readonly #unknownScore: number;
  /** Ids of `<0x00>`..`<0xFF>` when all are there: unknown characters become their bytes. */
  readonly #byteIds: readonly number[] | undefined;
  // Per position of the word: the best path that ends there, its last piece, and where that begins.
  #best = new Float64Array(64);
  #ids = new Int32Array(64);
  #starts = new Int32Array(64);

  constructor(pieces: UnigramPieces) {
    const { tokens, types, scores } = pieces;
    this.#pieces = pieces;
    const known = tokens.flatMap((text, id): [string, number][] =>
      TEXT_TYPES.has(types[id] as number) || SPECIAL_TYPES.has(types[id] as number) ? [[text, id]] : [],
    );
    this.#trie = new PieceTrie(known);
    let least = Number.POSITIVE_INFINITY;
    for (const [id, score] of scores.entries()) if (types[id] === TOKEN_TYPES.normal) least = Math.min(least, score);
    this.#unknownScore = least - UNKNOWN_PENALTY;
    this.#byteIds = findByteIds(pieces);
  }

  /** Appends the ids of the word text[start .. end - 1]. */
  encode(text: string, start: number, end: number, withSpecial: boolean, ids: number[]): void {
    this.#findPaths(text, start, end, withSpecial);
    const first = ids.length;
    const unknown = this.#pieces.unkTokenId;
    for (let at = end - start; at > 0; at = this.#starts[at] as number) {
      const id = this.#ids[at] as number;
      if (id === unknown && this.#byteIds)
        this.#pushBytes(text.slice(start + (this.#starts[at] as number), start + at), ids);
      else if (id !== unknown || ids.length === first || ids.at(-1) !== unknown) ids.push(id);
    }
    reverseFrom(ids, first);
  }

  #findPaths(text: string, start: number, end: number, withSpecial: boolean): void {
    const { scores, types, unkTokenId } = this.#pieces;
    this.#clear(end - start + 1);
    for (let at = start; at < end; ) {
      const next = at + ((text.codePointAt(at) as number) > 0xffff ? 2 : 1);
      const score = this.#best[at - start] as number;
      let single = false;
      this.#trie.forEachAt(text, at, end, (id, pieceEnd) => {
        if (!withSpecial && !TEXT_TYPES.has(types[id] as number)) return;
        this.#offer(pieceEnd - start, at - start, id, score + (scores[id] as number));
        single ||= pieceEnd === next;
      });
      if (!single) this.#offer(next - start, at - start, unkTokenId, score + this.#unknownScore);
      at = next;
    }
  }

  #offer(end: number, start: number, id: number, score: number): void {
    if ((this.#starts[end] as number) >= 0 && !(score > (this.#best[end] as number))) return;
    this.#best[end] = score;
    this.#starts[end] = start;
    this.#ids[end] = id;
  }

  #clear(size: number): void {
    if (size > this.#best.length) {
      this.#best = new Float64Array(2 * size);
      this.#ids = new Int32Array(2 * size);
      this.#starts = new Int32Array(2 * size);
    }
    this.#best[0] = 0;
    this.#starts.fill(-1, 0, size);
  }

  /** Last byte first, as the path is read. */
  #pushBytes(text: string, ids: number[]): void {
    const byteIds = this.#byteIds as readonly number[];
    for (const byte of Buffer.from(text).reverse()) ids.push(byteIds[byte] as number);
  }
}

function findByteIds({ tokens, types }: UnigramPieces): number[] | undefined {
  const ids = new Map(
    tokens.flatMap((text, id): [string, number][] => (types[id] === TOKEN_TYPES.byte ? [[text, id]] : [])),
  );
  const byteIds = Array.from({ length: 256 }, (_, byte) =>
    ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  return byteIds.includes(undefined) ? undefined : (byteIds as number[]);
}

function reverseFrom(ids: number[], first: number): void {
  for (let low = first, high = ids.length - 1; low < high; low++, high--) {
    const id = ids[low] as number;
    ids[low] = ids[high] as number;
    ids[high] = id;
  }
}
