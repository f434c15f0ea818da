/**
 * Makes a full-size InstructBLIP with random weights for measuring: an mmproj file and a language model, as a conversion would write them.
 *   npx tsx bench/make-model.ts [--shape vicuna-7b] [--language-model-type Q4_K_M] [--vision-type F16] [--layers N] … [--out bench/out]
 * Prints the two paths. What is there already stays.
 */
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { interruptible } from '../src/cli/interrupt.js';
import { numberOption } from '../src/cli/number-option.js';
import { formatBytes, Progress } from '../src/cli/progress.js';
import { typeOption } from '../src/cli/type-option.js';
import {
  LANGUAGE_MODEL_TYPES,
  type LanguageModelType,
  VISION_TYPES,
  type VisionType,
} from '../src/gguf/tensor-types.js';
import { makeRandomModel } from './random-model.js';
import { SHAPE_NAMES, type ShapeName, textShape } from './text-shapes.js';

const here = dirname(process.argv[1]!);
// src/native/package-root.ts looks for the package from its own folder, which only bundles and CommonJS know.
Object.assign(globalThis, { __dirname: join(here, '..', 'src', 'native') });

interface Flags {
  readonly shape: ShapeName;
  readonly languageModelType: LanguageModelType;
  readonly visionType: VisionType;
  readonly layers?: number;
  readonly visionLayers?: number;
  readonly qformerLayers?: number;
  readonly seed: number;
  readonly out: string;
  readonly json?: boolean;
}

/** Says in the name what is not the shape's own: files of other sizes get other names. */
function nameOf({ shape, layers, visionLayers, qformerLayers, seed }: Flags): string {
  const parts: readonly [string, number | undefined][] = [
    ['l', layers],
    ['v', visionLayers],
    ['q', qformerLayers],
    ['s', seed === 1 ? undefined : seed],
  ];
  const changes = parts.filter(([, value]) => value !== undefined).map(([letter, value]) => `-${letter}${value}`);
  return `${shape}-random${changes.join('')}`;
}

const layersOf = (count: number | undefined) => (count === undefined ? {} : { num_hidden_layers: count });

async function run(flags: Flags): Promise<void> {
  const progress = new Progress();
  const start = performance.now();
  const result = await interruptible(signal =>
    makeRandomModel({
      shape: flags.shape,
      overrides: {
        text: flags.layers === undefined ? {} : textShape(flags.shape).layers(flags.layers),
        vision: layersOf(flags.visionLayers),
        qformer: layersOf(flags.qformerLayers),
      },
      languageModelType: flags.languageModelType,
      visionType: flags.visionType,
      name: nameOf(flags),
      outFolder: flags.out,
      seed: flags.seed,
      signal,
      onProgress: ({ stage, loaded, total }) => progress.update(stage, loaded, total),
    }),
  ).finally(() => progress.done());
  if (result.written.length > 0) {
    const seconds = (performance.now() - start) / 1000;
    const memory = formatBytes(process.resourceUsage().maxRSS * 1024);
    process.stderr.write(
      `${result.written.length} of 2 files (${formatBytes(result.size)} together) written in ${seconds.toFixed(1)} s, peak memory ${memory}\n`,
    );
  }
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`${result.visionPath}\n${result.languageModelPath}\n`);
}

const program = new Command('make-model')
  .description('make a full-size InstructBLIP with random weights, for measuring')
  .addOption(new Option('--shape <name>', 'shape of the language model').choices(SHAPE_NAMES).default('vicuna-7b'))
  .addOption(
    typeOption('--language-model-type <type>', 'type of the language model', LANGUAGE_MODEL_TYPES).default('Q4_K_M'),
  )
  .addOption(typeOption('--vision-type <type>', 'type of vision encoder and Q-Former', VISION_TYPES).default('F16'))
  .addOption(numberOption('--layers <n>', "layers of the language model (default: the shape's)"))
  .addOption(numberOption('--vision-layers <n>', 'layers of the vision encoder (default: 39)'))
  .addOption(numberOption('--qformer-layers <n>', 'layers of the Q-Former (default: 12)'))
  .addOption(numberOption('--seed <n>', 'seed of the weights').default(1))
  .option('--out <folder>', 'folder for the files', join(here, 'out'))
  .option('--json', 'print one JSON object: paths, size, and the sizes of the model')
  .action(run);

program.parseAsync().catch((error: Error & { code?: unknown }) => {
  if (error.name === 'AbortError') process.exitCode = 130;
  else {
    process.stderr.write(`${String(error.code ?? 'INTERNAL')}: ${error.message}\n`);
    process.exitCode = 1;
  }
});
