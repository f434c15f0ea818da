/** What `instructblip bench` measures. */
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import {
  type Answer,
  demoModelFolder,
  type ImageFeatures,
  InstructBlip,
  type LoadOptions,
  type ModelSource,
  type Timings,
} from '../index.js';
import { type BenchResult, median } from './bench-report.js';

export interface BenchFlags {
  readonly image?: string;
  readonly question: string;
  readonly maxNewTokens: number;
  readonly repeats: number;
  readonly batch?: number;
  readonly parallel?: number;
  readonly beams?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly contextSize?: number;
}

/** One answer. */
interface Run {
  readonly answer: Answer;
  /** When the first token came, in milliseconds after the call. */
  readonly firstToken: number;
  /** Milliseconds of the steps in which JavaScript ran: search, text, callbacks, hand-over to the addon. */
  readonly script: number;
}

function loadOptions({ device, threads, contextSize, parallel, beams, batch }: BenchFlags): LoadOptions {
  const rows = Math.max(parallel ?? 0, beams ?? 0, batch ?? 0);
  // Every run is to see the picture for the first time.
  const given = { device, threads, contextSize, maxBatch: rows || undefined, imageCache: 0 };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Asks for exactly `maxNewTokens` tokens: an answer that ended early would not be comparable. */
async function askOnce(
  blip: InstructBlip,
  image: string | ImageFeatures,
  { question, maxNewTokens }: BenchFlags,
  signal: AbortSignal,
  numBeams = 1,
): Promise<Run> {
  const start = performance.now();
  let before = performance.eventLoopUtilization();
  let firstToken = 0;
  const answer = await blip.ask(image, question, {
    maxNewTokens,
    minNewTokens: maxNewTokens,
    numBeams,
    signal,
    onToken: () => {
      if (firstToken > 0) return;
      firstToken = performance.now() - start;
      // Beams agree on a first token long after it was found: there everything counts, also what came before.
      if (numBeams === 1) before = performance.eventLoopUtilization();
    },
  });
  return { answer, firstToken, script: performance.eventLoopUtilization(before).active };
}

/** Milliseconds of everything after prefill: of `tokens` - 1 steps. */
const stepsOf = ({ total, preprocess, vision, qformer, prefill }: Timings): number =>
  total - preprocess - vision - qformer - prefill;

/** Milliseconds of one step, and the share of it that JavaScript takes; of beams at most. */
function stepOf(runs: readonly Run[]): { step: number; scriptShare: number } {
  const of = (value: (run: Run, steps: number) => number) =>
    median(runs.map(run => value(run, stepsOf(run.answer.timings))));
  return {
    step: of(({ answer }, steps) => steps / (answer.usage.generatedTokens - 1)),
    scriptShare: of(({ script }, steps) => script / steps),
  };
}

/** Milliseconds of a step in which `batch` questions about one picture are answered, with at least `maxNewTokens` tokens each. */
async function batchStep(
  blip: InstructBlip,
  features: ImageFeatures,
  flags: BenchFlags,
  batch: number,
  signal: AbortSignal,
): Promise<number> {
  const questions = Array.from({ length: batch }, () => flags.question);
  // The start id counts as well.
  const length = flags.maxNewTokens + 1;
  const options = { maxLen: length, minLen: length, numBeams: 1, repetitionPenalty: 1, signal };
  const runs = await repeat(flags, () => blip.predictAnswers(features, questions, options));
  return median(runs.map(({ timings, usage }) => stepsOf(timings) / (usage.generatedTokens / batch - 1)));
}

/** Tokens per second of `parallel` calls at once, all together: the picture is encoded already, everything else counts. */
async function askTogether(
  blip: InstructBlip,
  features: ImageFeatures,
  flags: BenchFlags,
  parallel: number,
  signal: AbortSignal,
) {
  const start = performance.now();
  await Promise.all(Array.from({ length: parallel }, () => askOnce(blip, features, flags, signal)));
  return (parallel * flags.maxNewTokens * 1000) / (performance.now() - start);
}

/** Repeats a call; the first warms up caches and is not counted. */
async function repeat<T>(flags: BenchFlags, call: () => Promise<T>): Promise<T[]> {
  const runs: T[] = [];
  await call();
  while (runs.length < flags.repeats) runs.push(await call());
  return runs;
}

/** Calls, and how long they held up the event loop: Node's histogram, of which its own resolution is part. */
async function watched<T>(call: () => Promise<T>): Promise<{ value: T; eventLoopDelay: number }> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const value = await call();
  delays.disable();
  return { value, eventLoopDelay: delays.percentile(99) / 1e6 };
}

/** Loads the model, measures, and frees it. */
export async function measureModel(model: ModelSource, flags: BenchFlags, signal: AbortSignal): Promise<BenchResult> {
  const image = flags.image ?? join(demoModelFolder(), 'scene.png');
  const start = performance.now();
  const blip = await InstructBlip.load(model, { ...loadOptions(flags), signal });
  const load = performance.now() - start;
  try {
    const { value: runs, eventLoopDelay } = await watched(() =>
      repeat(flags, () => askOnce(blip, image, flags, signal)),
    );
    const features = await blip.encodeImage(image, { signal });
    const short = { ...flags, maxNewTokens: 2 };
    const second = await repeat(flags, () => askOnce(blip, features, short, signal));
    const { parallel, beams, batch } = flags;
    return {
      ...summarize(blip, runs),
      load,
      secondQuestion: median(second.map(({ firstToken }) => firstToken)),
      eventLoopDelay,
      ...(beams !== undefined && {
        beams,
        ...beamStep(await repeat(flags, () => askOnce(blip, features, flags, signal, beams))),
      }),
      ...(batch !== undefined && { batch, batchStep: await batchStep(blip, features, flags, batch, signal) }),
      ...(parallel !== undefined && {
        parallel,
        parallelTokensPerSecond: await askTogether(blip, features, flags, parallel, signal),
      }),
      peakMemory: process.resourceUsage().maxRSS * 1024,
    };
  } finally {
    await blip.dispose();
  }
}

function beamStep(runs: readonly Run[]) {
  const { step, scriptShare } = stepOf(runs);
  return { beamStep: step, beamScriptShare: scriptShare };
}

function summarize(blip: InstructBlip, runs: readonly Run[]) {
  const of = (value: (run: Run) => number) => median(runs.map(value));
  const { usage } = runs[0]!.answer;
  const { step, scriptShare } = stepOf(runs);
  return {
    model: blip.info.name,
    device: blip.info.device,
    ...usage,
    repeats: runs.length,
    preprocess: of(({ answer }) => answer.timings.preprocess),
    vision: of(({ answer }) => answer.timings.vision),
    qformer: of(({ answer }) => answer.timings.qformer),
    prefill: of(({ answer }) => answer.timings.prefill),
    decode: step,
    scriptShare,
    firstToken: of(({ firstToken }) => firstToken),
    total: of(({ answer }) => answer.timings.total),
  };
}
