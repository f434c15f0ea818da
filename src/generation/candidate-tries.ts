/** Answers that are given, as tries: what several of them begin with is one node. */

/** A beginning of one or more candidates. Node of a trie. */
export interface Beginning {
  /** What candidates go on with, by token. */
  readonly next: Map<number, Beginning>;
  /** Candidates that end here, by index. */
  readonly ends: number[];
}

/** Some of the candidates, that are scored in the same steps. */
export interface CandidateTrie {
  readonly root: Beginning;
  /** Beginnings that something follows: tokens that the model has to read. The last token of a candidate is none. */
  readonly inner: number;
  /** Most of them in one step. */
  readonly width: number;
}

/** What the cache has for the tokens of a trie. */
export interface TrieLimits {
  /** Rows of a step. At least 1. */
  readonly width: number;
  /** Tokens. At least as many as the longest candidate has, less one. */
  readonly inner: number;
}

const newBeginning = (): Beginning => ({ next: new Map(), ends: [] });

class TrieBuilder implements CandidateTrie {
  readonly root = newBeginning();
  inner = 0;
  width = 0;
  /** Inner beginnings by their length, less one. */
  readonly #widths: number[] = [];

  /** Adds a candidate unless that would pass a limit. */
  add(candidate: Int32Array, index: number, limits: TrieLimits): boolean {
    const known = this.#knownInner(candidate);
    if (this.inner + candidate.length - 1 - known > limits.inner) return false;
    for (let depth = known; depth < candidate.length - 1; depth++)
      if ((this.#widths[depth] ?? 0) + 1 > limits.width) return false;
    this.#insert(candidate, index, known);
    return true;
  }

  /** How many of the candidate's beginnings are read already. */
  #knownInner(candidate: Int32Array): number {
    let node: Beginning | undefined = this.root;
    let depth = 0;
    for (; depth < candidate.length - 1; depth++) {
      node = node.next.get(candidate[depth] as number);
      if (!node || node.next.size === 0) break;
    }
    return depth;
  }

  #insert(candidate: Int32Array, index: number, known: number): void {
    let node: Beginning = this.root;
    for (const token of candidate) {
      const next = node.next.get(token) ?? newBeginning();
      node.next.set(token, next);
      node = next;
    }
    node.ends.push(index);
    for (let depth = known; depth < candidate.length - 1; depth++) {
      this.inner += 1;
      const width = (this.#widths[depth] ?? 0) + 1;
      this.#widths[depth] = width;
      this.width = Math.max(this.width, width);
    }
  }
}

function compare(a: Int32Array, b: Int32Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  return a.length - b.length;
}

/** All candidates (of at least one token each) as tries that keep the limits; those that begin alike stay together. */
export function candidateTries(candidates: readonly Int32Array[], limits: TrieLimits): CandidateTrie[] {
  const order = [...candidates.keys()].sort((a, b) =>
    compare(candidates[a] as Int32Array, candidates[b] as Int32Array),
  );
  const tries: TrieBuilder[] = [];
  for (const index of order) {
    const candidate = candidates[index] as Int32Array;
    if (tries.at(-1)?.add(candidate, index, limits)) continue;
    const trie = new TrieBuilder();
    if (!trie.add(candidate, index, limits)) throw new RangeError(`candidate ${index} alone passes the limits`);
    tries.push(trie);
  }
  return tries;
}
