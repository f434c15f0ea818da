import type { GenerationFields } from '../config/generation-fields.js';
import { OptionError } from '../errors.js';
import { beamIndicesOf, scoresOf, sequencesOf } from '../generation/answer-rows.js';
import type { FinishReason } from '../generation/answer-writer.js';
import { COMPAT_PRESETS, type Compat } from '../generation/compat.js';
import type { GenerateOptions } from '../generation/generate-options.js';
import { type GenerationSettings, settingsOfPrompts } from '../generation/generation-settings.js';
import { boolean, id, integer, type OptionRule } from '../generation/option-rules.js';
import { runSearches } from '../generation/run-searches.js';
import { createSearch, type Search, type Wanted } from '../generation/search.js';
import { shown, validateGenerateOptions } from '../generation/validate-options.js';
import { Tensor } from '../tensor.js';
import { StageClock, type Timings, type Usage } from './answer.js';
import { checkNamed, signalRule } from './ask-options.js';
import { withCheckpointSettings } from './checkpoint-settings.js';
import { cellsOf, fitContext, rowsOf } from './context-limits.js';
import { type EngineCall, inSession, type SessionPrompt, softTokensOfAll } from './engine-stages.js';
import { type GenerateInputs, type GeneratePrompt, INPUT_NAMES, readInputs } from './generate-inputs.js';
import { underSignals } from './linked-signal.js';
import type { Engine } from './loaded-model.js';
import { promptIdsOf } from './prompt-ids.js';

/** What `generate` of the Hugging Face class takes: tensors and options together. */
export type GenerateArguments = GenerateInputs &
  GenerateOptions & {
    /** Answers per picture, 1 (default) to `numBeams`, or any number when sampling: the best beams, or independent samples. */
    numReturnSequences?: number;
    /** What fills rows of `sequences` up. Default: the checkpoint's padding id, or the stop id where it has none. */
    padTokenId?: number;
    /** Returns `scores`, and of beams `beamIndices`. Default false: they take steps x rows x vocabulary floats. */
    outputScores?: boolean;
    /** Returns `tokenScores`. Default false. */
    returnTokenScores?: boolean;
    /** Aborts the call in any phase; it rejects with the signal's reason. */
    signal?: AbortSignal;
  };

export interface GenerateOutput {
  /**
   * One row for each answer: batch x `numReturnSequences`, each picture's answers together. What transformers' rows hold: under 'hf-4.34' and 'lavis' the start id,
   * the generated ids, padding; under 'hf-5' the image ids and the prompt with its padding in place of the start id (of T5 the start id).
   */
  readonly sequences: number[][];
  /** Beam search: the score of each row. */
  readonly sequencesScores?: number[];
  /**
   * With `outputScores`: for each step the processed scores [rows,V] by which it chose; rows = batch x `numBeams`, without beams batch x `numReturnSequences`. Of
   * beams log-probabilities. NaN in rows that had ended, which transformers goes on to compute.
   */
  readonly scores?: Tensor<Float32Array>[];
  /** With `outputScores`, of beam search: for each row of `sequences` and generated token the row of `scores` that it was chosen by; -1 behind the end. */
  readonly beamIndices?: number[][];
  /**
   * With `returnTokenScores`: for each row of `sequences` the natural logarithms of the processed probabilities of the generated tokens, with the stop id, without
   * padding. As HF's `compute_transition_scores`: of greedy search and sampling normalized; of beams as in `scores`, so that they sum up to
   * the beam's (but for beam sampling of 'hf-4.34', which filters sums).
   */
  readonly tokenScores?: number[][];
  readonly finishReasons: FinishReason[];
  /** Of all rows together. */
  readonly usage: Usage;
  readonly timings: Timings;
}

/** Options of `generate` alone. */
export const OWN_RULES = {
  signal: signalRule,
  numReturnSequences: integer(1),
  padTokenId: id,
  outputScores: boolean,
  returnTokenScores: boolean,
} as const satisfies Record<string, OptionRule>;
type OwnOptions = Pick<GenerateArguments, keyof typeof OWN_RULES>;

