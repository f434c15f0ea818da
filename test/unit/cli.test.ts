import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommandLine } from '../../src/cli/program.js';
import { createError } from '../../src/errors.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { type Script, ScriptedModel } from '../model/support/scripted-model.js';

jest.mock('../../src/model/load.js', () => ({}));
// The command line over a scripted model: what it passes on, prints and exits with. The real thing is run in test/model.
const library = { load: jest.fn(), inspectModel: jest.fn(), convert: jest.fn(), quantize: jest.fn() };
jest.mock('../../src/index.js', () => ({
  InstructBlip: { load: (...args: unknown[]) => library.load(...args) },
  inspectModel: (...args: unknown[]) => library.inspectModel(...args),
  convert: (...args: unknown[]) => library.convert(...args),
  quantize: (...args: unknown[]) => library.quantize(...args),
  demoModelFolder: () => '/package/models/demo',
  LANGUAGE_MODEL_TYPES: ['F16', 'Q8_0'],
  VISION_TYPES: ['F16'],
}));

let model: ScriptedModel;
function script(given: Script) {
  model = new ScriptedModel(given);
  // The command line gives paths; the scripted processor wants a number.
  const parts = { ...model.parts(), prepareImage: async () => Float32Array.of(7) };
  library.load.mockImplementation(async () => new InstructBlip(parts, { sequences: 2 }));
}

