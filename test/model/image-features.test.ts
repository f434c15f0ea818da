import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Picture } from '../../src/model/ask.js';
import { demoModelFolder } from '../../src/model/demo-model.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { visionIdentityOf } from '../../src/model/vision-identity.js';
import { loadAddon } from '../../src/native/load-addon.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { ParityFiles } from './support/parity.js';
import { type Script, ScriptedModel } from './support/scripted-model.js';

const scripted = (script: Script = {}) => new InstructBlip(new ScriptedModel(script).parts(), { sequences: 4 });
const picture = (pixel: number): Picture => pixel as unknown as Picture;
const failure = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'instructblip-features-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('image features that were saved', () => {
  it('are asked about in another process as in this one, without the vision encoder', async () => {
    const path = join(folder, 'new', 'cat.features');
    await (await scripted().encodeImage(picture(5))).save(path);
    const model = new ScriptedModel();
    const blip = new InstructBlip(model.parts(), { sequences: 4 });
    const features = await blip.loadImageFeatures(path);
    expect(features.shape).toEqual([1, 1]);
    expect((await blip.ask(features, 'q')).text).toBe('q:5');
    expect(model.work).not.toContain('vision');
    expect(readdirSync(join(folder, 'new'))).toEqual(['cat.features']);
    await (await scripted().encodeImage(picture(6))).save(path);
    expect((await blip.ask(await blip.loadImageFeatures(path), 'q')).text).toBe('q:6');
  });

  it('are bytes too, wherever those lie', async () => {
    const bytes = await (await scripted().encodeImage(picture(7))).toBytes();
    const shifted = new Uint8Array(bytes.length + 9).fill(9);
    shifted.set(bytes, 3);
    const blip = scripted();
    const features = await blip.loadImageFeatures(shifted.subarray(3, 3 + bytes.length));
    shifted.fill(0);
    expect((await blip.ask(features, 'q')).text).toBe('q:7');
  });

  it('are refused with any bit changed, any end missing, or anything behind', async () => {
    const bytes = await (await scripted().encodeImage(picture(5))).toBytes();
    const blip = scripted();
    const refused = (damaged: Uint8Array) =>
      expect(blip.loadImageFeatures(damaged)).rejects.toEqual(failure('IMAGE_FEATURES_INVALID'));
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = Uint8Array.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await refused(damaged);
    }
    for (let length = 0; length < bytes.length; length++) await refused(bytes.subarray(0, length));
    await refused(Buffer.concat([bytes, Buffer.of(0)]));
    await refused(Buffer.concat([bytes, bytes]));
    await refused(readFileSync('test/fixtures/images/rgb-16.png'));
    await refused(new Uint8Array(bytes.length));
    await blip.loadImageFeatures(bytes);
  });

  it('say what is wrong with them', async () => {
    const bytes = await (await scripted().encodeImage(picture(5))).toBytes();
    const blip = scripted();
    const path = join(folder, 'x');
    const load = async (damaged: Uint8Array) => {
      writeFileSync(path, damaged);
      return blip.loadImageFeatures(path);
    };
    const later = Uint8Array.from(bytes);
    later[8] = 2;
    await expect(load(later)).rejects.toEqual(failure('IMAGE_FEATURES_INVALID', /x is of version 2, .* reads 1/));
    await expect(load(bytes.subarray(0, 90))).rejects.toEqual(
      failure('IMAGE_FEATURES_INVALID', /90 bytes, but .* 100/),
    );
    await expect(load(bytes.subarray(0, 20))).rejects.toEqual(
      failure('IMAGE_FEATURES_INVALID', /20 bytes, in its head/),
    );
    appendFileSync(path, Buffer.alloc(5000));
    await expect(blip.loadImageFeatures(path)).rejects.toEqual(failure('IMAGE_FEATURES_INVALID', /at most/));
    await expect(blip.loadImageFeatures(join(folder, 'no such'))).rejects.toEqual(
      failure('IMAGE_NOT_FOUND', /no such/),
    );
    await expect(blip.loadImageFeatures(folder)).rejects.toEqual(failure('IMAGE_NOT_FOUND'));
    await expect(blip.loadImageFeatures(5 as unknown as string)).rejects.toEqual(failure('IMAGE_INPUT_INVALID', /5/));
  });

  it('of another vision encoder are refused; the message names both', async () => {
    const bytes = await (await scripted({ vision: 2 }).encodeImage(picture(5))).toBytes();
    await expect(scripted({ vision: 3 }).loadImageFeatures(bytes)).rejects.toEqual(
      failure('IMAGE_FEATURES_MISMATCH', /'scripted' \(02020202\), but this model has that of 'scripted' \(03030303\)/),
    );
  });

  it('of the right vision encoder but another shape, or of no numbers, are refused', async () => {
    const bytes = await (await scripted().encodeImage(picture(5))).toBytes();
    const wider = scripted({ info: { visionHiddenSize: 2 } });
    await expect(wider.loadImageFeatures(bytes)).rejects.toEqual(failure('IMAGE_FEATURES_INVALID', /1 x 2/));
    const none = await (await scripted().encodeImage(picture(Number.NaN))).toBytes();
    await expect(scripted().loadImageFeatures(none)).rejects.toEqual(failure('IMAGE_FEATURES_INVALID', /finite/));
  });

  it('leave nothing behind where they cannot be written', async () => {
    const features = await scripted().encodeImage(picture(5));
    writeFileSync(join(folder, 'file'), 'x');
    await expect(features.save(join(folder, 'file', 'x'))).rejects.toEqual(failure('OUTPUT_WRITE_FAILED'));
    await expect(features.save('')).rejects.toEqual(failure('OPTION_INVALID', /path/));
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('x');
  });
});

