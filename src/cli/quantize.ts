import type { Command } from 'commander';
import { LANGUAGE_MODEL_TYPES, type QuantizeOptions, quantize } from '../index.js';
import { interruptible } from './interrupt.js';
import { Progress } from './progress.js';
import { typeOption } from './type-option.js';

async function run(input: string, output: string, options: QuantizeOptions): Promise<void> {
  const progress = new Progress();
  try {
    await interruptible(signal =>
      quantize(input, output, {
        ...options,
        signal,
        onProgress: ({ loaded, total }) => progress.update('quantize', loaded, total),
      }),
    );
    progress.done();
    process.stdout.write(`${output}\n`);
  } finally {
    progress.done();
  }
}

/** `instructblip quantize`: prints the path of the file. */
export function register(program: Command): void {
  program
    .command('quantize')
    .description('write a GGUF file (language model or mmproj) again in a smaller type')
    .argument('<in.gguf>', 'an F32, F16 or BF16 file')
    .argument('<out.gguf>', 'the file to write')
    .addOption(typeOption('--type <type>', 'type to write', LANGUAGE_MODEL_TYPES).makeOptionMandatory())
    .option('--force', 'replace a file that exists')
    .action(run);
}
