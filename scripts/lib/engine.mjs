/**
 * Where the engine (llama.cpp) comes from: built libraries from the installed `@node-llama-cpp/<platform>` package, headers and source from the
 * git bundle inside the `node-llama-cpp` package. That package itself is not a dependency (it would bring 30 packages and all GPU builds):
 * only its tarball is fetched, once, through npm, and checked against a pinned hash.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { npm, root, run } from './run.mjs';

export const ENGINE_VERSION = '3.22.1';
const TARBALL_SHA512 = 'bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==';
export const engineSource = join(root, '.engine', `llama.cpp-${ENGINE_VERSION}`);
/** The headers alone, as the published package carries them (scripts/prepack.mjs): a user's install compiles without fetching the source. */
export const engineHeaders = join(root, 'native', 'engine');

/** The engine's platform package for this machine, as node-llama-cpp names it. */
export function platformPackage(platform = process.platform, arch = process.arch) {
  if (platform === 'darwin') return arch === 'arm64' ? 'mac-arm64-metal' : 'mac-x64';
  return `${platform === 'win32' ? 'win' : platform}-${arch}`;
}

/** Folder with the built engine libraries, or null when the platform package is not installed. */
export function prebuiltEngine(name = platformPackage()) {
  try {
    const entry = createRequire(join(root, 'package.json')).resolve(`@node-llama-cpp/${name}`);
    const directory = join(dirname(dirname(entry)), 'bins', name);
    return existsSync(directory) ? directory : null;
  } catch {
    return null;
  }
}

/** Makes sure that headers are there, and returns their folder; with `whole`, the whole source tree. */
export function ensureEngineSource({ whole = false } = {}) {
  if (!whole && existsSync(join(engineHeaders, 'include', 'llama.h'))) return engineHeaders;
  if (existsSync(join(engineSource, 'include', 'llama.h'))) return engineSource;
  const parent = join(root, '.engine');
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, 'fetch-'));
  try {
    console.error('fetching the engine source (llama.cpp, 35 MB, once) …');
    execFileSync(
      npm.command,
      [...npm.args, 'pack', '--silent', '--pack-destination', work, `node-llama-cpp@${ENGINE_VERSION}`],
      {
        cwd: work,
        stdio: ['ignore', 'ignore', 'inherit'],
        shell: npm.shell,
      },
    );
    const tarball = join(work, `node-llama-cpp-${ENGINE_VERSION}.tgz`);
    const hash = createHash('sha512').update(readFileSync(tarball)).digest('base64');
    if (hash !== TARBALL_SHA512) throw new Error(`node-llama-cpp-${ENGINE_VERSION}.tgz has an unexpected hash ${hash}`);
    run('tar', ['-xzf', tarball, '-C', work, 'package/llama']);
    const checkout = join(work, 'source');
    run('git', [
      'clone',
      '--quiet',
      '-c',
      'advice.detachedHead=false',
      join(work, 'package', 'llama', 'gitRelease.bundle'),
      checkout,
    ]);
    renameSync(checkout, engineSource);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return engineSource;
}