describe('of real models', () => {
  it('give the same answer after saving and loading', async () => {
    const load = () => InstructBlip.load(demoModelFolder(), { device: 'cpu', threads: 1 });
    const path = join(folder, 'scene.features');
    const [first, second] = [await load(), await load()];
    try {
      const made = await first.encodeImage('test/fixtures/demo/300000.png');
      await made.save(path);
      expect(statSync(path).size).toBe((await made.toBytes()).length);
      const question = 'How many shapes are there?';
      const expected = await first.ask(made, question);
      const { text, timings } = await second.ask(await second.loadImageFeatures(path), question);
      expect([text, timings.vision]).toEqual([expected.text, 0]);
    } finally {
      await first.dispose();
      await second.dispose();
    }
  });

  it('tell vision encoders apart by weights and types, whatever stands behind them', async () => {
    const files = PARITY_RECIPES.slice(0, 2).map(recipe => new ParityFiles(recipe));
    try {
      const identity = async (which: number, language: 'F32' | 'Q8_0', vision: 'F32' | 'F16') => {
        const { visionPath } = await files[which]!.convert(language, vision);
        return Buffer.from((await visionIdentityOf(loadAddon().addon, visionPath)).digest).toString('hex');
      };
      const first = await identity(0, 'F32', 'F32');
      expect(await identity(0, 'Q8_0', 'F32')).toBe(first);
      const others = [await identity(0, 'F32', 'F16'), await identity(1, 'F32', 'F32')];
      expect(new Set([first, ...others]).size).toBe(3);
      const { visionPath } = await files[0]!.convert('F32', 'F32');
      // One weight of the last layer's end: a fine-tuned model.
      const { tensors } = loadAddon().addon.readGguf(visionPath);
      const changed = readFileSync(visionPath);
      const { offset, byteLength } = tensors.find(({ name }) => name === 'v.post_ln.bias')!;
      changed[offset + byteLength - 1]! ^= 1;
      writeFileSync(join(folder, 'changed.gguf'), changed);
      const { digest } = await visionIdentityOf(loadAddon().addon, join(folder, 'changed.gguf'));
      expect(Buffer.from(digest).toString('hex')).not.toBe(first);
    } finally {
      for (const each of files) each.dispose();
    }
  });
});
