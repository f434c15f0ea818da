/** The tokens of a vocabulary by their bytes, as a tree in the order of a walk: what an automaton refuses is skipped with all that begins so. */
export class TokenTrie {
  /** Of each node. */
  readonly #byte: Uint8Array;
  readonly #depth: Int32Array;
  /** The first node that is not below this one. */
  readonly #end: Int32Array;
  /** Where the tokens that end here begin in `#ids`; they end where those of the next node begin. */
  readonly #firstToken: Int32Array;
  /** Ids of tokens in the order of their bytes. */
  readonly #ids: readonly number[];

  /** @param bytes of each token by its id; those without bytes are left out */
  constructor(bytes: readonly Uint8Array[]) {
    const ids = [...bytes.keys()].filter(id => (bytes[id] as Uint8Array).length > 0);
    this.#ids = ids.sort((a, b) => Buffer.compare(bytes[a] as Uint8Array, bytes[b] as Uint8Array));
    const nodes: { byte: number; depth: number; end: number; firstToken: number }[] = [];
    const open: number[] = [];
    const closeTo = (depth: number) => {
      for (const node of open.splice(depth)) (nodes[node] as { end: number }).end = nodes.length;
    };
    for (const [index, id] of this.#ids.entries()) {
      const text = bytes[id] as Uint8Array;
      closeTo(open.findIndex((node, depth) => nodes[node]?.byte !== text[depth]) >>> 0);
      for (let depth = open.length; depth < text.length; depth++)
        open.push(nodes.push({ byte: text[depth] as number, depth, end: 0, firstToken: index }) - 1);
    }
    closeTo(0);
    this.#byte = Uint8Array.from(nodes, node => node.byte);
    this.#depth = Int32Array.from(nodes, node => node.depth);
    this.#end = Int32Array.from(nodes, node => node.end);
    this.#firstToken = Int32Array.from([...nodes.map(node => node.firstToken), this.#ids.length]);
  }

  /** Calls `found` with every token all of whose bytes `next` leads through, from `start` on, and with the state behind it. */
  walk<State>(
    start: State,
    next: (state: State, byte: number) => State | null,
    found: (id: number, state: State) => void,
  ): void {
    const states: State[] = [start];
    for (let node = 0; node < this.#byte.length; ) {
      const depth = this.#depth[node] as number;
      const state = next(states[depth] as State, this.#byte[node] as number);
      if (state === null) {
        node = this.#end[node] as number;
        continue;
      }
      states[depth + 1] = state;
      const last = this.#firstToken[node + 1] as number;
      for (let token = this.#firstToken[node] as number; token < last; token++)
        found(this.#ids[token] as number, state);
      node++;
    }
  }
}
