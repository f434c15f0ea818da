import { logSumExp } from './float32.js';
import type { GenerationSettings } from './generation-settings.js';
import { type LogitsProcessor, noTokenPossible } from './logits-processor.js';
import { createProcessor } from './processor-order.js';
import type { Random } from './random.js';
import type { Continuation, Hypothesis, ScoresOfSteps, Search, Tokens, Wanted } from './search.js';
import { greedy, multinomial, type TokenSelector } from './token-selector.js';

interface Row {
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly tokenScores: number[];
  stopped: boolean;
  done: boolean;
}

/** Greedy search and sampling: rows that know nothing of each other, as many as answers are wanted. Those that have ended leave the batch. */
export class IndependentSearch implements Search {
  readonly #settings: GenerationSettings;
  readonly #wanted: Wanted;
  readonly #scores: Map<number, Float32Array>[] = [];
  readonly #process: LogitsProcessor;
  readonly #select: TokenSelector;
  readonly #rows: readonly Row[];
  #live: readonly Row[];

  constructor(settings: GenerationSettings, random: Random, wanted: Wanted = {}) {
    this.#settings = settings;
    this.#wanted = wanted;
    this.#process = createProcessor(settings);
    this.#select = settings.doSample ? multinomial(random) : greedy;
    this.#rows = Array.from({ length: settings.numReturnSequences }, () => ({
      tokens: [],
      logprobs: [],
      tokenScores: [],
      stopped: false,
      done: false,
    }));
    this.#live = this.#rows;
  }

  advance(rows: readonly Float32Array[]): Continuation | null {
    const before = this.#live;
    // In the beginning all rows continue the prompt's one.
    const parentOf = (row: Row) => Math.min(before.indexOf(row), rows.length - 1);
    if (this.#wanted.scores) this.#scores.push(new Map());
    for (const row of before) {
      const logits = rows[parentOf(row)] as Float32Array;
      this.#choose(row, before.length > rows.length ? logits.slice() : logits);
    }
    this.#live = before.filter(row => !row.done);
    if (this.#live.length === 0) return null;
    return { tokens: this.#live.map(({ tokens }) => tokens.at(-1) as number), parents: this.#live.map(parentOf) };
  }

  settled(): Tokens {
    return this.#rows[0] as Row;
  }

  hypotheses(): readonly Hypothesis[] {
    return this.#rows.map(({ done, ...row }) => ({ ...row, rows: [], score: null }));
  }

  get scores(): ScoresOfSteps {
    return this.#scores;
  }

  #choose(row: Row, scores: Float32Array): void {
    const { contextPrefix, constraint, stopIds, stopText, maxNewTokens } = this.#settings;
    const raw = this.#wanted.logprobs ? scores.slice() : null;
    this.#process([...contextPrefix, ...row.tokens], scores);
    const id = this.#select(scores);
    // Without a constraint as in transformers, which then takes the first token.
    if (constraint && scores[id] === Number.NEGATIVE_INFINITY) throw noTokenPossible();
    row.tokens.push(id);
    if (raw) row.logprobs.push(logprobOf(raw, id));
    this.#keep(row, scores, id);
    const isLast = stopIds.includes(id) || row.tokens.length >= maxNewTokens;
    row.stopped = stopIds.includes(id) || stopText?.(row.tokens, isLast) === true;
    row.done = row.stopped || isLast;
  }

  #keep(row: Row, scores: Float32Array, id: number): void {
    if (this.#wanted.tokenScores) row.tokenScores.push(logprobOf(scores, id));
    // A copy: the engine's memory holds the rows of all.
    if (this.#wanted.scores) this.#scores.at(-1)?.set(this.#rows.indexOf(row), scores.slice());
  }
}

const logprobOf = (scores: Float32Array, id: number): number => (scores[id] as number) - logSumExp(scores);
