import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../src/convert/convert.js';
import { type QuantizeOptions, quantize } from '../../src/convert/quantize.js';
import { layoutGguf, string, u32 } from '../../src/gguf/gguf-header.js';
import { makeCheckpoint } from './support/checkpoint.js';
import { readTestGguf } from './support/gguf.js';

let work: string;
let checkpoint: string;
const inWork = (name: string) => join(work, name);

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'instructblip-quantize-'));
  checkpoint = makeCheckpoint();
  await convert(checkpoint, work, { name: 'tiny', languageModelType: 'F32', visionType: 'F32' });
});
afterAll(() => {
  for (const folder of [work, checkpoint]) rmSync(folder, { recursive: true, force: true });
});

describe('quantize', () => {
  it.each([
    'F16',
    'BF16',
    'Q8_0',
    'Q4_0',
    'Q5_K_M',
    'Q4_K_M',
    'Q6_K',
  ] as const)('makes the same language model in %s as convert does', async type => {
    const out = inWork(`direct-${type}`);
    const { languageModelPath } = await convert(checkpoint, out, { name: 'tiny', languageModelType: type });
    await quantize(inWork('tiny-F32.gguf'), inWork(`${type}.gguf`), { type });
    const [direct, twoSteps] = [readTestGguf(languageModelPath), readTestGguf(inWork(`${type}.gguf`))];
    expect(Object.fromEntries(twoSteps.metadata)).toEqual(Object.fromEntries(direct.metadata));
    expect([...twoSteps.tensors]).toEqual([...direct.tensors]);
  });

  it.each(['F16', 'BF16', 'Q8_0', 'Q4_0'] as const)('makes the same vision file in %s as convert does', async type => {
    const { visionPath } = await convert(checkpoint, inWork(`vision-${type}`), { name: 'tiny', visionType: type });
    await quantize(inWork('mmproj-tiny-F32.gguf'), inWork(`mmproj-${type}.gguf`), { type });
    const [direct, twoSteps] = [readTestGguf(visionPath), readTestGguf(inWork(`mmproj-${type}.gguf`))];
    expect(Object.fromEntries(twoSteps.metadata)).toEqual(Object.fromEntries(direct.metadata));
    expect([...twoSteps.tensors]).toEqual([...direct.tensors]);
  });

  it('refuses what is quantized already, and says what to start from', async () => {
    await quantize(inWork('tiny-F32.gguf'), inWork('twice.gguf'), { type: 'Q8_0' });
    const failure = quantize(inWork('twice.gguf'), inWork('twice-4.gguf'), { type: 'Q4_0' });
    await expect(failure).rejects.toMatchObject({
      code: 'MODEL_FILE_UNSUPPORTED',
      message: expect.stringMatching(/F32, F16 or BF16/),
    });
    expect(readdirSync(work)).not.toContain('twice-4.gguf');
  });

  it('refuses K-quants of a vision file', async () => {
    const failure = quantize(inWork('mmproj-tiny-F32.gguf'), inWork('x.gguf'), { type: 'Q4_K_M' });
    await expect(failure).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('refuses another architecture, and a part of a split file', async () => {
    const write = (name: string, entries: Parameters<typeof layoutGguf>[0]) =>
      writeFileSync(inWork(name), layoutGguf(entries, []).header);
    write('bert.gguf', [string('general.architecture', 'bert')]);
    write('split.gguf', [string('general.architecture', 'llama'), u32('split.count', 2)]);
    for (const [name, message] of [
      ['bert', /'bert'/],
      ['split', /merge/],
    ] as const) {
      const failure = quantize(inWork(`${name}.gguf`), inWork('x.gguf'), { type: 'Q8_0' });
      await expect(failure).rejects.toMatchObject({
        code: 'MODEL_FILE_UNSUPPORTED',
        message: expect.stringMatching(message),
      });
    }
  });

  it.each(['llama', 't5', 'opt'])('refuses a %s file without the number of its layers', async architecture => {
    const entries = [string('general.architecture', architecture), u32(`${architecture}.attention.head_count`, 4)];
    writeFileSync(inWork('no-layers.gguf'), layoutGguf(entries, []).header);
    await expect(quantize(inWork('no-layers.gguf'), inWork('x.gguf'), { type: 'Q8_0' })).rejects.toMatchObject({
      code: 'MODEL_FILE_KEY_MISSING',
      message: expect.stringContaining(`${architecture}.block_count`),
    });
  });

  it('keeps existing files without force, and its input always', async () => {
    const input = inWork('tiny-F32.gguf');
    const before = readFileSync(input);
    writeFileSync(inWork('mine.gguf'), 'mine');
    await expect(quantize(input, inWork('mine.gguf'), { type: 'F16' })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
    });
    expect(readFileSync(inWork('mine.gguf'), 'utf8')).toBe('mine');
    await expect(quantize(input, input, { type: 'F16', force: true })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    expect(readFileSync(input).equals(before)).toBe(true);
    await quantize(input, inWork('mine.gguf'), { type: 'F16', force: true });
    expect(readTestGguf(inWork('mine.gguf')).metadata.get('general.file_type')).toBe(1);
  });

  it('leaves nothing behind when aborted', async () => {
    const controller = new AbortController();
    const options: QuantizeOptions = {
      type: 'Q8_0',
      signal: controller.signal,
      onProgress: ({ loaded, total }) => loaded > total / 2 && controller.abort(new Error('stop')),
    };
    await expect(quantize(inWork('tiny-F32.gguf'), inWork('aborted/x.gguf'), options)).rejects.toThrow('stop');
    expect(readdirSync(work)).not.toContain('aborted');
  });

  it('rejects a missing file and a wrong type', async () => {
    await expect(quantize('in.gguf', 'out.gguf', undefined as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(quantize(inWork('none.gguf'), inWork('x.gguf'), { type: 'F16' })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    await expect(quantize(inWork('none.gguf'), inWork('x.gguf'), { type: 'Q3' as 'F16' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });
});
