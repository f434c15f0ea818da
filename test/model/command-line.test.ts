import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { writeParityCheckpoint } from '../unit/support/parity-checkpoint.js';
import { ParityFiles } from './support/parity.js';
import { SLOW_RECIPE } from './support/slow-model.js';

// The built command line as a process of its own, on a real model.
const CLI = join(process.cwd(), 'dist/cli.js');
const IMAGE = join(process.cwd(), 'test/fixtures/images/baseline.jpg');
const work = mkdtempSync(join(tmpdir(), 'instructblip-command-line-'));
const checkpoint = join(work, 'checkpoint');

let files: ParityFiles;
let model: string;
let languageModel: string;

beforeAll(async () => {
  files = new ParityFiles(SLOW_RECIPE);
  const { folder, languageModelPath } = await files.convert('F16', 'F16');
  [model, languageModel] = [folder, languageModelPath];
  writeParityCheckpoint(checkpoint, SLOW_RECIPE);
});
afterAll(() => {
  files?.dispose();
  rmSync(work, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

const start = (...args: string[]) => spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });

function end(child: ChildProcess): Promise<Ended> {
  let [out, err] = ['', ''];
  child.stdout?.on('data', data => {
    out += data;
  });
  child.stderr?.on('data', data => {
    err += data;
  });
  return new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal, out, err })));
}

const run = (...args: string[]) => end(start(...args));
const ask = ['ask', IMAGE, 'What is this?'];
const onThisModel = () => ['--model', model, '--threads', '1'];

describe('ask', () => {
  it('prints the answer to stdout, and nothing else', async () => {
    const first = await run(...ask, ...onThisModel(), '--max-new-tokens', '12');
    expect(first).toMatchObject({ code: 0, signal: null, err: '' });
    expect(first.out).toMatch(/\S.*\n$/s);
    const json = await run(...ask, ...onThisModel(), '--max-new-tokens', '12', '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      finishReason: 'length',
      usage: { imageTokens: 32, generatedTokens: 12 },
    });
    expect(JSON.parse(json.out).text).toBe(first.out.trim());
  });

  it('samples the same text from the same seed', async () => {
    const sample = ['--temperature', '1.5', '--seed', '3', '--max-new-tokens', '12'];
    const [one, two] = [await run(...ask, ...onThisModel(), ...sample), await run(...ask, ...onThisModel(), ...sample)];
    expect(one).toEqual(two);
    expect(one.code).toBe(0);
  });

  it('a reader that leaves early is no error', async () => {
    const child = start(...ask, ...onThisModel(), '--max-new-tokens', '400', '--min-new-tokens', '400');
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await end(child)).toMatchObject({ code: 0, signal: null, err: '' });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s ends it with 130', async signal => {
    const child = start(...ask, ...onThisModel(), '--max-new-tokens', '450', '--min-new-tokens', '450');
    child.stdout.once('data', () => child.kill(signal));
    expect(await end(child)).toMatchObject({ code: 130, signal: null, err: '' });
  });
});

describe('errors', () => {
  it.each([
    ['no command', [], 2, /Usage/],
    ['an unknown command', ['describe'], 2, /unknown command/],
    ['a missing argument', ['ask', IMAGE], 2, /missing required argument/],
    ['a flag that is no number', [...ask, '--max-new-tokens', 'many'], 2, /max-new-tokens/],
    ['a picture that is not there', ['ask', 'nowhere.png', 'x'], 1, /^IMAGE_NOT_FOUND: .*nowhere\.png[^\n]*\n$/],
    ['no picture at all', ['ask', CLI, 'x'], 1, /^IMAGE_FORMAT_UNSUPPORTED: [^\n]*\n$/],
    ['a folder that is not there', [...ask, '--model', '/nowhere'], 1, /^MODEL_NOT_FOUND: .*\/nowhere[^\n]*\n$/],
    ['a value out of range', [...ask, '--temperature', '-1'], 1, /^OPTION_INVALID: .*temperature[^\n]*\n$/],
    ['more beams than there can be', [...ask, '--beams', '65'], 1, /^OPTION_INVALID: --beams[^\n]*\n$/],
    ['a device that is not there', [...ask, '--device', 'CUDA9'], 1, /^DEVICE_NOT_FOUND: [^\n]*\n$/],
    [
      'a question without end',
      ['ask', IMAGE, '\n'.repeat(100_000)],
      1,
      /^CONTEXT_LENGTH_EXCEEDED: the question alone[^\n]*\n$/,
    ],
    ['something else than GGUF', ['inspect', CLI], 1, /^MODEL_FILE_NOT_GGUF: [^\n]*\n$/],
    ['no checkpoint', ['convert', '/nowhere', join(work, 'x')], 1, /^CHECKPOINT_NOT_FOUND: [^\n]*\n$/],
  ] as const)('%s', async (_name, args, code, message) => {
    const given = [...args] as string[];
    const needsModel = given[0] === 'ask' && given.length > 2 && !given.includes('--model');
    const ended = await run(...given, ...(needsModel ? onThisModel() : []));
    expect(ended).toMatchObject({ code, signal: null, out: '' });
    expect(ended.err).toMatch(message);
  });

  it('--debug adds the stack', async () => {
    const { code, err } = await run('--debug', 'inspect', '/nowhere');
    expect(code).toBe(1);
    expect(err).toMatch(/^MODEL_NOT_FOUND: .*\n[\s\S]*\n\s+at /);
  });
});

describe('files', () => {
  it('convert, inspect, quantize, ask', async () => {
    const out = join(work, 'converted');
    const types = ['--language-model-type', 'Q8_0', '--vision-type', 'F16'];
    expect(await run('convert', checkpoint, out, ...types)).toMatchObject({ code: 0 });
    const inspected = await run('inspect', out, '--json');
    expect(JSON.parse(inspected.out)).toMatchObject({ runnable: true, problem: null });
    expect((await run('inspect', out)).out).toMatch(/llama/);
    expect((await run('ask', IMAGE, 'What is this?', '--model', out, '--max-new-tokens', '4')).code).toBe(0);

    const again = await run('convert', checkpoint, out, ...types);
    expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/^OUTPUT_EXISTS: /) });
    expect(await run('convert', checkpoint, out, ...types, '--force')).toMatchObject({ code: 0 });

    const small = join(work, 'small.gguf');
    expect(await run('quantize', languageModel, small, '--type', 'Q4_0')).toMatchObject({ code: 0 });
    expect(statSync(small).size).toBeLessThan(statSync(languageModel).size / 2);
  });

  it('Ctrl-C during a conversion leaves nothing behind', async () => {
    const out = join(work, 'interrupted');
    const child = start('convert', checkpoint, out, '--language-model-type', 'Q4_K_M');
    const ended = end(child);
    // The temporary file tells that it is at work.
    const temporary = () => existsSync(out) && readdirSync(out).length > 0;
    while (!temporary() && child.exitCode === null) await new Promise(resolve => setTimeout(resolve, 1));
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, signal: null });
    expect(readdirSync(work).map(name => basename(name))).not.toContain('interrupted');
  });
});
