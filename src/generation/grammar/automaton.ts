import type { GrammarSymbol, Program } from './program.js';
import type { ByteChain } from './utf8-chains.js';

/** What must still come when what is on top has been read: the symbol at `position`, what follows it, then what `below` says. null = nothing. */
interface Stack {
  readonly id: number;
  readonly position: number;
  readonly below: Stack | null;
}

/** One way to go on: a byte of `chain`, then `stack`. */
interface Thread {
  readonly id: number;
  readonly chain: ByteChain;
  readonly stack: Stack | null;
}

/** Everything that a text may go on with. Two texts with the same state can go on in the same ways; states are never changed, so beams share them. */
export interface State {
  /** Whether the text may end here. */
  readonly mayEnd: boolean;
  readonly threads: readonly Thread[];
  /** By byte, filled in as they are asked for; null = impossible. */
  readonly following: (State | null | undefined)[];
}

const ID_SPACE = 2 ** 32;

/** A pushdown automaton over UTF-8 bytes that follows all ways of reading at once. Everything in it is made once and then compared by identity. */
export class Automaton {
  readonly start: State;
  /** Symbols of all alternatives, one after the other; null = end of an alternative. */
  readonly #symbols: (GrammarSymbol | null)[] = [];
  /** Positions of the alternatives of each rule. */
  readonly #alternatives: readonly (readonly number[])[];
  readonly #stacks = new Map<number, Stack>();
  readonly #threads = new Map<number, Thread>();
  readonly #states = new Map<string, State>();

  constructor(program: Program) {
    this.#alternatives = program.map(({ alternatives }) =>
      alternatives.map(symbols => {
        const position = this.#symbols.length;
        for (const symbol of symbols) this.#symbols.push(symbol);
        this.#symbols.push(null);
        return position;
      }),
    );
    const stacks = (this.#alternatives[0] as number[]).map(position => this.#push(position, null));
    this.start = this.#stateOf([], stacks);
  }

  /** The state after one byte more, or null when no text goes on so. */
  next(state: State, byte: number): State | null {
    const known = state.following[byte];
    if (known !== undefined) return known;
    const inside: Thread[] = [];
    const complete: (Stack | null)[] = [];
    for (const { chain, stack } of state.threads) {
      if (byte < chain.first || byte > chain.last) continue;
      if (chain.next) inside.push(this.#thread(chain.next, stack));
      else complete.push(stack);
    }
    const found = inside.length + complete.length === 0 ? null : this.#stateOf(inside, complete);
    state.following[byte] = found;
    return found;
  }

  /** The state after `bytes`. */
  read(state: State | null, bytes: Uint8Array): State | null {
    let current = state;
    for (const byte of bytes) current = current && this.next(current, byte);
    return current;
  }

  /** `inside`: threads in the middle of a character; `complete`: what is to come behind one that ended. */
  #stateOf(inside: readonly Thread[], complete: readonly (Stack | null)[]): State {
    const threads = new Set(inside);
    const seen = new Set(complete);
    const waiting = [...seen];
    for (let stack = waiting.pop(); stack !== undefined; stack = waiting.pop()) {
      if (stack === null) continue;
      const symbol = this.#symbols[stack.position] as GrammarSymbol;
      const rest = this.#push(stack.position + 1, stack.below);
      if (symbol.rule === undefined) for (const chain of symbol.chains) threads.add(this.#thread(chain, rest));
      else {
        for (const position of this.#alternatives[symbol.rule] as number[]) {
          const entered = this.#push(position, rest);
          if (seen.has(entered)) continue;
          seen.add(entered);
          waiting.push(entered);
        }
      }
    }
    return this.#state([...threads], seen.has(null));
  }

  /** A rule at the end of an alternative leaves nothing behind on the stack, so repetitions do not grow it. */
  #push(position: number, below: Stack | null): Stack | null {
    if (this.#symbols[position] === null) return below;
    const key = position * ID_SPACE + (below?.id ?? 0);
    const stack = this.#stacks.get(key) ?? { id: this.#stacks.size + 1, position, below };
    this.#stacks.set(key, stack);
    return stack;
  }

  #thread(chain: ByteChain, stack: Stack | null): Thread {
    const key = chain.id * ID_SPACE + (stack?.id ?? 0);
    const thread = this.#threads.get(key) ?? { id: this.#threads.size, chain, stack };
    this.#threads.set(key, thread);
    return thread;
  }

  #state(threads: Thread[], mayEnd: boolean): State {
    const sorted = threads.sort((a, b) => a.id - b.id);
    const key = `${mayEnd}${sorted.map(({ id }) => id).join()}`;
    const state = this.#states.get(key) ?? { mayEnd, threads: sorted, following: [] };
    this.#states.set(key, state);
    return state;
  }
}
