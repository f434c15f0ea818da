/**
 * The order of transformers (`_get_logits_processor`, `_get_logits_warper`), as one table. A step that the settings do not ask for gives null and
 * costs nothing. Beams take the same steps on log-probabilities.
 */
import { OptionError } from '../errors.js';
import type { UserLogitsProcessor } from './generate-options.js';
import type { GenerationSettings } from './generation-settings.js';
import { exponentialDecay, forcedBos, forcedEos, minLength, suppress, suppressAtLength } from './length-rules.js';
import type { LogitsProcessor } from './logits-processor.js';
import { removeInvalid, renormalize } from './normalization.js';
import { hammingDiversity, noRepeatNgram, repetitionPenalty } from './repetition.js';
import { badWords, sequenceBias } from './sequence-bias.js';
import * as warpers from './warpers.js';

interface Step {
  readonly name: string;
  readonly create: (settings: GenerationSettings) => LogitsProcessor | null;
}

const when = (condition: boolean, create: () => LogitsProcessor): LogitsProcessor | null =>
  condition ? create() : null;
const prefixLength = (s: GenerationSettings): number => s.contextPrefix.length;

/** On the scores of every step. */
export const PROCESSOR_STEPS: readonly Step[] = [
  { name: 'sequenceBias', create: s => when(s.sequenceBias.length > 0, () => sequenceBias(s.sequenceBias)) },
  {
    name: 'repetitionPenalty',
    create: s => when(s.repetitionPenalty !== 1, () => repetitionPenalty(s.repetitionPenalty)),
  },
  { name: 'noRepeatNgramSize', create: s => when(s.noRepeatNgramSize > 0, () => noRepeatNgram(s.noRepeatNgramSize)) },
  { name: 'badWordsIds', create: s => when(s.badWordsIds.length > 0, () => badWords(s.badWordsIds, s.stopIds)) },
  { name: 'minLength', create: s => when(s.minLength > 0, () => minLength(s.minLength, s.stopIds)) },
  {
    name: 'minNewTokens',
    create: s => when(s.minNewTokens > 0, () => minLength(prefixLength(s) + s.minNewTokens, s.stopIds)),
  },
  {
    name: 'forcedBosTokenId',
    create: s => when(s.forcedBosTokenId !== null, () => forcedBos(prefixLength(s), s.forcedBosTokenId as number)),
  },
  {
    name: 'forcedEosTokenId',
    create: s =>
      when(s.forcedEosTokenIds.length > 0, () => forcedEos(prefixLength(s) + s.maxNewTokens, s.forcedEosTokenIds)),
  },
  {
    name: 'removeInvalidValues',
    create: s => when(s.removeInvalidValues, () => removeInvalid(s.removesMinusInfinity)),
  },
  { name: 'exponentialDecayLengthPenalty', create: decayStep },
  { name: 'suppressTokens', create: s => when(s.suppressTokens.length > 0, () => suppress(s.suppressTokens)) },
  { name: 'beginSuppressTokens', create: beginSuppressStep },
  { name: 'logitsProcessors', create: s => when(s.userProcessors.length > 0, () => userProcessors(s.userProcessors)) },
  // HF's place for such a rule is before the forced tokens; but here nothing may undo it.
  { name: 'constraint', create: constraintStep },
  { name: 'renormalizeLogits', create: s => when(s.renormalizeLogits, () => renormalize) },
];

/** On the result of the processors, when sampling. */
export const WARPER_STEPS: readonly Step[] = [
  { name: 'temperature', create: s => when(s.temperature !== 1, () => warpers.temperature(s.temperature)) },
  { name: 'topK', create: s => when(s.topK > 0, () => warpers.topK(s.topK, s.minTokensToKeep)) },
  { name: 'topP', create: s => when(s.topP < 1, () => warpers.topP(s.topP, s.minTokensToKeep)) },
  { name: 'minP', create: s => when(s.minP > 0, () => warpers.minP(s.minP, s.minTokensToKeep)) },
  { name: 'typicalP', create: s => when(s.typicalP < 1, () => warpers.typicalP(s.typicalP, s.minTokensToKeep)) },
  {
    name: 'epsilonCutoff',
    create: s => when(s.epsilonCutoff > 0, () => warpers.epsilonCutoff(s.epsilonCutoff, s.minTokensToKeep)),
  },
  { name: 'etaCutoff', create: s => when(s.etaCutoff > 0, () => warpers.etaCutoff(s.etaCutoff, s.minTokensToKeep)) },
  { name: 'renormalizeLogits', create: s => when(s.renormalizeLogits, () => renormalize) },
];

/** All steps that these settings ask for, as one processor. */
export function createProcessor(settings: GenerationSettings): LogitsProcessor {
  return inTurn([...PROCESSOR_STEPS, ...(settings.doSample ? WARPER_STEPS : [])], settings);
}

/** The two halves, because beams add their sums in between. */
export interface BeamProcessors {
  /** On each beam's log-probabilities. */
  readonly process: LogitsProcessor;
  /** On its sums. Does nothing when the search does not sample, or filters before. */
  readonly warp: LogitsProcessor;
}

/** `taken`: tokens that other groups of beams took in the same step; changes while the search runs. */
export function createBeamProcessors(settings: GenerationSettings, taken: readonly number[]): BeamProcessors {
  const [first, ...others] = PROCESSOR_STEPS as readonly [Step, ...Step[]];
  const diversity: Step = {
    name: 'diversityPenalty',
    create: s => when(s.diversityPenalty > 0, () => hammingDiversity(s.diversityPenalty, taken)),
  };
  const warpers = settings.doSample ? WARPER_STEPS : [];
  const [before, after] = settings.beamPolicy.filtered === 'scores' ? [warpers, []] : [[], warpers];
  return { process: inTurn([first, diversity, ...others, ...before], settings), warp: inTurn(after, settings) };
}

function inTurn(steps: readonly Step[], settings: GenerationSettings): LogitsProcessor {
  const processors = steps.map(step => step.create(settings)).filter(processor => processor !== null);
  return (context, scores) => {
    for (const process of processors) process(context, scores);
  };
}

function decayStep(s: GenerationSettings): LogitsProcessor | null {
  const decay = s.exponentialDecay;
  return decay && exponentialDecay(prefixLength(s) + decay.start, decay.factor, s.stopIds);
}

function beginSuppressStep(s: GenerationSettings): LogitsProcessor | null {
  // A forced first token moves "the beginning" behind it, as in HF.
  const begin = prefixLength(s) + (s.forcedBosTokenId === null ? 0 : 1);
  return when(s.beginSuppressTokens.length > 0, () => suppressAtLength(begin, s.beginSuppressTokens));
}

function constraintStep(s: GenerationSettings): LogitsProcessor | null {
  const { constraint } = s;
  return constraint && ((context, scores) => constraint.apply(context.slice(prefixLength(s)), scores));
}

const userProcessors =
  (processors: readonly UserLogitsProcessor[]): LogitsProcessor =>
  (context, scores) => {
    for (const process of processors) {
      const result = process([...context], scores);
      if (result === undefined || result === scores) continue;
      if (!ArrayBuffer.isView(result) || result.length !== scores.length) {
        throw new OptionError(
          'OPTION_INVALID',
          `a logits processor must return nothing or a row of ${scores.length} scores`,
        );
      }
      scores.set(result);
    }
  };