/** Runs with both outputs caught. */
async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const stdout = jest.spyOn(process.stdout, 'write').mockImplementation(text => out.push(String(text)) > 0);
  const stderr = jest.spyOn(process.stderr, 'write').mockImplementation(text => err.push(String(text)) > 0);
  try {
    const code = await runCommandLine(['node', 'instructblip', ...args]);
    return { code, out: out.join(''), err: err.join(''), pieces: out };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

beforeEach(() => {
  for (const mock of Object.values(library)) mock.mockReset();
  script({ answer: () => ' yes, it is' });
  process.stdout.removeAllListeners('error');
});

describe('ask', () => {
  it('streams the answer to stdout and nothing else, and frees the model', async () => {
    const { code, out, err, pieces } = await run('ask', 'x.png', 'is it?');
    expect([code, out, err]).toEqual([0, 'yes, it is\n', '']);
    expect(pieces.length).toBeGreaterThan(5);
    expect(model.disposed).toBe(true);
    expect(library.load.mock.calls[0][0]).toBe('/package/models/demo');
  });

  it('--json prints one object', async () => {
    const { code, out, pieces } = await run('ask', 'x.png', 'is it?', '--json');
    expect(code).toBe(0);
    expect(pieces).toHaveLength(1);
    expect(JSON.parse(out)).toMatchObject({ text: 'yes, it is', finishReason: 'stop', usage: { imageTokens: 2 } });
  });

  it('flags reach load and ask', async () => {
    const loadFlags = [
      '--model',
      '/m',
      '--device',
      'cpu',
      '--gpu-layers',
      '3',
      '--threads',
      '2',
      '--context-size',
      '64',
    ];
    const ask = jest.spyOn(InstructBlip.prototype, 'ask');
    const askFlags = [
      '--max-new-tokens',
      '4',
      '--min-new-tokens',
      '1',
      '--temperature',
      '0.5',
      '--top-k',
      '5',
      '--top-p',
      '0.9',
    ];
    const more = [
      '--min-p',
      '0.1',
      '--repetition-penalty',
      '1.5',
      '--seed',
      '7',
      '--stop',
      'a',
      '--stop',
      'b',
      '--compat',
      'hf-4.34',
    ];
    const { code } = await run('ask', 'x.png', 'q', ...loadFlags, '--kv-cache-type', 'q8_0', ...askFlags, ...more);
    expect(code).toBe(0);
    const [folder, options] = library.load.mock.calls[0];
    expect(folder).toBe('/m');
    expect(options).toMatchObject({ device: 'cpu', gpuLayers: 3, threads: 2, contextSize: 64, kvCacheType: 'q8_0' });
    expect(ask.mock.calls[0]?.slice(0, 2)).toEqual(['x.png', 'q']);
    expect(ask.mock.calls[0]?.[2]).toMatchObject({
      maxNewTokens: 4,
      minNewTokens: 1,
      temperature: 0.5,
      topK: 5,
      topP: 0.9,
      minP: 0.1,
      repetitionPenalty: 1.5,
      seed: 7,
      stopStrings: ['a', 'b'],
      compat: 'hf-4.34',
    });
    ask.mockRestore();
  });

  it.each(['hf-4.34', 'hf-5', 'lavis'])('--compat %s', async compat => {
    const ask = jest.spyOn(InstructBlip.prototype, 'ask');
    const { code } = await run('ask', 'x.png', 'q', '--beams', '1', '--compat', compat);
    // The scripted model has no image id.
    expect(code).toBe(compat === 'hf-5' ? 1 : 0);
    expect(ask.mock.calls[0]?.[2]).toMatchObject({ compat });
    ask.mockRestore();
  });

  it('--choice, --grammar and --json-schema say what the answer may be', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'instructblip-cli-'));
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    try {
      const grammar = file('a.gbnf', 'root ::= "no" | "no,"');
      const schema = file('a.json', '{ "enum": ["no", 5] }');
      const ask = (...flags: string[]) => run('ask', 'x.png', 'is it?', ...flags);
      expect((await ask('--choice', 'never', '--choice', 'a, b')).out).toMatch(/^(never|a, b)\n$/);
      expect((await ask('--grammar', grammar, '--beams', '2')).out).toMatch(/^no,?\n$/);
      expect((await ask('--json-schema', schema)).out).toMatch(/^("no"|5)\n$/);
      expect(await ask('--grammar', schema)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^OPTION_INVALID: grammar, line 1, column 1: expected a rule name/),
      });
      expect(await ask('--grammar', join(folder, 'none'))).toMatchObject({ code: 2, out: '' });
      expect(await ask('--json-schema', grammar)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/It is no JSON/),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('--timings goes to stderr', async () => {
    const { out, err } = await run('ask', 'x.png', 'q', '--timings');
    expect(out).toBe('yes, it is\n');
    expect(err).toMatch(/^2 \+ 2 tokens in, 12 out; preprocess \d+ ms, .*total \d+ ms\n$/);
  });

  it('--beams searches with beams, as far as the library can', async () => {
    expect(await run('ask', 'x.png', 'q', '--beams', '2')).toMatchObject({
      code: 0,
      out: (await run('ask', 'x.png', 'q')).out,
    });
    const { code, out, err } = await run('ask', 'x.png', 'q', '--beams', '65');
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^OPTION_INVALID: --beams must be .*65\n$/);
    expect(model.disposed).toBe(true);
  });

  it('loads for as many beams as are wanted', async () => {
    await run('ask', 'x.png', 'q', '--beams', '20');
    expect(library.load.mock.calls[0][1]).toMatchObject({ maxBatch: 20 });
  });

  it('takes two files in place of a folder', async () => {
    expect((await run('ask', 'x.png', 'q', '--vision', 'v', '--language-model', 'l')).code).toBe(0);
    expect(library.load.mock.calls[0][0]).toEqual({ vision: 'v', languageModel: 'l' });
  });

  it.each<[string[], RegExp]>([
    [['--max-new-tokens', '0'], /^OPTION_INVALID: --max-new-tokens must be an integer of at least 1, but is 0\n$/],
    [
      ['--max-new-tokens', '9000'],
      /^CONTEXT_LENGTH_EXCEEDED: .* shorten the question or --max-new-tokens, .*larger --context-size\n$/,
    ],
    [['--max-new-tokens', '3', '--min-new-tokens', '4'], /^OPTION_INVALID: --min-new-tokens = 4 is more than/],
    [['--temperature', '0'], /^OPTION_INVALID: --temperature must be a number above 0/],
    [['--top-k', '1.5'], /^OPTION_INVALID: --top-k must be/],
    [['--top-p', '2'], /^OPTION_INVALID: --top-p must be/],
    [['--min-p', '-1'], /^OPTION_INVALID: --min-p must be/],
    [['--repetition-penalty', '0'], /^OPTION_INVALID: --repetition-penalty must be/],
    [['--seed', '-1'], /^OPTION_INVALID: --seed must be/],
    [['--stop', ''], /^OPTION_INVALID: --stop must be/],
  ])('names the flag that is wrong: %j', async (flags, message) => {
    const { code, out, err } = await run('ask', 'x.png', 'q', ...flags);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(message);
  });

  it.each([
    [
      'MODEL_FOLDER_AMBIGUOUS',
      'm has more. Name the two files: { vision, languageModel }',
      'm has more. Name the two files: --vision and --language-model',
    ],
    ['OPTION_INVALID', "gpuLayers must be x, but is 'gpuLayers'", "--gpu-layers must be x, but is 'gpuLayers'"],
    ['DEVICE_FAILED', 'the device failed', 'the device failed'],
  ] as const)('says what to do in its own terms: %s', async (code, message, expected) => {
    library.load.mockRejectedValue(createError(code, message));
    expect((await run('ask', 'x.png', 'q')).err).toBe(`${code}: ${expected}\n`);
  });

  it('a first Ctrl-C stops cleanly with 130', async () => {
    script({ answer: () => 'a'.repeat(60), onWork: name => name === 'decode' && process.emit('SIGINT') });
    const { code, err } = await run('ask', 'x.png', 'q');
    expect([code, err]).toEqual([130, '']);
    expect(model.openSessions).toBe(0);
    expect(model.disposed).toBe(true);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it('waits for a slow reader of stdout', async () => {
    let full = true;
    script({
      answer: () => 'abc',
      onWork: name => {
        // Nothing may be decoded while the pipe is full.
        if (name === 'decode' && full) throw new Error('ran ahead');
      },
    });
    const stdout = jest.spyOn(process.stdout, 'write').mockImplementation(() => {
      if (!full) return true;
      setTimeout(() => {
        full = false;
        process.stdout.emit('drain');
      }, 10);
      return false;
    });
    const code = await runCommandLine(['node', 'instructblip', 'ask', 'x.png', 'q']);
    stdout.mockRestore();
    expect(code).toBe(0);
    expect(process.stdout.listenerCount('drain')).toBe(0);
  });

  it('a reader that goes away is no error: the work stops, the code is 0', async () => {
    const gone = Object.assign(new Error('EPIPE'), { code: 'EPIPE' });
    let decoded = 0;
    script({
      answer: () => 'a'.repeat(60),
      onWork: name => {
        if (name === 'decode' && ++decoded === 2) process.stdout.emit('error', gone);
      },
    });
    const { code, err } = await run('ask', 'x.png', 'q');
    expect([code, err]).toEqual([0, '']);
    expect(decoded).toBeLessThan(5);
    expect(model.disposed).toBe(true);
  });
});

