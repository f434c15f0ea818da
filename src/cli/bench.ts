import { type Command, InvalidArgumentError, Option } from 'commander';
import { type BenchFlags, measureModel } from './bench-measures.js';
import { describeBench } from './bench-report.js';
import { interruptible } from './interrupt.js';
import { type ModelFlags, modelOf, modelOptions } from './model-option.js';
import { numberOption } from './number-option.js';
import { print } from './output.js';

interface Flags extends ModelFlags, BenchFlags {
  readonly json?: boolean;
}

async function run(flags: Flags, command: Command): Promise<void> {
  const model = modelOf(flags, command);
  const result = await interruptible(signal => measureModel(model, flags, signal));
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
    .addOption(countOption('--batch <n>', 'measure this many questions in one batch, too', 2))
    .addOption(countOption('--parallel <n>', 'measure this many calls at once, too', 1))
    .option('--device <name>', "'auto', 'cpu', 'cuda', 'metal', 'vulkan' or a device name (default: auto)")
    .addOption(numberOption('--threads <n>', 'compute threads (default: physical cores)'))
    .addOption(numberOption('--context-size <n>', 'tokens of context (default: what 320 MiB hold)'))
    .option('--json', 'print one JSON object: times in milliseconds (decode: of one token), memory in bytes')
    .action(run);
}
