/**
 * The NEON kernels on a machine that is not ARM: cross-compiled, with their test run under qemu (half a minute).
 * It shows that they are correct, not how fast they are. On ARM `npm test` runs the same test.
 *   node scripts/test-neon.mjs             fails where a tool is missing, and says how to get it
 *   node scripts/test-neon.mjs --sanitize  under ASan + UBSan (three minutes, which CI does not spend)
 *   node scripts/test-neon.mjs --install   for CI: as root installs what is missing; where that is impossible, says so and ends well
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ensureEngineSource, platformPackage, prebuiltEngine } from './lib/engine.mjs';
import { fail, root, run } from './lib/run.mjs';

const COMPILER = 'aarch64-linux-gnu-g++';
const EMULATOR = 'qemu-aarch64-static';
const LIBRARIES = '/usr/aarch64-linux-gnu';
const APT = ['install', '--yes', '--quiet', '--no-install-recommends', 'g++-aarch64-linux-gnu', 'qemu-user-static'];

const missingTools = () =>
  [COMPILER, EMULATOR].filter(tool => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error);

const mayInstall = process.argv[2] === '--install';

/** Ends the script: well in CI, which goes on without these tests. */
function giveUp(reason) {
  if (!mayInstall) fail(reason);
  console.log(`NEON was NOT tested: ${reason}`);
  process.exit(0);
}

function requireTools() {
  const problem = () => `missing: ${missingTools().join(', ')}. On Debian, as root: apt-get ${APT.join(' ')}`;
  if (missingTools().length === 0) return;
  if (!mayInstall || process.getuid?.() !== 0) giveUp(problem());
  for (const args of [['update', '--quiet'], APT]) spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 2] });
  if (missingTools().length > 0) giveUp(`${problem()} (tried in vain)`);
}

/** Builds the test for ARM and returns its path. */
function build(sanitize) {
  const engine = prebuiltEngine(platformPackage('linux', 'arm64'));
  if (!engine) giveUp('@node-llama-cpp/linux-arm64 is not installed (npm ci does that on Linux)');
  const folder = join(root, 'build', sanitize ? 'neon-sanitize' : 'neon');
  const flags = {
    CMAKE_SYSTEM_NAME: 'Linux',
    CMAKE_SYSTEM_PROCESSOR: 'aarch64',
    CMAKE_C_COMPILER: COMPILER.replace('g++', 'gcc'),
    CMAKE_CXX_COMPILER: COMPILER,
    INSTRUCTBLIP_ENGINE_SOURCE: ensureEngineSource(),
    INSTRUCTBLIP_ENGINE_PREBUILT: engine,
    INSTRUCTBLIP_SANITIZE: sanitize,
    INSTRUCTBLIP_TESTS: 'ON',
  };
  const log = { stdio: ['ignore', 'ignore', 2] };
  const settings = Object.entries(flags).map(([name, value]) => `-D${name}=${value}`);
  run('cmake', ['-S', root, '-B', folder, ...settings], log);
  const parallel = String(availableParallelism());
  run('cmake', ['--build', folder, '--parallel', parallel, '--target', 'matrix-product-test'], log);
  return join(folder, 'matrix-product-test');
}

/** Runs the test on an emulated CPU, and makes sure of the kernels that it ran. */
function test(program, cpu, expected) {
  const output = run(EMULATOR, ['-cpu', cpu, '-L', LIBRARIES, program], {
    stdio: ['ignore', 'pipe', 2],
    encoding: 'utf8',
    env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' },
  }).stdout;
  const used = [...new Set(output.match(/^\w+(?= \w+: off by)/gm))].join(', ');
  if (used !== expected) fail(`on a ${cpu} the test ran ${used}, not ${expected}:\n${output}`);
  console.log(`${cpu} under qemu: kernels ${used}: ${output.match(/.* checks.*/)[0]}`);
}

if (process.arch === 'arm64') {
  console.log('this CPU runs NEON itself: `npm test` tests it');
  process.exit(0);
}
requireTools();
if (process.argv[2] === '--sanitize') {
  test(build('address,undefined'), 'max', 'i8mm, neon, portable');
  process.exit(0);
}
const program = build('');
test(program, 'cortex-a53', 'portable');
test(program, 'neoverse-n1', 'neon, portable');
test(program, 'max', 'i8mm, neon, portable');
