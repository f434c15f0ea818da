import type { Command } from 'commander';
import { type ConvertOptions, convert, LANGUAGE_MODEL_TYPES, VISION_TYPES } from '../index.js';
import { interruptible } from './interrupt.js';
import { Progress } from './progress.js';
import { typeOption } from './type-option.js';

const STAGES = { vision: 'vision file', 'language-model': 'language model' } as const;

async function run(checkpoint: string, outFolder: string, options: ConvertOptions): Promise<void> {
  const progress = new Progress();
  try {
    const result = await interruptible(signal =>
      convert(checkpoint, outFolder, {
        ...options,
        signal,
        onProgress: ({ stage, loaded, total }) => progress.update(STAGES[stage], loaded, total),
      }),
    );
    progress.done();
    process.stdout.write(`${result.visionPath}\n${result.languageModelPath}\n`);
  } finally {
    progress.done();
  }
}

/** `instructblip convert`: prints the paths of the two files. */
export function register(program: Command): void {
  program
    .command('convert')
    .description(
      'convert an InstructBLIP checkpoint of the Hugging Face hub to the two GGUF files that this program runs',
    )
    .argument('<hf-folder>', 'folder with config.json, *.safetensors and tokenizer files')
    .argument('<out-folder>', 'folder for the GGUF files; made where there is none')
    .addOption(
      typeOption('--language-model-type <type>', 'type of the language model', LANGUAGE_MODEL_TYPES).default('Q4_K_M'),
    )
    .addOption(typeOption('--vision-type <type>', 'type of vision encoder and Q-Former', VISION_TYPES).default('F16'))
    .option('--name <name>', "name of the model in file names and metadata (default: the folder's name)")
    .option('--force', 'replace files that exist')
    .action(run);
}
