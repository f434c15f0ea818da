import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../src/convert/convert.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import type { EngineLogLine } from '../../src/model/load-options.js';
import type { NativeModel } from '../../src/native/addon.js';
import { loadAddon } from '../../src/native/load-addon.js';
import { makeCheckpoint } from '../unit/support/checkpoint.js';

const work = mkdtempSync(join(tmpdir(), 'instructblip-engine-'));
const model = join(work, 'model');
const dist = join(process.cwd(), 'dist/index.js');

beforeAll(async () => {
  const checkpoint = makeCheckpoint();
  await convert(checkpoint, model, { name: 'tiny', languageModelType: 'F32', visionType: 'F32' });
  rmSync(checkpoint, { recursive: true });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Loads the model in a process of its own and prints the error's code, or `loaded`. */
function loadElsewhere(env: Record<string, string>) {
  const script = `
    import(${JSON.stringify(dist)})
      .then(({ InstructBlip }) => InstructBlip.load(${JSON.stringify(model)}))
      .then(blip => blip.dispose())
      .then(() => console.log('loaded'), error => console.log(error.constructor.name, error.code, error.message));`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, signal, stdout: stdout.trim(), stderr };
}

describe('engine', () => {
  it('comes from where the addon was linked, with a CPU variant and its features', () => {
    const { addon, engine } = loadAddon();
    expect(engine.directory).toBe(addon.linkedDirectory);
    expect(engine.devices.some(({ type }) => type === 'cpu')).toBe(true);
    expect(engine.cpuFeatures).toMatch(/ = 1/);
  });

  it('says nothing by default, and what INSTRUCTBLIP_LOG asks for', () => {
    expect(loadElsewhere({})).toEqual({ status: 0, signal: null, stdout: 'loaded', stderr: '' });
    const { stdout, stderr } = loadElsewhere({ INSTRUCTBLIP_LOG: 'info' });
    expect(stdout).toBe('loaded');
    expect(stderr).toMatch(/llama_context/);
  });

  it('gives its log lines to onLog', async () => {
    const lines: EngineLogLine[] = [];
    const blip = await InstructBlip.load(model, { onLog: line => lines.push(line) });
    await blip.dispose();
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.some(({ level, text }) => level === 'info' && text.includes('n_ctx'))).toBe(true);
  });

  it('frees a model whose loading is aborted when all is loaded', async () => {
    const { addon } = loadAddon();
    const controller = new AbortController();
    const reason = new Error('at the last moment');
    const models: NativeModel[] = [];
    const real = addon.loadModel;
    jest.spyOn(addon, 'loadModel').mockImplementation(async (...args) => {
      const loaded = await real(...args);
      models.push(loaded);
      controller.abort(reason);
      return loaded;
    });
    await expect(InstructBlip.load(model, { signal: controller.signal })).rejects.toBe(reason);
    jest.restoreAllMocks();
    expect(models).toHaveLength(1);
    expect(() => models[0]?.tokenBytes(0, false)).toThrow(/disposed/);
  });

  it('names the devices that there are when one is not', async () => {
    await expect(InstructBlip.load(model, { device: 'CUDA9' })).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      message: expect.stringContaining('CPU'),
    });
    const blip = await InstructBlip.load(model, { device: 'cpu' });
    expect(blip.info.device).toBe('CPU');
    await blip.dispose();
  });

  it('refuses a cache that memory cannot hold', async () => {
    await expect(InstructBlip.load(model, { contextSize: 2 ** 24, kvCacheType: 'f32' })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
  });
});

// The dynamic linker reuses a library of the same name that is there already: on Linux LD_PRELOAD puts one there.
(process.platform === 'linux' ? describe : describe.skip)('a foreign copy of the engine', () => {
  it('of another build is a DeviceError that says what to do', () => {
    const foreign = join(work, 'foreign');
    cpSync(loadAddon().addon.linkedDirectory, foreign, { recursive: true });
    const libraries = readdirSync(foreign)
      .filter(name => /^lib(llama|ggml|ggml-base)(\.|-).*so$|^lib(llama|ggml|ggml-base)\.so$/.test(name))
      .filter(name => !name.includes('-cpu'))
      .map(name => join(foreign, name));
    const { status, signal, stdout } = loadElsewhere({ LD_PRELOAD: libraries.join(':') });
    expect({ status, signal }).toEqual({ status: 0, signal: null });
    expect(stdout).toMatch(/^DeviceError ENGINE_CLASH .*foreign.*Load instructblip before that package/);
  });

  it('that lacks what we call is one too', () => {
    const source = join(work, 'old.c');
    const library = join(work, 'libggml-base.so');
    writeFileSync(source, 'int an_old_version(void) { return 1; }\n');
    const soname = readdirSync(loadAddon().addon.linkedDirectory).find(name => /^libggml-base.*so$/.test(name));
    execFileSync('cc', ['-shared', '-fPIC', `-Wl,-soname,${soname}`, source, '-o', library]);
    const { status, signal, stdout } = loadElsewhere({ LD_PRELOAD: library });
    expect({ status, signal }).toEqual({ status: 0, signal: null });
    expect(stdout).toMatch(/^DeviceError ENGINE_CLASH /);
  });
});
