import { describeBench, median } from '../../src/cli/bench-report.js';
import { runCommandLine } from '../../src/cli/program.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { ScriptedModel } from '../model/support/scripted-model.js';

jest.mock('../../src/model/load.js', () => ({}));
const load = jest.fn();
jest.mock('../../src/index.js', () => ({
  InstructBlip: { load: (...args: unknown[]) => load(...args) },
  demoModelFolder: () => '/package/models/demo',
  LANGUAGE_MODEL_TYPES: [],
  VISION_TYPES: [],
}));

const DELAY = 20;
let model: ScriptedModel;

async function run(...args: string[]) {
  let out = '';
  const stdout = jest.spyOn(process.stdout, 'write').mockImplementation(text => {
    out += String(text);
    return true;
  });
  const stderr = jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    return { code: await runCommandLine(['node', 'instructblip', 'bench', ...args]), out };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

beforeEach(() => {
  process.stdout.removeAllListeners('error');
  model = new ScriptedModel({ answer: () => 'yes', delay: DELAY });
  const parts = { ...model.parts(), prepareImage: async () => Float32Array.of(7) };
  load.mockReset().mockImplementation(async () => new InstructBlip(parts, { sequences: 4 }));
});

describe('bench', () => {
  it('measures answers of the wanted length, though the model would stop earlier, after one to warm up', async () => {
    const { code, out } = await run('--max-new-tokens', '6', '--repeats', '2', '--threads', '3', '--json');
    expect(code).toBe(0);
    const result = JSON.parse(out);
    expect(result).toMatchObject({ generatedTokens: 6, imageTokens: 2, repeats: 2 });
    expect(load).toHaveBeenCalledWith('/package/models/demo', expect.objectContaining({ threads: 3 }));
    // As many again for the second question, of two tokens each.
    expect(model.work.filter(name => name.startsWith('prefill'))).toHaveLength(3 + 3);
    expect(model.work.filter(name => name.startsWith('decode'))).toHaveLength(3 * 5 + 3);
    expect(result.secondQuestion).toBeLessThan(result.firstToken);
    expect(result.eventLoopDelay).toBeGreaterThan(0);
    for (const stage of ['vision', 'qformer', 'prefill', 'decode']) expect(result[stage]).toBeGreaterThan(DELAY * 0.9);
    expect(result.decode).toBeLessThan(2 * DELAY);
    expect(result.scriptShare).toBeGreaterThan(0);
    expect(result.scriptShare).toBeLessThan(1);
    expect(result.firstToken).toBeGreaterThan(3 * DELAY * 0.9);
    expect(result.total).toBeGreaterThan(result.firstToken + 5 * DELAY * 0.9);
    expect(result.peakMemory).toBeGreaterThan(1e6);
    expect(model.disposed).toBe(true);
  });

  it('measures calls at once', async () => {
    const { out } = await run('--max-new-tokens', '3', '--repeats', '1', '--parallel', '2', '--json');
    expect(JSON.parse(out)).toMatchObject({ parallel: 2, parallelTokensPerSecond: expect.any(Number) });
    expect(model.mostSessions).toBe(2);
    expect(load.mock.calls[0][1]).toMatchObject({ maxBatch: 2 });
  });

  it('measures beams', async () => {
    const { out } = await run('--max-new-tokens', '3', '--repeats', '1', '--beams', '4', '--json');
    const numbers = { beamStep: expect.any(Number), beamScriptShare: expect.any(Number) };
    expect(JSON.parse(out)).toMatchObject({ beams: 4, ...numbers });
    expect(load.mock.calls[0][1]).toMatchObject({ maxBatch: 4 });
  });

  it('measures questions in one batch', async () => {
    const { code, out } = await run(
      '--max-new-tokens',
      '3',
      '--repeats',
      '2',
      '--batch',
      '3',
      '--question',
      'Why?',
      '--json',
    );
    expect(code).toBe(0);
    const result = JSON.parse(out);
    expect(result).toMatchObject({ batch: 3 });
    // Three rows take one step.
    expect(result.batchStep).toBeGreaterThan(DELAY * 0.9);
    expect(result.batchStep).toBeLessThan(2 * DELAY);
    expect(load.mock.calls[0][1]).toMatchObject({ maxBatch: 3 });
  });

  it('takes a folder or two files, and prints a table', async () => {
    const { code, out } = await run('--model', '/m', '--repeats', '1', '--max-new-tokens', '2');
    expect([code, load.mock.calls[0][0]]).toEqual([0, '/m']);
    expect(out).toMatch(/^scripted on CPU, medians of 1\n {2}load +[\d.]+ ms\n/);
    await run('--vision', 'a', '--language-model', 'b', '--repeats', '1', '--max-new-tokens', '2');
    expect(load.mock.calls[1][0]).toEqual({ vision: 'a', languageModel: 'b' });
  });

  it.each([
    ['--repeats', '0'],
    ['--max-new-tokens', '1'],
    ['--parallel', '1.5'],
    ['--beams', '1'],
    ['--batch', '1'],
    ['--model', 'a', '--vision', 'b'],
    ['--vision', 'b'],
  ])('refuses %s %s', async (...args) => {
    expect((await run(...args)).code).toBe(2);
    expect(load).not.toHaveBeenCalled();
  });

  it('reports rates from times', () => {
    expect([median([3, 1, 2]), median([4, 1])]).toEqual([2, 2.5]);
    const stages = { load: 1, preprocess: 2, vision: 3, qformer: 4, prefill: 640, decode: 50, total: 6 };
    const times = { ...stages, firstToken: 5, secondQuestion: 2.5, eventLoopDelay: 1.25 };
    const beams = { scriptShare: 0.004, beams: 5, beamStep: 75, beamScriptShare: 0.0123, batch: 8, batchStep: 125 };
    const counts = { imageTokens: 32, promptTokens: 32, generatedTokens: 8, repeats: 3, peakMemory: 2e9 };
    const text = describeBench({ model: 'm', device: 'CPU', ...times, ...beams, ...counts });
    expect(text).toContain('640 ms, 100.0 tokens/s');
    expect(text).toContain('50.0 ms per token, 20.0 tokens/s');
    expect(text).toContain('2.0 GB');
    expect(text).toMatch(/second question, first token +2.50 ms\n/);
    expect(text).toMatch(/event-loop delay \(99 %\) +1.25 ms\n/);
    expect(text).toMatch(/JavaScript’s share of it +0.4 %\n/);
    expect(text).toMatch(/a step of 5 beams +75.0 ms\n +JavaScript’s share of it +1.2 %\n/);
    expect(text).toMatch(/a step of 8 questions in one batch +125 ms\n/);
  });
});
