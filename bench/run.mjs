/**
 * Speed and memory at full size, this package and others in the same run. `npm run bench [-- options]`, --help shows them; bench/README.md explains.
 * Makes what is absent: build, models with random weights, the baseline's Python environment, the C++ programs.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/lib/run.mjs';
import { setup } from '../scripts/setup.mjs';
import { readOptions } from './lib/options.mjs';

const options = readOptions();
await setup();
// Only now: what these import is there after the set-up.
const { ensureBaselineEnvironment } = await import('./lib/baseline-environment.mjs');
const { describeMachine } = await import('./lib/machine.mjs');
const { makeModel, measureMemory, PROMPT_TOKENS } = await import('./lib/measure.mjs');
const { ensurePhoto } = await import('./lib/photo.mjs');
const { markdown } = await import('./lib/markdown.mjs');
const { summarize } = await import('./lib/report.mjs');
const { runRounds } = await import('./lib/rounds.mjs');

const model = await makeModel(options);
mkdirSync(options.out, { recursive: true });
const photo = join(options.out, 'photo-12mp.jpg');
await ensurePhoto(photo);
const python = options.baseline ? ensureBaselineEnvironment(options.venv) : undefined;

const memorySpeed = await measureMemory(options);
const rounds = await runRounds(options, model, photo, python);
const promptTokens = rounds.ours[0].promptTokens;
if (promptTokens !== PROMPT_TOKENS)
  throw new Error(`the prompt has ${promptTokens} tokens, but ${PROMPT_TOKENS} are compared`);

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const result = {
  command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
  date: new Date().toISOString(),
  machine: describeMachine(),
  options,
  package: {
    version: manifest.version,
    engine: `node-llama-cpp ${Object.values(manifest.optionalDependencies)[0]}`,
  },
  memorySpeed,
  tokenBytes: model.tokenBytes,
  ...summarize(rounds, model, options),
  rounds,
};
writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
console.log(markdown(result));
console.error(`all figures: ${options.json}`);
if (!result.ours.withinMemoryLimit) process.exitCode = 1;
