/**
 * All set-up in a fresh clone, and nearly nothing when it is done: prerequisites, npm packages, engine source, addon, TypeScript build.
 * `npm run demo` and `npm test` begin with it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildNative } from './build-native.mjs';
import { bin, fail, npm, root, run } from './lib/run.mjs';

/** What must be on the machine, how to ask for it, and what to say when it is not there. */
const PREREQUISITES = [
  {
    name: 'git',
    commands: ['git'],
    remedy: 'install git (Debian: apt-get install git; macOS: xcode-select --install)',
  },
  {
    name: 'CMake',
    commands: ['cmake'],
    remedy: 'install CMake >= 3.19 (Debian: apt-get install cmake; macOS: brew install cmake)',
  },
  {
    name: 'a C++17 compiler',
    commands: [process.env.CXX, 'c++', 'g++', 'clang++', 'cl'].filter(Boolean),
    remedy:
      'install one (Debian: apt-get install g++ make; macOS: xcode-select --install; Windows: Visual Studio Build Tools)',
  },
  {
    name: 'make or ninja',
    commands: process.platform === 'win32' ? [] : ['ninja', 'make'],
    remedy: 'install one (Debian: apt-get install make)',
  },
];

function checkPrerequisites() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) fail(`Node ${process.versions.node} is too old: install Node >= 20`);
  for (const { name, commands, remedy } of PREREQUISITES) {
    const found =
      commands.length === 0 || commands.some(command => !spawnSync(command, ['--version'], { stdio: 'ignore' }).error);
    if (!found) fail(`${name} is missing: ${remedy}`);
  }
}

/** npm packages exactly as the lock file says; again only when it changed. */
function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.instructblip-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('installing npm packages (once) …');
  // No package needs its install script here: sharp and esbuild ship their binaries as packages.
  run(npm.command, [...npm.args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    shell: npm.shell,
  });
  writeFileSync(stamp, lock);
}

function newestChange(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((newest, entry) => Math.max(newest, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs), 0);
}

/** dist/ from src/, when src/ is newer. */
function buildTypeScript() {
  const stamp = join(root, 'build', '.typescript');
  const built = existsSync(stamp) && existsSync(join(root, 'dist', 'index.js'));
  if (built && statSync(stamp).mtimeMs > newestChange(join(root, 'src'))) return;
  console.error('building TypeScript …');
  const [node, tsup] = bin('tsup', 'dist/cli-default.js');
  run(node, [tsup, '--silent']);
  writeFileSync(stamp, '');
}

export async function setup() {
  checkPrerequisites();
  installPackages();
  await buildNative();
  buildTypeScript();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await setup();
