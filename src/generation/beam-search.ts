/**
 * Beam search, beam sampling and group (diverse) beam search of one prompt: logits of its rows in, what the rows continue with out. Knows no engine and no
 * text. HF's `beam_search`, `beam_sample` and `group_beam_search` with `BeamSearchScorer`, and the `_beam_search` of later versions: compat.ts, `BeamPolicy`.
 */
import { type Candidate, rankedCandidates } from './beam-candidates.js';
import { FinishedBeams } from './finished-beams.js';
import { logSoftmax } from './float32.js';
import type { GenerationSettings } from './generation-settings.js';
import { noTokenPossible } from './logits-processor.js';
import { type BeamProcessors, createBeamProcessors } from './processor-order.js';
import type { Random } from './random.js';
import type { Continuation, Hypothesis, ScoresOfSteps, Search, Tokens, Wanted } from './search.js';

/** A row that is still growing. */
interface Beam extends Omit<Hypothesis, 'score' | 'stopped'> {
  /** Sum of processed log-probabilities. */
  readonly sum: number;
  /** Which of the step's rows of logits continues it. */
  readonly row: number;
}

/** Beams that compete with each other. Groups only keep away from each other's tokens. */
interface Group {
  /** Fewer than there may be while little is possible (a grammar): they become more again. */
  beams: readonly Beam[];
  readonly finished: FinishedBeams;
  done: boolean;
}

/** Why a beam is an answer. */
type BeamEnd = 'stop id' | 'stop string' | 'limit';

/** A beam in a step. Its memory is the step's. */
interface Expanded {
  readonly beam: Beam;
  readonly logprobs: Float32Array;
  /** Processed. */
  readonly scores: Float32Array;
  /** Of the beam with each token. */
  readonly sums: Float32Array;
}

/** Sum of the beams that are equal to the first in the beginning. */
const HOPELESS = -1e9;

export class BeamSearch implements Search {
  readonly #settings: GenerationSettings;
  readonly #random: Random;
  readonly #groups: readonly Group[];
  /** Tokens that the groups before took in this step: what diversity counts. */
  readonly #taken: number[] = [];
  readonly #processors: BeamProcessors;
  readonly #wanted: Wanted;
  readonly #scores: Map<number, Float32Array>[] = [];
  /** Memory of `Expanded` by the beam's number, used at each step again: fresh memory for all would keep the garbage collector busy. */
  readonly #memory: { readonly scores: Float32Array; readonly sums: Float32Array }[] = [];
  /** Tokens generated, of every live beam. */
  #length = 0;

  constructor(settings: GenerationSettings, random: Random, wanted: Wanted = {}) {
    this.#settings = settings;
    this.#wanted = wanted;
    this.#random = random;
    this.#processors = createBeamProcessors(settings, this.#taken);
    this.#groups = Array.from({ length: settings.numBeamGroups }, () => newGroup(settings));
  }

