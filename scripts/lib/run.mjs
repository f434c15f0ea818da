/** Shared by the scripts; Node built-ins only, because they run before `npm ci`. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** How to call npm: through the npm that started us when there is one, so that no shell or .cmd lookup is needed. */
export const npm = process.env.npm_execpath?.endsWith('.js')
  ? { command: process.execPath, args: [process.env.npm_execpath], shell: false }
  : { command: 'npm', args: [], shell: process.platform === 'win32' };

/** Ends the script with one line and exit code 1. */
export function fail(message) {
  console.error(`instructblip: ${message}`);
  process.exit(1);
}

/** Runs a command with its output shown; a failure ends the script. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (result.error) fail(`${command} could not be started: ${result.error.message}`);
  if (result.status !== 0) {
    if (options.onFailure) options.onFailure(result);
    fail(`${[command, ...args].join(' ').slice(0, 200)} failed with ${result.signal ?? `exit code ${result.status}`}`);
  }
  return result;
}

/** A program of node_modules, run with this Node. Installed as a package, ours lie beside us rather than below. */
export function bin(pkg, file) {
  for (let folder = root; ; folder = dirname(folder)) {
    const program = join(folder, 'node_modules', pkg, file);
    if (existsSync(program)) return [process.execPath, program];
    if (folder === dirname(folder)) fail(`${pkg} is not installed: run npm install`);
  }
}
