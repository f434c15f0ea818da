/** Pieces by their beginnings, over UTF-16 code units: every piece that a text has at a position, in time that does not grow with the vocabulary. */
export class PieceTrie {
  // Node n's children are the nodes first[n] .. first[n + 1] - 1, in the order of their units. Node 0 is the root.
  readonly #first: Int32Array;
  readonly #units: Uint16Array;
  /** Id of the piece that ends at a node; -1 = none. */
  readonly #ids: Int32Array;

  /** Of equal texts the last id counts, as in HF. Empty ones are left out. */
  constructor(pieces: Iterable<readonly [text: string, id: number]>) {
    const byText = new Map(pieces);
    const texts = [...byText.keys()].filter(text => text !== '').sort();
    const first: number[] = [];
    const units: number[] = [0];
    const ids: number[] = [-1];
    // Breadth first: the node at the head of the queue stands for texts[from .. to - 1], whose first `depth` units are the same.
    const queue: [from: number, to: number, depth: number][] = [[0, texts.length, 0]];
    for (let node = 0; node < queue.length; node++) {
      const [start, to, depth] = queue[node] as [number, number, number];
      first.push(queue.length);
      // The shorter text comes first: it ended at this node.
      let from = start < to && (texts[start] as string).length === depth ? start + 1 : start;
      while (from < to) {
        const unit = (texts[from] as string).charCodeAt(depth);
        let end = from + 1;
        while (end < to && (texts[end] as string).charCodeAt(depth) === unit) end++;
        const text = texts[from] as string;
        units.push(unit);
        ids.push(text.length === depth + 1 ? (byText.get(text) as number) : -1);
        queue.push([from, end, depth + 1]);
        from = end;
      }
    }
    this.#first = Int32Array.from([...first, queue.length]);
    this.#units = Uint16Array.from(units);
    this.#ids = Int32Array.from(ids);
  }

  /** Calls `visit` with every piece that `text` has at `start`, the shortest first; none reaches beyond `end`. */
  forEachAt(text: string, start: number, end: number, visit: (id: number, end: number) => void): void {
    let node = 0;
    for (let at = start; at < end; at++) {
      node = this.#child(node, text.charCodeAt(at));
      if (node < 0) return;
      const id = this.#ids[node] as number;
      if (id >= 0) visit(id, at + 1);
    }
  }

  #child(node: number, unit: number): number {
    let low = this.#first[node] as number;
    let high = this.#first[node + 1] as number;
    const end = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#units[middle] as number) < unit) low = middle + 1;
      else high = middle;
    }
    return low < end && this.#units[low] === unit ? low : -1;
  }
}
