/**
 * All tests: native ones under CTest, TypeScript ones under jest, and the examples' types.
 *   npm test                     everything
 *   npm test -- --native         only the native ones        npm test -- <jest arguments>   only jest, with these arguments
 *   npm test -- --sanitize       the native ones under ASan + UBSan, with the engine built from source (minutes the first time)
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ensureEngineSource, prebuiltEngine } from './lib/engine.mjs';
import { bin, fail, root, run } from './lib/run.mjs';
import { setup } from './setup.mjs';

const args = process.argv.slice(2);

/** Configures and builds one tree with the native tests, and runs them. */
function nativeTests(build, flags, env = {}) {
  const log = { stdio: ['ignore', 'ignore', 2] };
  run('cmake', ['-S', root, '-B', build, '-DINSTRUCTBLIP_TESTS=ON', ...flags], log);
  const parallel = ['--parallel', String(availableParallelism())];
  run('cmake', ['--build', build, ...parallel], log);
  run('ctest', ['--test-dir', build, '--output-on-failure', ...parallel], {
    stdio: ['ignore', 1, 2],
    env: { ...process.env, ...env },
  });
}

function prebuiltTests() {
  const engine = prebuiltEngine();
  const flags = engine
    ? ['-DINSTRUCTBLIP_ENGINE=prebuilt', `-DINSTRUCTBLIP_ENGINE_PREBUILT=${engine}`]
    : ['-DINSTRUCTBLIP_ENGINE=source'];
  nativeTests(join(root, 'build', 'native'), flags);
}

const SANITIZER_OPTIONS = {
  ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
};

/** The native tests and the addon itself, under ASan + UBSan, on an engine that was built from source (minutes the first time). */
function sanitizedTests() {
  ensureEngineSource({ whole: true });
  const build = join(root, 'build', 'sanitize');
  const headers = join(root, 'node_modules', 'node-api-headers', 'include');
  nativeTests(
    build,
    [
      '-DINSTRUCTBLIP_ENGINE=source',
      '-DINSTRUCTBLIP_SANITIZE=address,undefined',
      '-DCMAKE_C_FLAGS_RELEASE=-O1',
      '-DCMAKE_CXX_FLAGS_RELEASE=-O1',
      `-DCMAKE_JS_INC=${headers}`,
    ],
    SANITIZER_OPTIONS,
  );
  sanitizedAddon(join(build, 'Release', 'instructblip.node'));
}

/** Node itself is not instrumented: the runtime must be loaded first, and what V8 leaves allocated at exit is not ours to report. */
function sanitizedAddon(addon) {
  const compiler = process.env.CXX ?? 'c++';
  const runtime = spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout.trim();
  const sanitized = {
    ...SANITIZER_OPTIONS,
    ASAN_OPTIONS: 'detect_leaks=0',
    LD_PRELOAD: runtime,
    INSTRUCTBLIP_ADDON: addon,
  };
  const node = (args, env) =>
    run(process.execPath, args, {
      stdio: ['ignore', 'pipe', 2],
      encoding: 'utf8',
      env: { ...process.env, ...env },
    }).stdout;
  const folder = join(root, 'models', 'demo');
  const image = join(folder, 'scene.png');
  const ask = [join(root, 'dist', 'cli.js'), 'ask', image, 'Describe the picture.'];
  const answer = node(ask, sanitized);
  if (answer !== node(ask, {}))
    fail(`the sanitized source build answers ${JSON.stringify(answer)}, the prebuilt engine otherwise`);
  console.log(`the source engine's addon answers like the prebuilt one: ${answer.trim()}`);

  const cycles = join(root, 'test', 'model', 'processes', 'load-cycles.mjs');
  node(['--expose-gc', cycles, JSON.stringify({ folder, image, cycles: 12 })], sanitized);
  console.log('it loads, answers and is disposed of in flight 12 times without a finding');
}

function jest(extra) {
  const [node, file] = bin('jest', 'bin/jest.js');
  run(node, [file, ...extra], { stdio: ['ignore', 1, 2] });
}

await setup();
if (args[0] === '--sanitize') sanitizedTests();
else if (args[0] === '--native') prebuiltTests();
else if (args.length > 0) jest(args);
else {
  prebuiltTests();
  jest([]);
}
