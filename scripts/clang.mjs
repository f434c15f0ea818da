/**
 * clang-format and clang-tidy on our own C++ files, in pinned versions (from PyPI, in .cache/), so that every machine sees the same verdict.
 *   node scripts/clang.mjs format [--write]      node scripts/clang.mjs tidy
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fail, root, run } from './lib/run.mjs';

const PACKAGES = ['clang-format==19.1.7', 'clang-tidy==19.1.0.1'];
const venv = join(root, '.cache', 'clang-19.1');

function tool(name) {
  const path = join(venv, process.platform === 'win32' ? 'Scripts' : 'bin', name);
  if (!existsSync(path)) {
    console.error(`installing ${PACKAGES.join(' and ')} (once) …`);
    run('python3', ['-m', 'venv', venv]);
    run(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...PACKAGES]);
  }
  return path;
}

const files = pattern =>
  ['core', 'binding', 'test'].flatMap(directory =>
    readdirSync(join(root, 'native', directory), { recursive: true })
      .filter(name => pattern.test(name))
      .map(name => join('native', directory, name)),
  );

function format(write) {
  run(tool('clang-format'), [...(write ? ['-i'] : ['--dry-run', '--Werror']), ...files(/\.(cpp|h)$/)]);
}

/** One clang-tidy per file, as many at once as there are cores; output in the order of the files. */
async function tidy() {
  const build = join(root, 'build', 'tidy');
  const { configureForTidy } = await import('./build-native.mjs');
  await configureForTidy(build);
  const queue = files(/\.cpp$/);
  let failures = 0;
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const { status, output } = await new Promise(resolve => {
        const child = spawn(tool('clang-tidy'), ['-p', build, '--quiet', file], { cwd: root });
        let output = '';
        child.stdout.on('data', data => {
          output += data;
        });
        child.stderr.on('data', () => {});
        child.on('close', status => resolve({ status, output }));
      });
      if (status !== 0) {
        failures += 1;
        console.error(`${file}\n${output}`);
      }
    }
  };
  tool('clang-tidy');
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (failures > 0) fail(`clang-tidy: ${failures} files with findings`);
}

const [command, flag] = process.argv.slice(2);
if (command === 'format') format(flag === '--write');
else if (command === 'tidy') await tidy();
else fail('usage: node scripts/clang.mjs format [--write] | tidy');
