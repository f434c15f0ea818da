import { OptionError } from '../errors.js';
import type { FinishReason } from '../generation/answer-writer.js';
import type { GenerateOptions } from '../generation/generate-options.js';
import { type GenerationSettings, interpretOptions } from '../generation/generation-settings.js';
import { runSearches } from '../generation/run-searches.js';
import { createSearch, type Hypothesis, type Search } from '../generation/search.js';
import { shown, validateGenerateOptions } from '../generation/validate-options.js';
import { StageClock, type Timings, type Usage } from './answer.js';
import { checkNamed, signalRule } from './ask-options.js';
import { cellsOf, fitContext, rowsOf } from './context-limits.js';
import { type EngineCall, inSession, type SessionPrompt, softTokensOfAll } from './engine-stages.js';
import { type GenerateInputs, type GeneratePrompt, INPUT_NAMES, readInputs } from './generate-inputs.js';
import { underSignals } from './linked-signal.js';
import type { Engine } from './loaded-model.js';

/** What `generate` of the Hugging Face class takes: tensors and options together. */
export type GenerateArguments = GenerateInputs &
  GenerateOptions & {
    /** Answers per picture, 1 (default) to `numBeams`, or any number when sampling: the best beams, or independent samples. */
    numReturnSequences?: number;
    /** Aborts the call in any phase; it rejects with the signal's reason. */
    signal?: AbortSignal;
  };

export interface GenerateOutput {
  /** One row for each answer: batch x `numReturnSequences`, each picture's answers together. As transformers 4.34: the start id, the generated ids, padding. */
  readonly sequences: number[][];
  /** Beam search: the score of each row. */
  readonly sequencesScores?: number[];
  readonly finishReasons: FinishReason[];
  /** Of all rows together. */
  readonly usage: Usage;
  readonly timings: Timings;
}

/** HF's `max_length` where no length is given. */
const DEFAULT_MAX_LENGTH = 20;

/** One row of the batch with what it needs. */
export interface Item {
  readonly prompt: GeneratePrompt;
  readonly cells: number;
  readonly search: Search;
}

export async function generateBatch(engine: Engine, given: GenerateArguments): Promise<GenerateOutput> {
  const { signal: outer } = checkNamed(given, { signal: signalRule }, true);
  const settings = settingsOf(engine, given);
  const prompts = readInputs(given, engine);
  const items = prompts.map(prompt => itemOf(engine, prompt, settings));
  const clock = new StageClock();
  await runBatch({ engine, clock }, settings, items, outer);
  return outputOf(engine, settings, items, clock);
}

function settingsOf(engine: Engine, given: GenerateArguments): GenerationSettings {
  const { numReturnSequences = 1, ...named } = given;
  const options = validateGenerateOptions(named, [...INPUT_NAMES, 'signal']);
  const noLength = options.maxLength === undefined && options.maxNewTokens === undefined;
  // As in HF, sampling has to be asked for.
  const asked = {
    doSample: false,
    compat: 'hf-4.34',
    ...(noLength ? { maxLength: DEFAULT_MAX_LENGTH } : {}),
    ...options,
  } as const;
  const settings = { ...interpretOptions(asked, engine.model.info, engine.vocabulary), numReturnSequences };
  checkNumReturnSequences(settings);
  return settings;
}

/** All items, in as many parts as the cache makes necessary. */
export const runBatch = (
  call: Omit<EngineCall, 'signal'>,
  settings: GenerationSettings,
  items: readonly Item[],
  outer: AbortSignal | undefined,
): Promise<void> =>
  underSignals([outer, call.engine.lifetime], async signal => {
    for (const part of parts(call.engine, items, settings)) await runPart({ ...call, signal }, settings, part);
  });

/** @throws CONTEXT_LENGTH_EXCEEDED */
export function itemOf(engine: Engine, prompt: GeneratePrompt, settings: GenerationSettings): Item {
  const promptTokens = prompt.pictures.length * engine.model.info.imageTokens + prompt.ids.length;
  fitContext(engine, promptTokens, settings);
  return { prompt, cells: cellsOf(engine, promptTokens, settings), search: createSearch(settings, false) };
}

/** Rows that fit the cache together; they share every step. */
function* parts({ queue }: Engine, items: readonly Item[], settings: GenerationSettings): Generator<readonly Item[]> {
  const most = Math.floor(queue.sequences / rowsOf(settings));
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

async function runPart(call: EngineCall, settings: GenerationSettings, items: readonly Item[]): Promise<void> {
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
  settings: GenerationSettings,
  items: readonly Item[],
  clock: StageClock,
): GenerateOutput {
  const hypotheses = items.flatMap(({ search }) => search.hypotheses());
  const rows = hypotheses.map(each => rowOf(settings, each));
  const length = Math.max(...rows.map(row => row.length));
  const padded = rows.map(row => [...row, ...new Array<number>(length - row.length).fill(settings.padTokenId)]);
  const scores = hypotheses.flatMap(({ score }) => (score === null ? [] : [score]));
  return {
    sequences: writesTwoForZero(engine) ? padded.map(row => row.map(id => (id === 0 ? 2 : id))) : padded,
    ...(scores.length > 0 ? { sequencesScores: scores } : {}),
    finishReasons: hypotheses.map(({ stopped }) => (stopped ? 'stop' : 'length')),
    usage: usageOf(engine, items),
    timings: clock.timings(),
  };
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

/** transformers ends a beam with the first stop id, whichever it was. */
function rowOf({ contextPrefix, stopIds, numBeams }: GenerationSettings, { tokens, stopped }: Hypothesis): number[] {
  // Not of one that a stop string ended.
  const endsWithId = stopped && stopIds.includes(tokens.at(-1) as number);
  const shown = endsWithId && numBeams > 1 ? [...tokens.slice(0, -1), stopIds[0] as number] : tokens;
  return [...contextPrefix, ...shown];
}

/** For the hub's Vicuna checkpoints, whose BOS is 0 in the config and 2 in the tokenizer, transformers 4.34 writes 2 for 0. */
const writesTwoForZero = ({ model }: Engine): boolean => model.info.languageArchitecture === 'LLaMAForCausalLM';

function checkNumReturnSequences({ numReturnSequences, numBeams, doSample }: GenerationSettings): void {
  const invalid = (rule: string) =>
    new OptionError('OPTION_INVALID', `numReturnSequences must be ${rule}, but is ${shown(numReturnSequences)}`);
  if (!Number.isSafeInteger(numReturnSequences) || numReturnSequences < 1) throw invalid('an integer of at least 1');
  if (numBeams > 1 && numReturnSequences > numBeams) throw invalid(`at most numBeams (${numBeams})`);
  if (numBeams === 1 && !doSample && numReturnSequences > 1)
    throw invalid('1 for greedy search, whose answers would be equal');
}
