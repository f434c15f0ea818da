/** Starts what is measured, each in a process of its own: its peak memory is that of nothing else. */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { bin, fail, root } from '../../scripts/lib/run.mjs';
import { engineLibraries, PROGRAMS } from './native-tools.mjs';

/** 32 tokens with BOS in LLaMA's vocabulary, 32 with </s> in T5's, 33 with [CLS] and [SEP] in BERT's. */
export const QUESTION =
  'Look at this picture and describe in one very long sentence what the people in it are doing, where they are, and what is most unusual about it.';
export const PROMPT_TOKENS = 32;
const PREFILL_TOKENS = 32 + PROMPT_TOKENS;
const QFORMER_TOKENS = 33;

/** What a command printed. Ctrl-C and SIGTERM reach it too, and end this process when it has tidied up. */
export async function outputOf(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let interrupted = false;
  const stop = () => {
    interrupted = true;
    child.kill('SIGTERM');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const chunks = [];
  child.stdout.on('data', chunk => chunks.push(chunk));
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  }).catch(error => fail(`${command} could not be started: ${error.message}`));
  process.off('SIGINT', stop);
  process.off('SIGTERM', stop);
  if (interrupted) process.exit(130);
  if (status !== 0) fail(`${[command, ...args].join(' ').slice(0, 300)} failed with ${status}`);
  return Buffer.concat(chunks).toString('utf8');
}

/** `--name value` of those that are set. */
const flags = values =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));

/** Paths, size and config of the two files, made where they are absent. */
export async function makeModel(options) {
  const [node, tsx] = bin('tsx', 'dist/cli.mjs');
  const args = flags({
    shape: options.shape,
    'language-model-type': options.languageModelType,
    'vision-type': options.visionType,
    layers: options.layers,
    'vision-layers': options.visionLayers,
    'qformer-layers': options.qformerLayers,
    out: options.out,
  });
  return JSON.parse(await outputOf(node, [tsx, join(root, 'bench', 'make-model.ts'), '--json', ...args]));
}

/** Reads a file through, so that each round finds it in the system's cache. */
async function readThrough(path) {
  for await (const _ of createReadStream(path, { highWaterMark: 8 << 20 }));
}

/** `instructblip bench` on the files: times in milliseconds, memory in bytes. */
export async function measureOurs(options, model, photo) {
  for (const path of [model.visionPath, model.languageModelPath]) await readThrough(path);
  const args = flags({
    vision: model.visionPath,
    'language-model': model.languageModelPath,
    image: photo,
    question: QUESTION,
    'max-new-tokens': options.tokens,
    repeats: options.repeats,
    threads: options.threads,
    parallel: options.parallel,
    beams: options.beams,
    batch: options.batch,
    'context-size': options.contextSize,
    device: 'cpu',
  });
  return JSON.parse(await outputOf(process.execPath, [join(root, 'dist', 'cli.js'), 'bench', '--json', ...args]));
}

/** bench/baseline.py in one dtype: times in seconds, memory in bytes. */
export async function measureTransformers(options, python, dtype, { config }, photo) {
  const args = flags({
    dtype,
    threads: options.threads,
    image: photo,
    prompt: PROMPT_TOKENS,
    'qformer-tokens': QFORMER_TOKENS,
    steps: options.tokens - 1,
    repeats: options.repeats,
    text: JSON.stringify(config.text),
    'vision-layers': config.vision.layers,
    'qformer-layers': config.qformer.layers,
  });
  return JSON.parse(await outputOf(python, [join(root, 'bench', 'baseline.py'), ...args]));
}

/** Whether the language model can be measured on its own, and against libllama's: where the engine is there to link with. */
export const canMeasureLanguageModel = () => engineLibraries() !== null;

async function measureWith(program, options, model) {
  await readThrough(model.languageModelPath);
  const numbers = [options.threads, PREFILL_TOKENS, options.tokens - 1, options.repeats].map(String);
  return JSON.parse(await outputOf(program, [model.languageModelPath, engineLibraries(), ...numbers]));
}

/** bench/language-model.cpp: ours alone. */
export const measureOurLanguageModel = (options, model) => measureWith(PROGRAMS.languageModel(), options, model);

/** bench/libllama.cpp: libllama's on the same file. */
export const measureLibllama = (options, model) => measureWith(PROGRAMS.libllama(), options, model);

/** Bytes a second that the memory gives, which bounds decoding; undefined where it cannot be measured. */
export async function measureMemory({ threads }) {
  if (process.platform === 'win32') return undefined;
  return Number(await outputOf(PROGRAMS.memorySpeed(), [String(threads)]));
}
