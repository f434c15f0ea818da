import { T5_RECIPES } from '../unit/support/parity-recipes.js';
import { loadNative, logitsBehind, ParityFiles, readReference, relativeError, softTokensOf } from './support/parity.js';

const F16_LARGEST = 65504;
const recipe = T5_RECIPES.find(({ name }) => name === 't5-overflow')!;

/** Flan-T5's hidden states pass what F16 holds: transformers in F16 answers NaN. */
describe('hidden states beyond F16', () => {
  const reference = readReference(recipe.name);
  const { tensors, largestInFeedForward } = reference.language!;
  let files: ParityFiles;

  beforeAll(() => {
    files = new ParityFiles(recipe);
  });
  afterAll(() => files?.dispose());

  it('are what the checkpoint has, in and behind the feed-forward of encoder and decoder', () => {
    expect(largestInFeedForward).toBeGreaterThan(2 * F16_LARGEST);
    for (const layer of ['encoder.layer-0', 'decoder.layer-0'])
      expect(tensors[layer]!.largest).toBeGreaterThan(2 * F16_LARGEST);
  });

  // Rounded weights and activations cost as much in PyTorch: simulated there, Q8_0 0.05 in the middle and 0.13 at most, Q4_0 0.5 and 1.1.
  it.each([
    { type: 'F32', kvCacheType: 'f32', limit: 1e-4 },
    { type: 'F32', kvCacheType: 'f16', limit: 2e-3 },
    { type: 'F16', kvCacheType: 'f16', limit: 1e-2 },
    { type: 'BF16', kvCacheType: 'f16', limit: 6e-2 },
    { type: 'Q8_0', kvCacheType: 'f16', limit: 0.15 },
    { type: 'Q4_0', kvCacheType: 'f16', limit: 1.4 },
  ] as const)('give the right logits from files of $type with a cache of $kvCacheType', async each => {
    const { type, kvCacheType, limit } = each;
    const model = await loadNative(await files.convert(type, 'F32'), { kvCacheType });
    try {
      const errors: number[] = [];
      for (const pair of reference.pairs) {
        const logits = await logitsBehind(model, await softTokensOf(model, pair), pair.inputIds);
        expect(logits.every(Number.isFinite)).toBe(true);
        errors.push(relativeError(logits, pair.logits));
      }
      errors.sort((a, b) => a - b);
      expect(errors.at(-1)).toBeLessThan(limit);
      expect(errors[errors.length / 2]).toBeLessThan(limit / 2);
    } finally {
      await model.dispose();
    }
  });
});
