/**
 * Builds the addon with cmake-js. Does nothing when neither a source nor a setting changed.
 *   node scripts/build-native.mjs                     build/Release/instructblip.node, linked with the built engine of @node-llama-cpp/<platform>
 *   node scripts/build-native.mjs --engine source     build/source/Release/instructblip.node with an engine built from the bundle (minutes the
 *                                                     first time); used through INSTRUCTBLIP_ADDON=<that path>
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ENGINE_VERSION, ensureEngineSource, prebuiltEngine } from './lib/engine.mjs';
import { bin, fail, root, run } from './lib/run.mjs';

/** CMake settings for `engine`; falls back to the source where the platform has no usable built engine. Fetches what the build needs. */
function engineSettings(engine) {
  const { out, defines } = chooseEngine(engine);
  const source = ensureEngineSource({ whole: defines.INSTRUCTBLIP_ENGINE === 'source' });
  return { out, defines: { ...defines, INSTRUCTBLIP_ENGINE_SOURCE: source } };
}

function chooseEngine(engine) {
  const prebuilt = engine === 'source' ? null : prebuiltEngine();
  if (prebuilt && process.platform !== 'win32') {
    return {
      out: join(root, 'build'),
      defines: { INSTRUCTBLIP_ENGINE: 'prebuilt', INSTRUCTBLIP_ENGINE_PREBUILT: prebuilt },
    };
  }
  if (engine !== 'source')
    console.error('no built engine for this platform: building it from source (minutes, once) …');
  return { out: join(root, 'build', engine === 'source' ? 'source' : ''), defines: { INSTRUCTBLIP_ENGINE: 'source' } };
}

function sourceFiles() {
  const native = ['core', 'binding'].flatMap(folder =>
    readdirSync(join(root, 'native', folder), { recursive: true }).map(name => join('native', folder, name)),
  );
  // The published package has no lock file.
  const versions = ['package-lock.json', 'package.json'].find(name => existsSync(join(root, name)));
  return ['CMakeLists.txt', versions, ...native].sort();
}

/** One line that changes whenever the result could: settings, file names, sizes and times. */
function signature(defines) {
  const hash = createHash('sha256').update(JSON.stringify([ENGINE_VERSION, process.arch, defines]));
  for (const file of sourceFiles()) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\0`);
  }
  return hash.digest('hex');
}

function cmakeJs(command, out, defines) {
  const [node, file] = bin('cmake-js', 'bin/cmake-js');
  const settings = Object.entries(defines).map(([key, value]) => `--CD${key}=${value}`);
  run(node, [file, command, '--out', out, '--parallel', String(availableParallelism()), ...settings], {
    // A build is read only when it failed.
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
    onFailure: result => process.stderr.write(Buffer.concat([result.stdout, result.stderr])),
  });
}

/** Only one build at a time in a folder: CMake does not guard itself. */
async function withLock(out, work) {
  mkdirSync(out, { recursive: true });
  const lock = join(out, '.building');
  const take = () => {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return true;
    } catch {
      return false;
    }
  };
  while (!take()) {
    const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
    if (owner && !isRunning(owner)) rmSync(lock, { force: true });
    await new Promise(resolve => setTimeout(resolve, 200));
  }
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  try {
    return work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Builds the addon and returns its path. */
export async function buildNative({ engine = 'prebuilt' } = {}) {
  if (!['prebuilt', 'source'].includes(engine)) fail(`--engine is prebuilt or source, not ${engine}`);
  const { out, defines } = engineSettings(engine);
  return withLock(out, () => {
    const addon = join(out, 'Release', 'instructblip.node');
    const stamp = join(out, 'Release', '.built');
    const wanted = signature(defines);
    if (existsSync(addon) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return addon;
    console.error('building the addon …');
    rmSync(stamp, { force: true });
    cmakeJs('build', out, defines);
    if (!existsSync(addon)) fail(`the build ended without ${addon}`);
    writeFileSync(stamp, wanted);
    return addon;
  });
}

/** A build folder with compile_commands.json for clang-tidy: the addon and the native tests. */
export async function configureForTidy(out) {
  const { defines } = engineSettings('prebuilt');
  cmakeJs('configure', out, { ...defines, INSTRUCTBLIP_TESTS: 'ON' });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [flag, value] = process.argv.slice(2);
  if (flag !== undefined && flag !== '--engine')
    fail('usage: node scripts/build-native.mjs [--engine prebuilt|source]');
  console.error(await buildNative({ engine: value ?? 'prebuilt' }));
}
