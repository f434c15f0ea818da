/**
 * Beam search, beam sampling and group (diverse) beam search of one prompt: logits of its rows in, what the rows continue with out. Knows no engine and no
 * text. HF's `beam_search`, `beam_sample` and `group_beam_search` with `BeamSearchScorer`.
 */
import { bestCandidates, type Candidate, drawCandidates } from './beam-candidates.js';
import { FinishedBeams } from './finished-beams.js';
import { logSoftmax } from './float32.js';
import type { GenerationSettings } from './generation-settings.js';
import { noTokenPossible } from './logits-processor.js';
import { type BeamProcessors, createBeamProcessors } from './processor-order.js';
import type { Random } from './random.js';
import type { Continuation, Hypothesis, Search, Tokens } from './search.js';

/** A row that is still growing. */
interface Beam extends Tokens {
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

/** Why a beam is an answer, when it is not the length limit. */
type BeamEnd = 'stop id' | 'stop string';

/** Sum of the beams that are equal to the first in the beginning. */
const HOPELESS = -1e9;

export class BeamSearch implements Search {
  readonly #settings: GenerationSettings;
  readonly #random: Random;
  readonly #groups: readonly Group[];
  /** Tokens that the groups before took in this step: what diversity counts. */
  readonly #taken: number[] = [];
  readonly #processors: BeamProcessors;
  /** Tokens generated, of every live beam. */
  #length = 0;

  constructor(settings: GenerationSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
    this.#processors = createBeamProcessors(settings, this.#taken);
    this.#groups = Array.from({ length: settings.numBeamGroups }, () => newGroup(settings));
  }

  advance(rows: readonly Float32Array[]): Continuation | null {
    this.#length += 1;
    this.#taken.length = 0;
    const logprobs = rows.map(logSoftmax);
    for (const group of this.#groups) this.#advanceGroup(group, logprobs);
    const live = this.#live();
    if (live.length === 0 || this.#length >= this.#settings.maxNewTokens) return null;
    this.#numberRows();
    return { tokens: live.map(({ tokens }) => tokens.at(-1) as number), parents: live.map(({ row }) => row) };
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

  #advanceGroup(group: Group, logprobs: readonly Float32Array[]): void {
    const size = this.#groupSize;
    if (group.done) {
      this.#taken.push(...group.beams.map(() => this.#settings.padTokenId));
      return;
    }
    const candidates = this.#candidatesOf(group.beams, logprobs);
    const next: Beam[] = [];
    for (const [rank, candidate] of candidates.entries()) {
      if (next.length === size) break;
      const beam = grown(group.beams[candidate.beam] as Beam, candidate, logprobs);
      const end = this.#endOf(beam);
      if (!end) next.push(beam);
      else if (rank < size) this.#finish(group, beam, end);
    }
    this.#taken.push(...next.map(({ tokens }) => tokens.at(-1) as number));
    this.#conclude(group, next, candidates[0]?.sum ?? Number.NEGATIVE_INFINITY);
  }

  /** After a step: is the group done? At the length limit, its beams are answers as they are. */
  #conclude(group: Group, next: readonly Beam[], bestSum: number): void {
    if (next.length === 0 && group.finished.kept.length === 0) throw noTokenPossible();
    group.done = next.length === 0 || group.finished.isDone(bestSum, this.#scoredLength(false));
    group.beams = next;
    if (group.done || this.#length < this.#settings.maxNewTokens) return;
    for (const beam of next) this.#finish(group, beam, null);
  }

  #finish(group: Group, beam: Beam, end: BeamEnd | null): void {
    group.finished.add(beam, this.#scoredLength(end === 'stop id'), end !== null);
  }

  #endOf({ tokens }: Beam): BeamEnd | null {
    const { stopIds, stopText, maxNewTokens } = this.#settings;
    if (stopIds.includes(tokens.at(-1) as number)) return 'stop id';
    return stopText?.(tokens, this.#length >= maxNewTokens) ? 'stop string' : null;
  }

  get #groupSize(): number {
    return this.#settings.numBeams / this.#settings.numBeamGroups;
  }

  /** transformers 4.34 counts its context: with the prefix, without the stop id. */
  #scoredLength(stopped: boolean): number {
    const { contextPrefix, beamLength } = this.#settings;
    return beamLength === 'generated' ? this.#length : contextPrefix.length + this.#length - (stopped ? 1 : 0);
  }

  /** More than beams are needed, because those that end leave no beam behind. */
  #candidatesOf(beams: readonly Beam[], logprobs: readonly Float32Array[]): Candidate[] {
    const { contextPrefix, stopIds, doSample } = this.#settings;
    const { process, warp } = this.#processors;
    const sums = beams.map(({ tokens, sum, row }) => {
      const context = [...contextPrefix, ...tokens];
      const scores = (logprobs[row] as Float32Array).slice();
      process(context, scores);
      for (let id = 0; id < scores.length; id++) scores[id] = (scores[id] as number) + sum;
      warp(context, scores);
      return scores;
    });
    return doSample
      ? drawCandidates(sums, 2 * this.#groupSize, this.#random)
      : bestCandidates(sums, Math.max(2, 1 + stopIds.length) * this.#groupSize);
  }
}

function newGroup(settings: GenerationSettings): Group {
  const { numBeams, numBeamGroups, lengthPenalty, earlyStopping, doSample } = settings;
  const size = numBeams / numBeamGroups;
  const first: Beam = { tokens: [], logprobs: [], sum: 0, row: 0 };
  const prefix = settings.beamLength === 'generated' ? 0 : settings.contextPrefix.length;
  return {
    // All begin as the prompt's one row. Drawn tokens differ anyway; of the best ones only the first beam's count.
    beams: Array.from({ length: size }, (_, i) => (i === 0 || doSample ? first : { ...first, sum: HOPELESS })),
    finished: new FinishedBeams({ size, lengthPenalty, earlyStopping, maxLength: prefix + settings.maxNewTokens }),
    done: false,
  };
}

function grown(beam: Beam, { token, sum }: Candidate, logprobs: readonly Float32Array[]): Beam {
  const logprob = (logprobs[beam.row] as Float32Array)[token] as number;
  return { tokens: [...beam.tokens, token], logprobs: [...beam.logprobs, logprob], sum, row: beam.row };
}

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
