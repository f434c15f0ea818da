/** LAVIS' `predict_class`: which of given answers fits best. */
import { OptionError } from '../errors.js';
import { type CandidateTrie, candidateTries } from '../generation/candidate-tries.js';
import { interpretOptions } from '../generation/generation-settings.js';
import { aText, integer, type OptionRule } from '../generation/option-rules.js';
import { scoreCandidates } from '../generation/score-candidates.js';
import { shown } from '../generation/validate-options.js';
import type { NativeModelInfo } from '../native/addon.js';
import { StageClock, type Timings } from './answer.js';
import { listOf, type Pictures, pictureFeatures, promptOf } from './ask.js';
import { checkNamed, signalRule } from './ask-options.js';
import { checkLength, roomForCandidates } from './context-limits.js';
import { type EngineCall, inSession, type SessionPrompt, type SessionRoom, softTokensOfAll } from './engine-stages.js';
import { underSignals } from './linked-signal.js';
import type { Engine } from './loaded-model.js';
import { fillPlaces, isTexts } from './prompt-places.js';

/** Options of `predictClass`. Texts that are '' count as left out, as in LAVIS. */
export interface PredictClassOptions {
  /** What stands in the `{}` of the prompt; several, in their order. */
  textInput?: string | readonly string[];
  /** Put in front of the prompt: `context: … . ` (ScienceQA). */
  context?: string;
  /** Put in front of that: `dialog history: …` and a new line (Visual Dialog). */
  dialogHistory?: string;
  /** Put in front of all: `This image has the caption "…". `. */
  caption?: string;
  /**
   * LAVIS' number of parts in which it computes the candidates, at least 1. Without effect: the parts follow from the cache. (In LAVIS it can change the
   * ranks of a Vicuna model, because the losses of each part are divided by another length; here a loss is a sum.)
   */
  nSegments?: number;
  /** Aborts the call in any phase; it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** How well each candidate fits. */
export interface ClassPrediction {
  /** Indices of the candidates, the best one first; of equal ones the first. */
  readonly ranks: number[];
  /** By candidate: minus the sum of the natural logarithms of its tokens' probabilities (T5: with that of the `</s>` behind them). Not divided by the length. */
  readonly losses: number[];
  readonly usage: CandidateUsage;
  /** `prefill` is one reading of the prompt, `decode` all candidates together. */
  readonly timings: Timings;
}

/** What a `predictClass` counted, in tokens. */
export interface CandidateUsage {
  readonly imageTokens: number;
  /** Tokens of the prompt, with BOS. */
  readonly promptTokens: number;
  /** Tokens of all candidates. */
  readonly candidateTokens: number;
  /** Tokens of candidates that the model read: what several begin with once, last ones not at all. */
  readonly computedTokens: number;
}

const RULES: Readonly<Record<keyof PredictClassOptions, OptionRule>> = {
  textInput: { expected: 'a text or an array of texts', allows: value => typeof value === 'string' || isTexts(value) },
  context: aText,
  dialogHistory: aText,
  caption: aText,
  nSegments: integer(1),
  signal: signalRule,
};

/** LAVIS' prompt: each addition goes in front of what there is. */
function promptText(prompt: string, { textInput, context, dialogHistory, caption }: PredictClassOptions): string {
  if (typeof prompt !== 'string')
    throw new OptionError('OPTION_INVALID', `prompt must be a text, but is ${shown(prompt)}`);
  let text = fillPlaces(prompt, textInput === undefined ? [] : [textInput].flat(), 'textInput');
  if (context) text = `context: ${context}. ${text}`;
  if (dialogHistory) text = `dialog history: ${dialogHistory}\n${text}`;
  if (caption) text = `This image has the caption "${caption}". ${text}`;
  return text;
}

/** A candidate without what the tokenizer puts around a prompt. Of T5, `</s>` stays: it belongs to the answer, and its absence would not be one. */
function withoutFrame(
  ids: Int32Array,
  { promptBosTokenId, promptEosTokenId, decoderStartTokenId }: ModelFrame,
): Int32Array {
  const start = promptBosTokenId >= 0 && ids[0] === promptBosTokenId ? 1 : 0;
  const isEncoderDecoder = decoderStartTokenId >= 0;
  const end = !isEncoderDecoder && promptEosTokenId >= 0 && ids.at(-1) === promptEosTokenId ? -1 : ids.length;
  return ids.subarray(start, end);
}

type ModelFrame = Pick<NativeModelInfo, 'promptBosTokenId' | 'promptEosTokenId' | 'decoderStartTokenId'>;

/** @throws OPTION_INVALID, CONTEXT_LENGTH_EXCEEDED */
function candidateIds(engine: Engine, candidates: readonly string[]): Int32Array[] {
  if (!isTexts(candidates) || candidates.length === 0)
    throw new OptionError(
      'OPTION_INVALID',
      `candidates must be an array of at least one text, but is ${shown(candidates)}`,
    );
  return candidates.map((candidate, i) => {
    checkLength(engine, candidate, 'candidate');
    const ids = withoutFrame(engine.tokenizer.encode(candidate), engine.model.info);
    if (ids.length === 0) throw new OptionError('OPTION_INVALID', `candidate ${i}, ${shown(candidate)}, has no token`);
    return ids;
  });
}

/** How the candidates go through the cache. */
interface Plan {
  /** Each item is one session, which reads the prompt once: all tries, or one, where no sequence is left for a prompt that waits. */
  readonly sessions: readonly (readonly CandidateTrie[])[];
  readonly room: SessionRoom;
  /** Tokens of candidates that are read. */
  readonly inner: number;
}

function planOf(engine: Engine, promptCells: number, candidates: readonly Int32Array[]): Plan {
  const longest = candidates.reduce((most, { length }) => Math.max(most, length), 0);
  const tries = candidateTries(candidates, roomForCandidates(engine, promptCells, longest));
  const promptCanWait = engine.queue.sequences > 1;
  const most = (size: 'inner' | 'width') => tries.reduce((largest, trie) => Math.max(largest, trie[size]), 0);
  return {
    sessions: promptCanWait ? [tries] : tries.map(trie => [trie]),
    room: {
      cells: promptCells + most('inner'),
      sequences: Math.max(1, most('width') + (promptCanWait && tries.length > 1 ? 1 : 0)),
    },
    inner: tries.reduce((sum, trie) => sum + trie.inner, 0),
  };
}

/** Indices by loss; infinite ones, whose difference is no number, are equal. */
function ranksOf(losses: readonly number[]): number[] {
  const difference = (a: number, b: number) => (a === b ? 0 : a - b);
  return [...losses.keys()].sort((a, b) => difference(losses[a] as number, losses[b] as number));
}

export async function predictClass(
  engine: Engine,
  images: Pictures,
  prompt: string,
  candidates: readonly string[],
  options: PredictClassOptions,
): Promise<ClassPrediction> {
  const { signal: outer, ...additions } = checkNamed(options, RULES);
  const pictures = listOf(images);
  const { ids, instruction } = promptOf(engine, promptText(prompt, additions));
  const answers = candidateIds(engine, candidates);
  const { answerStart } = interpretOptions({}, engine.model.info);
  const imageTokens = pictures.length * engine.model.info.imageTokens;
  const { sessions, room, inner } = planOf(engine, imageTokens + ids.length + answerStart.length, answers);
  const losses = new Array<number>(answers.length).fill(0);
  const clock = new StageClock();
  await underSignals([outer, engine.lifetime], async signal => {
    signal.throwIfAborted();
    const call: EngineCall = { engine, clock, signal };
    const start: SessionPrompt = {
      softTokens: await softTokensOfAll(call, pictures.map(pictureFeatures), instruction),
      ids,
    };
    for (const tries of sessions)
      await inSession(call, room, [start], answerStart, source =>
        scoreCandidates(source, tries, (candidate, score) => {
          losses[candidate] = -score;
        }),
      );
  });
  return {
    ranks: ranksOf(losses),
    losses,
    usage: {
      imageTokens,
      promptTokens: ids.length,
      candidateTokens: answers.reduce((sum, { length }) => sum + length, 0),
      computedTokens: inner,
    },
    timings: clock.timings(),
  };
}