describe('exit codes', () => {
  it.each([
    [[]],
    [['frobnicate']],
    [['ask']],
    [['ask', 'x.png']],
    [['ask', 'x.png', 'q', '--nonsense']],
    [['ask', 'x.png', 'q', '--vision', 'v']],
    [['ask', 'x.png', 'q', '--language-model', 'l']],
    [['ask', 'x.png', 'q', '--model', 'm', '--vision', 'v', '--language-model', 'l']],
    [['ask', 'x.png', 'q', '--temperature', 'hot']],
    [['ask', 'x.png', 'q', '--max-new-tokens', '']],
    [['ask', 'x.png', 'q', '--kv-cache-type', 'q2']],
    [['convert', 'a', 'b', '--vision-type', 'Q9']],
    [['quantize', 'a', 'b']],
  ])('%j is a usage error: 2, with a word on stderr', async args => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).not.toBe('');
    expect(library.load).not.toHaveBeenCalled();
  });

  it('--version is none, and prints the version only', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await run('--version')).toMatchObject({ code: 0, out: `${version}\n`, err: '' });
  });

  it('--help is none', async () => {
    for (const args of [['--help'], ['ask', '--help']]) {
      const { code, out } = await run(...args);
      expect(code).toBe(0);
      expect(out).toMatch(/Usage: instructblip/);
    }
  });

  it('anything else is 1, one line that starts with the code; --debug adds the stack', async () => {
    library.load.mockRejectedValue(createError('MODEL_NOT_FOUND', 'no model\n  in it'));
    expect(await run('ask', 'x.png', 'q')).toMatchObject({
      code: 1,
      out: '',
      err: 'MODEL_NOT_FOUND: no model in it\n',
    });
    for (const args of [
      ['--debug', 'ask', 'x.png', 'q'],
      ['ask', 'x.png', 'q', '--debug'],
    ]) {
      expect((await run(...args)).err).toMatch(/^MODEL_NOT_FOUND: .*\n(?:.*\n)*\s+at /);
    }
    library.load.mockRejectedValue(new TypeError('bug'));
    expect((await run('ask', 'x.png', 'q')).err).toBe('INTERNAL: bug\n');
  });
});

describe('inspect', () => {
  const inspection = {
    files: [
      {
        path: '/m/x.gguf',
        role: 'language-model',
        size: 1500,
        metadata: { 'general.architecture': 'llama', 'tokenizer.ggml.tokens': { length: 32000 }, list: [1, 2] },
        tensors: [
          { name: 'a', type: 'f16', shape: [2, 3], byteLength: 12 },
          { name: 'b', type: 'f32', shape: [2], byteLength: 8 },
        ],
        parameters: 2_500_000,
      },
    ],
    runnable: false,
    problem: { code: 'MODEL_PAIR_MISMATCH', message: 'sizes differ' },
  };

  it('shows files, types, metadata and the verdict', async () => {
    library.inspectModel.mockResolvedValue(inspection);
    const { code, out } = await run('inspect', '/m');
    expect(code).toBe(0);
    expect(library.inspectModel).toHaveBeenCalledWith('/m');
    expect(out.split('\n')).toEqual([
      '/m/x.gguf: language-model, 1.5 KB, 2.5 million parameters',
      '  2 tensors: 1 x f16, 1 x f32',
      '  general.architecture = llama',
      '  tokenizer.ggml.tokens = 32000 values',
      '  list = [1, 2]',
      '',
      'cannot run: MODEL_PAIR_MISMATCH: sizes differ',
      '',
    ]);
  });

  it('--json prints it as it is', async () => {
    library.inspectModel.mockResolvedValue(inspection);
    expect(JSON.parse((await run('inspect', '/m', '--json')).out)).toEqual(inspection);
  });
});