  advance(rows: readonly Float32Array[]): Continuation | null {
    this.#length += 1;
    this.#taken.length = 0;
    if (this.#wanted.scores) this.#scores.push(new Map());
    const logprobs = rows.map(row => logSoftmax(row, row));
    for (const [index, group] of this.#groups.entries()) this.#advanceGroup(group, index * this.#groupSize, logprobs);
    const live = this.#live();
    if (live.length === 0 || this.#length >= this.#settings.maxNewTokens) return null;
    this.#numberRows();
    return { tokens: live.map(({ tokens }) => tokens.at(-1) as number), parents: live.map(({ row }) => row) };
  }

  get scores(): ScoresOfSteps {
    return this.#scores;
  }

  hypotheses(): readonly Hypothesis[] {
    const all = this.#groups.flatMap(({ finished }) => finished.kept);
    // Of equally good ones the last that was finished.
    const ascending = all.sort((a, b) => a.score - b.score);
    return ascending.reverse().slice(0, this.#settings.numReturnSequences);
  }

  /** What every beam begins with that can still come out first. */
  settled(): Tokens {
    const possible = [...this.#groups.flatMap(group => group.finished.kept), ...this.#live()];
    const tokens = commonPrefix(possible.map(each => each.tokens));
    return { tokens, logprobs: possible[0]?.logprobs ?? [] };
  }

  #live(): readonly Beam[] {
    return this.#groups.filter(group => !group.done).flatMap(group => group.beams);
  }

  #numberRows(): void {
    let row = 0;
    for (const group of this.#groups) {
      if (!group.done) group.beams = group.beams.map(beam => ({ ...beam, row: row++ }));
    }
  }

  /** `first`: number of its first beam. */
  #advanceGroup(group: Group, first: number, logprobs: readonly Float32Array[]): void {
    const size = this.#groupSize;
    if (group.done) {
      this.#taken.push(...group.beams.map(() => this.#settings.padTokenId));
      return;
    }
    const expanded = group.beams.map((beam, i) => this.#expand(beam, first + i, logprobs[beam.row] as Float32Array));
    const sums = expanded.map(each => each.sums);
    const candidates = rankedCandidates(sums, size, this.#settings, this.#random);
    const next: Beam[] = [];
    for (const candidate of candidates) {
      const beam = grown(expanded[candidate.beam] as Expanded, candidate, first);
      const end = this.#endOf(beam);
      if (end && candidate.rank < size) this.#finish(group, beam, end);
      else if (!end && next.length < size) next.push(beam);
    }
    this.#taken.push(...next.map(({ tokens }) => tokens.at(-1) as number));
    const best = this.#settings.beamPolicy.doneBy === 'candidate' ? candidates[0] : next[0];
    this.#conclude(group, next, best?.sum ?? Number.NEGATIVE_INFINITY);
  }

  /** After a step: is the group done? At the length limit, its beams are answers as they are. */
  #conclude(group: Group, next: readonly Beam[], bestSum: number): void {
    if (next.length === 0 && group.finished.kept.length === 0) throw noTokenPossible();
    group.done = next.length === 0 || group.finished.isDone(bestSum, this.#scoredLength('limit'));
    group.beams = next;
    if (group.done || !this.#atLimit) return;
    for (const beam of next) this.#finish(group, beam, 'limit');
  }

  #finish(group: Group, beam: Beam, end: BeamEnd): void {
    group.finished.add(answerOf(beam), beam.sum, this.#scoredLength(end), end !== 'limit');
  }

  #endOf({ tokens }: Beam): BeamEnd | null {
    const { stopIds, stopText, beamPolicy } = this.#settings;
    if (stopIds.includes(tokens.at(-1) as number)) return 'stop id';
    if (stopText?.(tokens, this.#atLimit)) return 'stop string';
    return this.#atLimit && beamPolicy.atLimit === 'candidates' ? 'limit' : null;
  }

  get #groupSize(): number {
    return this.#settings.numBeams / this.#settings.numBeamGroups;
  }

  get #atLimit(): boolean {
    return this.#length >= this.#settings.maxNewTokens;
  }

  /** transformers 4.34 counts its context: with the prefix, without the stop id. */
  #scoredLength(end: BeamEnd): number {
    const { contextPrefix, beamPolicy } = this.#settings;
    if (beamPolicy.scoredLength === 'generated') return this.#length;
    return contextPrefix.length + this.#length - (end === 'stop id' ? 1 : 0);
  }

  /** `number`: of the beam. */
  #expand(beam: Beam, number: number, logprobs: Float32Array): Expanded {
    const { process, warp } = this.#processors;
    const context = [...this.#settings.contextPrefix, ...beam.tokens];
    const { scores, sums } = this.#memoryOf(number, logprobs.length);
    scores.set(logprobs);
    process(context, scores);
    for (let i = 0; i < sums.length; i++) sums[i] = (scores[i] as number) + beam.sum;
    warp(context, sums);
    // HF shows what filters make of the scores, also where it chooses by filtered sums. Filters sort: not unasked.
    if (this.#wanted.scores || this.#wanted.tokenScores) warp(context, scores);
    this.#scores.at(-1)?.set(number, scores.slice());
    return { beam, logprobs, scores, sums };
  }

  #memoryOf(number: number, length: number) {
    this.#memory[number] ??= { scores: new Float32Array(length), sums: new Float32Array(length) };
    return this.#memory[number];
  }
}

function newGroup(settings: GenerationSettings): Group {
  const { numBeams, numBeamGroups, lengthPenalty, earlyStopping, doSample, beamPolicy } = settings;
  const size = numBeams / numBeamGroups;
  const first: Beam = { tokens: [], logprobs: [], tokenScores: [], rows: [], sum: 0, row: 0 };
  const prefix = beamPolicy.scoredLength === 'generated' ? 0 : settings.contextPrefix.length;
  // All begin as the prompt's one row. Drawn tokens differ anyway; of the best ones only the first beam's count.
  const allCount = doSample && beamPolicy.firstDraw === 'all-beams';
  return {
    beams: Array.from({ length: size }, (_, i) => (i === 0 || allCount ? first : { ...first, sum: HOPELESS })),
    finished: new FinishedBeams({ size, lengthPenalty, earlyStopping, maxLength: prefix + settings.maxNewTokens }),
    done: false,
  };
}

/** `first`: number of the first beam of its group. */
function grown({ beam, logprobs, scores }: Expanded, candidate: Candidate, first: number): Beam {
  const { token, sum } = candidate;
  return {
    tokens: [...beam.tokens, token],
    logprobs: [...beam.logprobs, logprobs[token] as number],
    tokenScores: [...beam.tokenScores, scores[token] as number],
    rows: [...beam.rows, first + candidate.beam],
    sum,
    row: beam.row,
  };
}

const answerOf = ({ sum, row, ...answer }: Beam): Omit<Hypothesis, 'score' | 'stopped'> => answer;

function commonPrefix(sequences: readonly (readonly number[])[]): readonly number[] {
  const [first, ...others] = sequences;
  if (!first) return [];
  let length = first.length;
  for (const other of others) {
    let shared = 0;
    while (shared < Math.min(length, other.length) && other[shared] === first[shared]) shared++;
    length = shared;
  }
  return first.slice(0, length);
}
