import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { argumentsOf, type BatchCase, readBatches } from './support/batches.js';
import { ParityFiles, parityPixels } from './support/parity.js';

const checkpoints = readBatches<BatchCase[]>('batches');
const recipes = PARITY_RECIPES.filter(({ name }) => checkpoints[name] !== undefined);

describe.each(recipes.map(recipe => [recipe.name, recipe] as const))('batches of %s', (name, recipe) => {
  const cases = checkpoints[name]!;
  let checkpoint: ParityFiles;
  let folder: string;
  let pixels: Float32Array[];

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    const files = await checkpoint.convert('F32', 'F32');
    folder = files.folder;
    pixels = await parityPixels(files);
  });
  afterAll(() => checkpoint?.dispose());

  // The second cache has room for one picture at a time: the batch is done in parts.
  it.each([
    { contextSize: 4096, maxBatch: 64 },
    { contextSize: 4096, maxBatch: 4 },
  ])('are those of transformers 4.34, with %j', async sizes => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, {
      device: 'cpu',
      threads: 1,
      kvCacheType: 'f32',
      ...sizes,
    });
    for (const each of cases) {
      const { sequences } = await model.generate(argumentsOf(recipe, pixels, each));
      expect({ options: each.options, sequences }).toEqual({ options: each.options, sequences: each.sequences });
    }
  });
});
