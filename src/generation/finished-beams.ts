import type { Hypothesis } from './search.js';

/** The finished beams of a group, and when no other can still beat them. HF's `BeamHypotheses`. */

/** `false`: when no live beam can become better, judged by its score of now; `true`: as soon as there are enough; 'never': when none ever can. */
export type EarlyStopping = boolean | 'never';

/** A hypothesis of beam search has a score. */
export type FinishedBeam = Hypothesis & { readonly score: number };

export interface FinishedBeamsOptions {
  /** How many are kept: the best. */
  readonly size: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: EarlyStopping;
  /** Length that counts when the limit is reached. */
  readonly maxLength: number;
}

export class FinishedBeams {
  readonly #options: FinishedBeamsOptions;
  readonly #kept: FinishedBeam[] = [];

  constructor(options: FinishedBeamsOptions) {
    this.#options = options;
  }

  /** In the order in which they were finished. */
  get kept(): readonly FinishedBeam[] {
    return this.#kept;
  }

  /** `sum`: of its processed log-probabilities; `length`: by whose power it is divided. */
  add(beam: Omit<Hypothesis, 'score' | 'stopped'>, sum: number, length: number, stopped: boolean): void {
    const score = this.#scoreOf(sum, length);
    if (this.#kept.length === this.#options.size) {
      const worst = this.#worst();
      if (!worst || !(score > worst.score)) return;
      this.#kept.splice(this.#kept.indexOf(worst), 1);
    }
    this.#kept.push({ ...beam, score, stopped });
  }

  /** `bestSum`: the best that is there; `length`: with the token of this step. */
  isDone(bestSum: number, length: number): boolean {
    const { size, earlyStopping, lengthPenalty, maxLength } = this.#options;
    const worst = this.#worst();
    if (this.#kept.length < size || !worst) return false;
    if (earlyStopping === true) return true;
    const attainable = this.#scoreOf(bestSum, earlyStopping === 'never' && lengthPenalty > 0 ? maxLength : length);
    return worst.score >= attainable;
  }

  #scoreOf(sum: number, length: number): number {
    return sum / length ** this.#options.lengthPenalty;
  }

  /** Of equally bad ones the first. */
  #worst(): FinishedBeam | undefined {
    let worst = this.#kept[0];
    for (const hypothesis of this.#kept) if (worst && hypothesis.score < worst.score) worst = hypothesis;
    return worst;
  }
}
