import type { NativeModel } from '../../src/native/addon.js';
import { cancelToken, loadNative, logitsBehind, ParityFiles, relativeDifference, rowOf } from './support/parity.js';
import { SLOW_RECIPE } from './support/slow-model.js';

/** More rows than libllama computes in one graph. */
const LENGTH = 300;
const ids = Int32Array.from({ length: LENGTH }, (_, i) => 3 + ((i * 37) % 31_000));
const none = new Int32Array(0);

describe('forward of a LLaMA over a long prompt', () => {
  const files = new ParityFiles(SLOW_RECIPE);
  let model: NativeModel;
  let softTokens: Float32Array;
  beforeAll(async () => {
    model = await loadNative(await files.convert('F32', 'F32'));
    const { visionTokens, visionHiddenSize } = model.info;
    const features = Float32Array.from({ length: visionTokens * visionHiddenSize }, (_, i) => Math.sin(i));
    softTokens = await model.queryImage(features, Int32Array.of(101, 102), cancelToken());
  });
  afterAll(async () => {
    await model?.dispose();
    files.dispose();
  });

  const forward = (mask: Int32Array, names: readonly string[]) =>
    model.runLanguage(softTokens, ids, mask, none, none, names, cancelToken());
  const rows = LENGTH + SLOW_RECIPE.sizes.qformer.queries;

  it('ends in the logits of a session, and its weights are those of a causal attention', async () => {
    const seen = await forward(none, ['language.logits', 'llama.attention_weights-1']);
    const { data: logits, shape } = seen['language.logits']!;
    expect(shape).toEqual([rows, model.info.vocabularySize]);
    const behind = await logitsBehind(model, softTokens, [...ids]);
    expect(relativeDifference(rowOf(model, logits, rows - 1), behind)).toBeLessThan(1e-5);
    const { data: weights, shape: sizes } = seen['llama.attention_weights-1']!;
    expect(sizes).toEqual([SLOW_RECIPE.sizes.text.heads, rows, rows]);
    for (const row of [0, 31, 32, 255, 256, 288, rows - 1]) {
      const values = weights.subarray(row * rows, (row + 1) * rows);
      expect(values.subarray(0, row + 1).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
      expect(values.subarray(row + 1).every(value => value === 0)).toBe(true);
    }
  });

  it('hides keys in every graph', async () => {
    const mask = new Int32Array(LENGTH).fill(1);
    mask.fill(0, 100, 250);
    const { data } = (await forward(mask, ['llama.attention_weights-5']))['llama.attention_weights-5']!;
    const hidden = (row: number) => data.subarray(row * rows + 132, row * rows + 282);
    for (const row of [140, 281, 290, rows - 1]) expect(hidden(row).every(value => value === 0)).toBe(true);
    expect(
      data
        .subarray((rows - 1) * rows)
        .subarray(282, rows)
        .every(value => value > 0),
    ).toBe(true);
  });

  it('leaves the cache of sessions alone, ends when it is cancelled, and keeps within the positions', async () => {
    const before = await logitsBehind(model, softTokens, [5, 6, 7]);
    const token = cancelToken();
    const work = model.runLanguage(softTokens, ids, none, none, none, ['language.logits'], token);
    token.cancel();
    await expect(work).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await logitsBehind(model, softTokens, [5, 6, 7])).toEqual(before);
    const long = new Int32Array(1024).fill(5);
    const tooLong = model.runLanguage(softTokens, long, none, none, none, ['language.logits'], cancelToken());
    await expect(tooLong).rejects.toMatchObject({ code: 'CONTEXT_LENGTH_EXCEEDED' });
    const unknown = model.runLanguage(softTokens, ids, none, none, none, ['llama.nonsense'], cancelToken());
    await expect(unknown).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