/** One row of the batch with what it needs. */
export interface Item {
  readonly prompt: GeneratePrompt;
  readonly settings: GenerationSettings;
  readonly cells: number;
  readonly search: Search;
}

/** @param checkpoint settings that the checkpoint has of its own */
export async function generateBatch(
  engine: Engine,
  inputs: GenerateArguments,
  checkpoint: GenerationFields,
): Promise<GenerateOutput> {
  const { compat = 'hf-4.34' } = optionsOf(inputs);
  const given = withCheckpointSettings(inputs, checkpoint, compat);
  const own = ownOptionsOf(given);
  const settingsOf = readOptions(engine, { ...given, compat }, own);
  const prompts = readInputs(inputs, engine);
  const wanted = { scores: own.outputScores ?? false, tokenScores: own.returnTokenScores ?? false };
  const items = prompts.map(prompt => itemOf(engine, prompt, settingsOf(prompt), wanted));
  const clock = new StageClock();
  await runBatch({ engine, clock }, items, own.signal);
  return outputOf(engine, items, wanted, clock);
}

/** @throws OPTION_* */
const ownOptionsOf = (given: GenerateArguments): OwnOptions => checkNamed<OwnOptions>(given, OWN_RULES, true);

/** Without the own ones; those are checked first. @throws OPTION_* */
function optionsOf(given: GenerateArguments): GenerateOptions {
  ownOptionsOf(given);
  return validateGenerateOptions(given, [...INPUT_NAMES, ...Object.keys(OWN_RULES)]);
}

function readOptions(
  engine: Engine,
  given: GenerateArguments & { readonly compat: Compat },
  { numReturnSequences = 1, padTokenId = engine.model.info.padTokenId }: OwnOptions,
): (prompt: GeneratePrompt) => GenerationSettings {
  const options = optionsOf(given);
  const noLength = options.maxLength === undefined && options.maxNewTokens === undefined;
  // As in HF, sampling has to be asked for.
  const asked = {
    doSample: false,
    ...(noLength ? COMPAT_PRESETS[given.compat].generateLength : {}),
    ...options,
  };
  const { info } = engine.model;
  if (padTokenId >= info.vocabularySize)
    throw new OptionError(
      'OPTION_INVALID',
      `padTokenId names token ${padTokenId}, but the vocabulary has ${info.vocabularySize} tokens`,
    );
  const settingsOf = settingsOfPrompts(asked, { ...info, padTokenId }, engine.vocabulary);
  return prompt => {
    const settings = { ...settingsOf(promptIdsOf(engine, prompt)), numReturnSequences };
    checkNumReturnSequences(settings);
    return settings;
  };
}

/** All items, in as many parts as the cache makes necessary. */
export const runBatch = (
  call: Omit<EngineCall, 'signal'>,
  items: readonly Item[],
  outer: AbortSignal | undefined,
): Promise<void> =>
  underSignals([outer, call.engine.lifetime], async signal => {
    for (const part of parts(call.engine, items)) await runPart({ ...call, signal }, part);
  });

/** @throws CONTEXT_LENGTH_EXCEEDED */
export function itemOf(engine: Engine, prompt: GeneratePrompt, asked: GenerationSettings, wanted?: Wanted): Item {
  const promptTokens = prompt.pictures.length * engine.model.info.imageTokens + prompt.ids.length;
  const settings = fitContext(engine, promptTokens, asked);
  return { prompt, settings, cells: cellsOf(engine, promptTokens, settings), search: createSearch(settings, wanted) };
}

/** Rows that fit the cache together; they share every step. */
function* parts({ queue }: Engine, items: readonly Item[]): Generator<readonly Item[]> {
  const most = Math.floor(queue.sequences / rowsOf(commonOf(items)));
  let part: Item[] = [];
  let cells = 0;
  for (const item of items) {
    if (part.length === most || (part.length > 0 && cells + item.cells > queue.cells)) {
      yield part;
      part = [];
      cells = 0;
    }
    part.push(item);
    cells += item.cells;
  }
  yield part;
}

