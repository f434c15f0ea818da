import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InstructBlipConfig } from '../../src/config/instruct-blip-config.js';
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

const withSettings = readBatches<{ text: object; batches: BatchCase[] }>('batches', 'withSettings');

describe.each(Object.entries(withSettings))('settings in the text_config of %s', (name, { text, batches }) => {
  const recipe = PARITY_RECIPES.find(each => each.name === name)!;
  const checkpoint = new ParityFiles({ ...recipe, text: { ...recipe.text, ...text } });
  afterAll(() => checkpoint.dispose());

  it('are what generate of transformers 4.34 takes by default, and not what transformers 5 and LAVIS do', async () => {
    const files = await checkpoint.convert('F32', 'F32');
    const pixels = await parityPixels(files);
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(files.folder, {
      device: 'cpu',
      threads: 1,
      kvCacheType: 'f32',
      contextSize: 4096,
      maxBatch: 64,
    });
    for (const each of batches) {
      const { sequences } = await model.generate(argumentsOf(recipe, pixels, each));
      expect({ options: each.options, sequences }).toEqual({ options: each.options, sequences: each.sequences });
    }
    const wanted = InstructBlipConfig.fromJSON(readFileSync(join(checkpoint.checkpoint, 'config.json'), 'utf8'));
    const { numBeams, repetitionPenalty, maxLength } = model.config.textConfig;
    expect({ numBeams, repetitionPenalty, maxLength }).toEqual(
      Object.fromEntries(
        (['numBeams', 'repetitionPenalty', 'maxLength'] as const).map(field => [field, wanted.textConfig[field]]),
      ),
    );
    expect(model.generationConfig.numBeams ?? 1).toBe(numBeams);
    const lavis = await model.generate({ ...argumentsOf(recipe, pixels, batches[0]!), compat: 'lavis', maxLength: 6 });
    expect(lavis.sequences.length).toBe(batches[0]!.pictures.length);
    expect(Math.max(...lavis.sequences.map(row => row.length))).toBeLessThanOrEqual(7);
  });
});
