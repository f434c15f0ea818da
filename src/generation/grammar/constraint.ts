import { Automaton, type State } from './automaton.js';
import { checkProgram } from './check-program.js';
import type { GrammarRules } from './expression.js';
import { makeProgram } from './program.js';
import type { Vocabulary } from './vocabulary.js';

/** The tokens of an answer so far, and what follows them as far as it was asked for. */
interface Prefix {
  /** null: the tokens are no beginning of an answer. */
  readonly state: State | null;
  readonly following: Map<number, Prefix>;
}

/**
 * Which tokens an answer may go on with so that its text becomes what a grammar says: the text of `ask`, without cleaning up and with only the one space
 * missing that tokenizers put in front. Stop ids are possible exactly where the grammar may end; other tokens without text never are.
 *
 * It keeps what it worked out, by the answer's tokens (so that any number of beams may ask) and by the automaton's state.
 */
export class Constraint {
  readonly #vocabulary: Vocabulary;
  readonly #stopIds: readonly number[];
  readonly #automaton: Automaton;
  readonly #start: Prefix;
  /** Whether an answer can end without a token that is text. */
  readonly #endsSilently: boolean;
  readonly #masks = new Map<State, Uint8Array>();
  #startMask: Uint8Array | undefined;

  /** @throws OPTION_INVALID when no answer is possible, with this vocabulary or with any, or for left recursion */
  constructor(rules: GrammarRules, vocabulary: Vocabulary, stopIds: readonly number[]) {
    this.#vocabulary = vocabulary;
    this.#stopIds = stopIds;
    this.#automaton = new Automaton(checkProgram(makeProgram(rules), vocabulary));
    this.#endsSilently = stopIds.some(id => this.#bytesOf(id, false).length === 0);
    this.#start = { state: this.#automaton.start, following: new Map() };
  }

  /** Gives every token that cannot follow `tokens`, the answer so far, no chance. `scores` [V] */
  apply(tokens: readonly number[], scores: Float32Array): void {
    const { state } = tokens.reduce((prefix, token) => this.#follow(prefix, token), this.#start);
    if (state === null) {
      scores.fill(Number.NEGATIVE_INFINITY);
      return;
    }
    const mask = tokens.length === 0 ? this.#maskOfStart() : this.#maskOf(state);
    for (let id = 0; id < scores.length; id++) if (mask[id] !== 1) scores[id] = Number.NEGATIVE_INFINITY;
  }

  #follow(prefix: Prefix, token: number): Prefix {
    const known = prefix.following.get(token);
    if (known) return known;
    const isText = this.#bytesOf(token, false).length > 0;
    const bytes = this.#bytesOf(token, prefix === this.#start);
    const next = { state: isText ? this.#automaton.read(prefix.state, bytes) : null, following: new Map() };
    prefix.following.set(token, next);
    return next;
  }

  #bytesOf(token: number, isFirst: boolean): Uint8Array {
    const { starts, texts } = this.#vocabulary;
    return (isFirst ? starts[token] : texts[token]?.bytes) ?? new Uint8Array();
  }

  #maskOf(state: State): Uint8Array {
    const known = this.#masks.get(state);
    if (known) return known;
    const mask = new Uint8Array(this.#vocabulary.texts.length);
    this.#vocabulary.trie.walk(
      state,
      (from, byte) => this.#automaton.next(from, byte),
      (id, next) => {
        mask[id] = this.#canFinish(next) ? 1 : 0;
      },
    );
    this.#maskStopIds(mask, state, false);
    this.#masks.set(state, mask);
    return mask;
  }

  /** The first token may be a space that will not be seen. */
  #maskOfStart(): Uint8Array {
    if (this.#startMask) return this.#startMask;
    const { starts, texts } = this.#vocabulary;
    const { start } = this.#automaton;
    const mask = Uint8Array.from(texts, ({ bytes }, id) => {
      if (bytes.length === 0) return 0;
      const next = this.#automaton.read(start, starts[id] as Uint8Array);
      return next && this.#canFinish(next) ? 1 : 0;
    });
    this.#maskStopIds(mask, start, true);
    this.#startMask = mask;
    return mask;
  }

  /** Behind the last character only a stop id without text can come. */
  #canFinish(state: State): boolean {
    return this.#endsSilently || state.threads.length > 0;
  }

  /** The text of a stop id, if it has any, is the end of the answer's. */
  #maskStopIds(mask: Uint8Array, state: State, isFirst: boolean): void {
    for (const id of this.#stopIds) {
      if (id < mask.length) mask[id] = this.#automaton.read(state, this.#bytesOf(id, isFirst))?.mayEnd ? 1 : 0;
    }
  }
}
