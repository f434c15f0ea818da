import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRandomModel, type RandomModelOptions } from '../../bench/random-model.js';
import { tensorTypeId } from '../../src/gguf/tensor-types.js';
import { loadAddon } from '../../src/native/load-addon.js';
import { floatsOf, readTestGguf } from './support/gguf.js';

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'instructblip-bench-'));
  folders.push(made);
  return made;
}
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

/** The real shape cut down: rows of the vision encoder are no multiple of 256 there either. */
const options = (outFolder: string): RandomModelOptions => ({
  shape: 'vicuna-7b',
  overrides: {
    text: { hidden_size: 256, intermediate_size: 512, num_hidden_layers: 8, num_attention_heads: 4 },
    vision: { hidden_size: 96, intermediate_size: 160, num_hidden_layers: 2, num_attention_heads: 4, image_size: 28 },
    qformer: { hidden_size: 64, intermediate_size: 128, num_hidden_layers: 3, num_attention_heads: 4 },
  },
  languageModelType: 'Q4_K_M',
  visionType: 'F16',
  name: 'tiny',
  outFolder,
});

function statistics(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

describe('random full-size models', () => {
  it('have the tensors, types and vocabularies of a converted checkpoint', async () => {
    const made = await makeRandomModel(options(folder()));
    const language = readTestGguf(made.languageModelPath);
    const vision = readTestGguf(made.visionPath);
    const typeOf = (file: typeof vision, name: string) => file.tensors.get(name)!.type;
    expect(language.tensors.size).toBe(3 + 9 * 8);
    expect(vision.tensors.size).toBe(4 + 2 * 12 + 2 + 5 + 3 * (10 + 2 * 6) + 2 * 10 + 2);
    expect(typeOf(language, 'blk.1.attn_q.weight')).toBe(tensorTypeId('q4_K'));
    expect(typeOf(language, 'blk.0.ffn_down.weight')).toBe(tensorTypeId('q6_K'));
    expect(typeOf(language, 'blk.1.ffn_down.weight')).toBe(tensorTypeId('q4_K'));
    expect(typeOf(language, 'output.weight')).toBe(tensorTypeId('q6_K'));
    expect(typeOf(vision, 'v.blk.1.ffn_up.weight')).toBe(tensorTypeId('f16'));
    expect(typeOf(vision, 'v.blk.1.ffn_up.bias')).toBe(tensorTypeId('f32'));
    expect((language.metadata.get('tokenizer.ggml.tokens') as string[]).slice(-2)).toEqual(['给', '[PAD]']);
    expect(language.metadata.get('tokenizer.ggml.tokens')).toHaveLength(32001);
    expect(vision.metadata.get('instructblip.qformer.tokenizer.tokens')).toHaveLength(30523);
    expect(vision.metadata.get('instructblip.text.prompt_bos_token_id')).toBe(2);
  });

  it('have weights of a trained net’s size, and no two tensors alike', async () => {
    const made = await makeRandomModel(options(folder()));
    const language = readTestGguf(made.languageModelPath);
    const vision = readTestGguf(made.visionPath);
    const { addon } = loadAddon();
    const decoded = async (file: typeof vision, name: string, type: string, rowLength: number) => {
      const { bytes } = file.tensors.get(name)!;
      return statistics(await addon.dequantizeRows(type, Uint8Array.from(bytes), rowLength, new addon.CancelToken()));
    };
    const checks: [{ mean: number; deviation: number }, number, number][] = [
      [await decoded(language, 'blk.3.ffn_up.weight', 'q4_K', 256), 0, 1 / 16],
      [await decoded(language, 'output.weight', 'q6_K', 256), 0, 1 / 16],
      [await decoded(language, 'token_embd.weight', 'q4_K', 256), 0, 0.02],
      [await decoded(vision, 'v.blk.0.ffn_down.weight', 'f16', 160), 0, 1 / Math.sqrt(160)],
      [await decoded(vision, 'v.patch_embd.weight', 'f16', 14), 0, 1 / Math.sqrt(3 * 14 * 14)],
      [statistics(floatsOf(vision, 'v.blk.0.ln1.weight')), 1, 0.02],
      [statistics(floatsOf(vision, 'v.proj_blk.0.ffn_text_norm.weight')), 1, 0.02],
      [statistics(floatsOf(vision, 'v.blk.0.ln1.bias')), 0, 0.02],
      [statistics(floatsOf(language, 'blk.0.attn_norm.weight')), 1, 0.02],
    ];
    for (const [{ mean, deviation }, wantedMean, wantedDeviation] of checks) {
      expect(Math.abs(mean - wantedMean)).toBeLessThan(wantedDeviation / 2);
      expect(deviation / wantedDeviation).toBeGreaterThan(0.75);
      expect(deviation / wantedDeviation).toBeLessThan(1.25);
    }
    const contents = [...language.tensors, ...vision.tensors].map(([, { bytes }]) => bytes.toString('latin1'));
    expect(new Set(contents).size).toBe(contents.length);
  });

  it('are the same again, stay when they are there, and are made anew when they are not whole', async () => {
    const [a, b] = [folder(), folder()];
    const first = await makeRandomModel(options(a));
    const other = await makeRandomModel(options(b));
    expect(first.written).toHaveLength(2);
    for (const name of readdirSync(a))
      expect(readFileSync(join(a, name)).equals(readFileSync(join(b, name)))).toBe(true);
    expect((await makeRandomModel(options(a))).written).toEqual([]);
    truncateSync(first.languageModelPath, 1000);
    expect((await makeRandomModel(options(a))).written).toEqual([first.languageModelPath]);
    expect(readFileSync(first.languageModelPath).equals(readFileSync(other.languageModelPath))).toBe(true);
  });

  it('leave nothing behind when stopped', async () => {
    const outFolder = join(folder(), 'new');
    const controller = new AbortController();
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage === 'language-model') controller.abort(new Error('enough'));
    };
    const work = makeRandomModel({ ...options(outFolder), signal: controller.signal, onProgress });
    await expect(work).rejects.toThrow('enough');
    expect(readdirSync(join(outFolder, '..'))).toEqual([]);
  });
});
