/**
 * All tests: native ones under CTest, TypeScript ones under jest, and the examples' types.
 *   npm test                     everything
 *   npm test -- --native         only the native ones        npm test -- <jest arguments>   only jest, with these arguments
 *   npm test -- --sanitize       the native ones under ASan + UBSan, with the engine built from source (minutes the first time)
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ensureEngineSource, prebuiltEngine } from './lib/engine.mjs';
import { bin, root, run } from './lib/run.mjs';
import { setup } from './setup.mjs';

const args = process.argv.slice(2);

function nativeTests({ sanitize }) {
  const build = join(root, 'build', sanitize ? 'sanitize' : 'native');
  const engine = sanitize ? null : prebuiltEngine();
  ensureEngineSource();
  const flags = sanitize
    ? ['-DINSTRUCTBLIP_SANITIZE=address,undefined', '-DCMAKE_C_FLAGS_RELEASE=-O1', '-DCMAKE_CXX_FLAGS_RELEASE=-O1']
    : ['-DCMAKE_BUILD_TYPE=Release'];
  const engineFlags = engine
    ? ['-DINSTRUCTBLIP_ENGINE=prebuilt', `-DINSTRUCTBLIP_ENGINE_PREBUILT=${engine}`]
    : ['-DINSTRUCTBLIP_ENGINE=source'];
  run('cmake', ['-S', root, '-B', build, '-DINSTRUCTBLIP_TESTS=ON', ...engineFlags, ...flags], {
    stdio: ['ignore', 'ignore', 2],
  });
  run('cmake', ['--build', build, '--parallel', String(availableParallelism())]);
  run('ctest', ['--test-dir', build, '--output-on-failure'], {
    stdio: ['ignore', 1, 2],
    env: {
      ...process.env,
      ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1',
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
    },
  });
}

function jest(extra) {
  const [node, file] = bin('jest', 'bin/jest.js');
  run(node, [file, ...extra], { stdio: ['ignore', 1, 2] });
}

await setup();
if (args[0] === '--sanitize') nativeTests({ sanitize: true });
else if (args[0] === '--native') nativeTests({ sanitize: false });
else if (args.length > 0) jest(args);
else {
  nativeTests({ sanitize: false });
  jest([]);
}