/** What does not depend on the prompt is the same in all. */
const commonOf = (items: readonly Item[]): GenerationSettings => (items[0] as Item).settings;

async function runPart(call: EngineCall, items: readonly Item[]): Promise<void> {
  const settings = commonOf(items);
  const prompts: SessionPrompt[] = [];
  for (const { prompt } of items) {
    const { pictures, instruction, ids } = prompt;
    prompts.push({ softTokens: await softTokensOfAll(call, pictures, instruction), ids });
  }
  const cells = items.reduce((sum, item) => sum + item.cells, 0);
  const sequences = items.length * rowsOf(settings);
  const searches = items.map(({ search }) => search);
  const onStep = async () => {
    call.signal.throwIfAborted();
    return false;
  };
  await inSession(call, { cells, sequences }, prompts, settings.answerStart, source =>
    runSearches(source, searches, settings.removeInvalidValues, onStep),
  );
}

function outputOf(
  engine: Engine,
  items: readonly Item[],
  wanted: Required<Omit<Wanted, 'logprobs'>>,
  clock: StageClock,
): GenerateOutput {
  const hypotheses = items.flatMap(({ search }) => search.hypotheses());
  const sequences = sequencesOf(items);
  const sequencesScores = hypotheses.flatMap(({ score }) => (score === null ? [] : [score]));
  const isBeamSearch = sequencesScores.length > 0;
  return {
    sequences: writesTwoForZero(engine, items) ? sequences.map(row => row.map(id => (id === 0 ? 2 : id))) : sequences,
    ...(isBeamSearch ? { sequencesScores } : {}),
    ...(wanted.scores ? { scores: scoreTensors(engine, items) } : {}),
    ...(wanted.scores && isBeamSearch ? { beamIndices: beamIndicesOf(items) } : {}),
    ...(wanted.tokenScores ? { tokenScores: hypotheses.map(({ tokenScores }) => [...tokenScores]) } : {}),
    finishReasons: hypotheses.map(({ stopped }) => (stopped ? 'stop' : 'length')),
    usage: usageOf(engine, items),
    timings: clock.timings(),
  };
}

function scoreTensors({ model }: Engine, items: readonly Item[]): Tensor<Float32Array>[] {
  const { vocabularySize } = model.info;
  return scoresOf(items, vocabularySize).map(data => new Tensor(data, [data.length / vocabularySize, vocabularySize]));
}

/** Of all items together. */
export function usageOf({ model }: Engine, items: readonly Item[]): Usage {
  const total = (count: (item: Item) => number) => items.reduce((sum, item) => sum + count(item), 0);
  return {
    imageTokens: total(({ prompt }) => prompt.pictures.length) * model.info.imageTokens,
    promptTokens: total(({ prompt }) => prompt.ids.length),
    generatedTokens: total(({ search }) => search.hypotheses().reduce((sum, { tokens }) => sum + tokens.length, 0)),
  };
}

/** For the hub's Vicuna checkpoints, whose BOS is 0 in the config and 2 in the tokenizer. */
function writesTwoForZero({ model }: Engine, items: readonly Item[]): boolean {
  const { languageArchitecture, languageModel } = model.info;
  return [languageArchitecture, languageModel].includes(commonOf(items).twoForZero);
}

function checkNumReturnSequences({ numReturnSequences, numBeams, doSample }: GenerationSettings): void {
  const invalid = (rule: string) =>
    new OptionError('OPTION_INVALID', `numReturnSequences must be ${rule}, but is ${shown(numReturnSequences)}`);
  if (numBeams > 1 && numReturnSequences > numBeams) throw invalid(`at most numBeams (${numBeams})`);
  if (numBeams === 1 && !doSample && numReturnSequences > 1)
    throw invalid('1 for greedy search, whose answers would be equal');
}
