import { T5_RECIPES } from '../unit/support/parity-recipes.js';
import {
  loadNative,
  logitsBehind,
  ParityFiles,
  readReference,
  relativeError,
  softTokensOf,
  tracedPair,
} from './support/parity.js';

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

  it.each([
    { type: 'F32', kvCacheType: 'f32', limit: 1e-4 },
    { type: 'F32', kvCacheType: 'f16', limit: 2e-3 },
    { type: 'F16', kvCacheType: 'f16', limit: 5e-3 },
    { type: 'BF16', kvCacheType: 'f16', limit: 3e-2 },
    { type: 'Q8_0', kvCacheType: 'f16', limit: 5e-2 },
  ] as const)('give the right logits from files of $type with a cache of $kvCacheType', async each => {
    const { type, kvCacheType, limit } = each;
    const model = await loadNative(await files.convert(type, 'F32'), { kvCacheType });
    try {
      const pair = tracedPair(reference);
      const softTokens = await softTokensOf(model, pair);
      const logits = await logitsBehind(model, softTokens, pair.inputIds);
      expect(logits.every(Number.isFinite)).toBe(true);
      expect(relativeError(logits, tensors['decoder.logits']!)).toBeLessThan(limit);
    } finally {
      await model.dispose();
    }
  });
});
