import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ParityFiles } from './support/parity.js';
import { SLOW_RECIPE } from './support/slow-model.js';

// Whole processes and workers, with the built package: how they end is what is tested.
const SCRIPTS = join(process.cwd(), 'test/model/processes');
const ASK = join(SCRIPTS, 'ask-forever.mjs');
const image = join(process.cwd(), 'test/fixtures/images/baseline.jpg');

let files: ParityFiles;
let folder: string;

beforeAll(async () => {
  files = new ParityFiles(SLOW_RECIPE);
  ({ folder } = await files.convert('F16', 'F16'));
});
afterAll(() => files?.dispose());

function run(script: string, data: object, flags: string[] = []): SpawnSyncReturns<string> {
  const argument = JSON.stringify({ folder, image, ...data });
  return spawnSync(process.execPath, [...flags, script, argument], { encoding: 'utf8', timeout: 110_000 });
}

describe('a process', () => {
  it('ends by itself once the work is done, disposed of or not', () => {
    for (const disposeAtEnd of [true, false]) {
      const { status, signal, stdout, stderr } = run(ASK, { rounds: 1, disposeAtEnd });
      expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
      expect(stdout.trim()).not.toBe('');
    }
  });

  it('may exit at any moment, with work in flight', () => {
    // Without the shut-down at exit, half of these die of SIGSEGV.
    const moments = [...Array.from({ length: 20 }, (_, i) => 3 * i), 150, 300];
    for (const exitAfter of moments) {
      const { status, signal, stderr } = run(ASK, { exitAfter });
      expect({ exitAfter, status, signal, stderr }).toEqual({ exitAfter, status: 7, signal: null, stderr: '' });
    }
  });

  it('may exit while its workers work', () => {
    for (const exitAfter of [150, 250, 350, 450, 550]) {
      const { status, signal, stderr } = run(join(SCRIPTS, 'exit-with-workers.mjs'), { exitAfter });
      expect({ exitAfter, status, signal, stderr }).toEqual({ exitAfter, status: 7, signal: null, stderr: '' });
    }
  });

  it('does not grow over 200 loads', () => {
    const { status, stdout, stderr } = run(join(SCRIPTS, 'load-cycles.mjs'), { cycles: 200 }, ['--expose-gc']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { settled, end } = JSON.parse(stdout) as { settled: number; end: number };
    // Over 700 loads it moves between 140 and 180 MB. A vocabulary that stays would be 3 MB each time, 480 in all; a model ten times that.
    expect((end - settled) / 2 ** 20).toBeLessThan(100);
  }, 240_000);
});

describe('workers', () => {
  const start = (data: object = {}) => new Worker(ASK, { workerData: { folder, image, ...data } });
  const firstMessage = (worker: Worker) =>
    new Promise<string>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });

  it('answer like the main thread', async () => {
    const [one, two] = [start({ rounds: 1, disposeAtEnd: true }), start({ rounds: 1 })];
    const answers = await Promise.all([firstMessage(one), firstMessage(two)]);
    expect(answers[0]).toBe(answers[1]);
    expect(answers[0]).toBe(run(ASK, { rounds: 1 }).stdout.trim());
  });

  it('can be terminated in whatever they do', async () => {
    for (let i = 0; i < 12; i++) {
      const worker = start();
      worker.on('error', error => {
        throw error;
      });
      if (i % 2) await firstMessage(worker);
      await new Promise(resolve => setTimeout(resolve, i * 12));
      await worker.terminate();
    }
    expect(await firstMessage(start({ rounds: 1 }))).not.toBe('');
  });
});
