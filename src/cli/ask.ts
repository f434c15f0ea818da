import { type Command, Option } from 'commander';
import { type Answer, type AskOptions, InstructBlip, type LoadOptions, type ModelSource } from '../index.js';
import { jsonFileOption, textFileOption } from './file-option.js';
import { interruptible } from './interrupt.js';
import { type ModelFlags, modelOf, modelOptions } from './model-option.js';
import { numberOption } from './number-option.js';
import { onReaderGone, print } from './output.js';
import { Progress } from './progress.js';

/** As commander gives them: names of flags in camelCase. */
interface Flags extends ModelFlags, LoadOptions, Omit<AskOptions, 'stopStrings' | 'choices'> {
  readonly beams?: number;
  readonly stop?: string[];
  readonly choice?: string[];
  readonly json?: boolean;
  readonly timings?: boolean;
}

/** The library's: more beams than this have to be loaded for. */
const DEFAULT_MAX_BATCH = 16;
const LOAD_FLAGS = ['device', 'gpuLayers', 'threads', 'contextSize', 'kvCacheType'] as const;
const ASK_FLAGS = [
  'maxNewTokens',
  'minNewTokens',
  'temperature',
  'topK',
  'topP',
  'minP',
  'repetitionPenalty',
  'seed',
  'grammar',
  'jsonSchema',
  'compat',
] as const;

function pick<T extends object, K extends keyof T>(flags: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.filter(name => flags[name] !== undefined).map(name => [name, flags[name]])) as Pick<
    T,
    K
  >;
}

function askOptions(flags: Flags): AskOptions {
  return {
    ...pick(flags, ASK_FLAGS),
    ...(flags.beams === undefined ? {} : { numBeams: flags.beams }),
    ...(flags.stop === undefined ? {} : { stopStrings: flags.stop }),
    ...(flags.choice === undefined ? {} : { choices: flags.choice }),
  };
}

async function load(model: ModelSource, flags: Flags, signal: AbortSignal): Promise<InstructBlip> {
  const progress = new Progress();
  try {
    return await InstructBlip.load(model, {
      ...pick(flags, LOAD_FLAGS),
      ...((flags.beams ?? 0) > DEFAULT_MAX_BATCH ? { maxBatch: flags.beams as number } : {}),
      signal,
      // A log has no use for the progress of loading.
      ...(process.stderr.isTTY
        ? { onProgress: ({ stage, loaded, total }) => progress.update(stage, loaded, total) }
        : {}),
    });
  } finally {
    progress.done();
  }
}

async function answerTo(blip: InstructBlip, image: string, question: string, flags: Flags, signal: AbortSignal) {
  const options = askOptions(flags);
  if (flags.json) {
    const answer = await blip.ask(image, question, { ...options, signal });
    await print(`${JSON.stringify(answer)}\n`);
    return answer;
  }
  const answer = await blip.ask(image, question, { ...options, signal, onText: print });
  await print('\n');
  return answer;
}

const describeTimings = ({ usage, timings }: Answer): string =>
  `${usage.imageTokens} + ${usage.promptTokens} tokens in, ${usage.generatedTokens} out; ` +
  Object.entries(timings)
    .filter(([name]) => name !== 'cachedImages')
    .map(([stage, ms]) => `${stage} ${Math.round(ms)} ms`)
    .join(', ');

async function run(image: string, question: string, flags: Flags, command: Command): Promise<void> {
  const model = modelOf(flags, command);
  await interruptible(async interrupted => {
    const reader = new AbortController();
    const forget = onReaderGone(() => reader.abort());
    const stop = () => reader.abort(interrupted.reason);
    interrupted.addEventListener('abort', stop, { once: true });
    let blip: InstructBlip | undefined;
    try {
      blip = await load(model, flags, reader.signal);
      const answer = await answerTo(blip, image, question, flags, reader.signal);
      if (flags.timings) process.stderr.write(`${describeTimings(answer)}\n`);
    } catch (error) {
      // Nobody reads any more, and nobody interrupted: the work is done as far as anybody cares.
      if (!reader.signal.aborted || interrupted.aborted) throw error;
    } finally {
      forget();
      await blip?.dispose();
    }
  });
}

const collect = (text: string, texts: readonly string[] = []): string[] => [...texts, text];

/** `instructblip ask`: the answer streams to stdout, all else goes to stderr. */
export function register(program: Command): void {
  program
    .command('ask')
    .description('answer a question about a picture')
    .argument('<image>', 'path or http(s) URL of a picture')
    .argument('<question>', 'the question or instruction')
    .addOption(modelOptions.folder())
    .addOption(modelOptions.vision())
    .addOption(modelOptions.languageModel())
    .addOption(numberOption('--max-new-tokens <n>', 'most tokens of the answer (default: 256)'))
    .addOption(numberOption('--min-new-tokens <n>', 'fewest tokens of the answer'))
    .addOption(numberOption('--beams <n>', 'beam search with this many beams (default: 1, none)'))
    .addOption(numberOption('--temperature <t>', 'sample, with this temperature'))
    .addOption(numberOption('--top-k <k>', 'sample from the k best tokens'))
    .addOption(numberOption('--top-p <p>', 'sample from the best tokens that reach this probability'))
    .addOption(numberOption('--min-p <p>', "sample from tokens with this share of the best one's probability"))
    .addOption(numberOption('--repetition-penalty <p>', 'above 1: repeat less'))
    .addOption(numberOption('--seed <n>', 'seed of sampling (default: a random one)'))
    .option('--stop <text>', 'text that ends the answer; may be given several times', collect)
    .option('--choice <text>', 'a possible answer; given several times, the answer is one of them', collect)
    .addOption(textFileOption('--grammar <file>', 'file with a GBNF grammar that the answer follows'))
    .addOption(jsonFileOption('--json-schema <file>', 'file with a JSON schema of the answer, which is JSON then'))
    .addOption(
      new Option('--compat <preset>', 'behave as this version of transformers, or as LAVIS').choices([
        'hf-4.34',
        'hf-5',
        'lavis',
      ]),
    )
    .option('--device <name>', "'auto', 'cpu', 'cuda', 'metal', 'vulkan' or a device name (default: auto)")
    .addOption(numberOption('--gpu-layers <n>', 'layers of the language model on the GPU (default: all)'))
    .addOption(numberOption('--threads <n>', 'compute threads (default: physical cores)'))
    .addOption(numberOption('--context-size <n>', 'tokens of context (default: what 320 MiB hold)'))
    .addOption(new Option('--kv-cache-type <type>', 'type of the KV cache').choices(['auto', 'f32', 'f16', 'q8_0']))
    .option('--json', 'print one JSON object when the answer is complete')
    .option('--timings', 'print tokens and times to stderr')
    .action(run);
}
