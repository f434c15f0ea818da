import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type Answer,
  demoModelFolder,
  type ImageFeatures,
  InstructBlip,
  type LoadOptions,
  type ModelSource,
} from '../index.js';
import { type BenchResult, describeBench, median } from './bench-report.js';
import { interruptible } from './interrupt.js';
import { type ModelFlags, modelOf, modelOptions } from './model-option.js';
import { numberOption } from './number-option.js';
import { print } from './output.js';

interface Flags extends ModelFlags {
  readonly image?: string;
  readonly question: string;
  readonly maxNewTokens: number;
  readonly repeats: number;
  readonly parallel?: number;
  readonly beams?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly contextSize?: number;
  readonly json?: boolean;
}

/** One answer and when its first token came, in milliseconds after the call. */
interface Run {
  readonly answer: Answer;
  readonly firstToken: number;
}

function loadOptions({ device, threads, contextSize, parallel, beams }: Flags): LoadOptions {
  // Every run is to see the picture for the first time.
  const rows = Math.max(parallel ?? 0, beams ?? 0);
  const given = { device, threads, contextSize, maxBatch: rows || undefined, imageCache: 0 };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Asks for exactly `maxNewTokens` tokens: an answer that ended early would not be comparable. */
async function askOnce(
  blip: InstructBlip,
  image: string | ImageFeatures,
  { question, maxNewTokens }: Flags,
  signal: AbortSignal,
  numBeams = 1,
): Promise<Run> {
  const start = performance.now();
  let firstToken = 0;
  const answer = await blip.ask(image, question, {
    maxNewTokens,
    minNewTokens: maxNewTokens,
    numBeams,
    signal,
    onToken: () => {
      firstToken ||= performance.now() - start;
    },
  });
  return { answer, firstToken };
}

/** Tokens per second of `parallel` calls at once, all together: the picture is encoded already, everything else counts. */
async function askTogether(
  blip: InstructBlip,
  features: ImageFeatures,
  flags: Flags,
  parallel: number,
  signal: AbortSignal,
) {
  const start = performance.now();
  await Promise.all(Array.from({ length: parallel }, () => askOnce(blip, features, flags, signal)));
  return (parallel * flags.maxNewTokens * 1000) / (performance.now() - start);
}

/** Repeats a call; the first warms up caches and is not counted. */
async function repeat(flags: Flags, call: () => Promise<Run>): Promise<Run[]> {
  const runs: Run[] = [];
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

async function measure(model: ModelSource, flags: Flags, signal: AbortSignal): Promise<BenchResult> {
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
    const { parallel, beams } = flags;
    return {
      ...summarize(blip, runs),
      load,
      secondQuestion: median(second.map(({ firstToken }) => firstToken)),
      eventLoopDelay,
      ...(beams !== undefined && {
        beams,
        beamStep: decodeStep(await repeat(flags, () => askOnce(blip, features, flags, signal, beams))),
      }),
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

/** Milliseconds of a token after the first. */
const decodeStep = (runs: readonly Run[]): number =>
  median(runs.map(({ answer }) => answer.timings.decode / (answer.usage.generatedTokens - 1)));

function summarize(blip: InstructBlip, runs: readonly Run[]) {
  const of = (value: (run: Run) => number) => median(runs.map(value));
  const { usage } = runs[0]!.answer;
  return {
    model: blip.info.name,
    device: blip.info.device,
    ...usage,
    repeats: runs.length,
    preprocess: of(({ answer }) => answer.timings.preprocess),
    vision: of(({ answer }) => answer.timings.vision),
    qformer: of(({ answer }) => answer.timings.qformer),
    prefill: of(({ answer }) => answer.timings.prefill),
    decode: decodeStep(runs),
    firstToken: of(({ firstToken }) => firstToken),
    total: of(({ answer }) => answer.timings.total),
  };
}

async function run(flags: Flags, command: Command): Promise<void> {
  const model = modelOf(flags, command);
  const result = await interruptible(signal => measure(model, flags, signal));
  await print(flags.json ? `${JSON.stringify(result)}\n` : describeBench(result));
}

/** An option that takes a whole number from `least` on. */
function countOption(flags: string, description: string, least: number): Option {
  const parse = (value: string): number => {
    const count = Number(value);
    if (value.trim() !== '' && Number.isInteger(count) && count >= least) return count;
    throw new InvalidArgumentError(`It must be a whole number, at least ${least}.`);
  };
  return new Option(flags, description).argParser(parse);
}

/** `instructblip bench`: how fast a model runs on this machine. */
export function register(program: Command): void {
  program
    .command('bench')
    .description('measure how fast a model runs on this machine: medians of several answers, after one to warm up')
    .addOption(modelOptions.folder())
    .addOption(modelOptions.vision())
    .addOption(modelOptions.languageModel())
    .option('--image <image>', 'path or http(s) URL of a picture (default: that of the demo)')
    .option('--question <text>', 'the question', 'Describe the picture in detail.')
    .addOption(countOption('--max-new-tokens <n>', 'tokens of each answer', 2).default(32))
    .addOption(countOption('--repeats <n>', 'answers that are measured', 1).default(3))
    .addOption(countOption('--beams <n>', 'measure beam search with so many beams, too', 2))
    .addOption(countOption('--parallel <n>', 'measure this many calls at once, too', 1))
    .option('--device <name>', "'auto', 'cpu', 'cuda', 'metal', 'vulkan' or a device name (default: auto)")
    .addOption(numberOption('--threads <n>', 'compute threads (default: physical cores)'))
    .addOption(numberOption('--context-size <n>', 'tokens of context (default: what 320 MiB hold)'))
    .option('--json', 'print one JSON object: times in milliseconds (decode: of one token), memory in bytes')
    .action(run);
}
