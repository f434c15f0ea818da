import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import { Tensor } from '../../src/tensor.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { beamCases } from './support/beam-cases.js';
import { ParityFiles, parityPixels, readReference } from './support/parity.js';

const ids = (row: readonly number[]) => new Tensor(Int32Array.from(row), [1, row.length]);

// Their sequences come from transformers, with the frames' soft tokens joined as InstructBlipVideo joins them.
describe.each(PARITY_RECIPES.map(recipe => [recipe.name, recipe] as const))('videos through %s', (name, recipe) => {
  const cases = beamCases(name).filter(({ pictures }) => pictures.length > 1);
  const { pairs } = readReference(name);
  let checkpoint: ParityFiles;
  let model: InstructBlipForConditionalGeneration;
  let pixels: Float32Array[];

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    const files = await checkpoint.convert('F32', 'F32');
    pixels = await parityPixels(files);
    const options = { device: 'cpu', threads: 1, kvCacheType: 'f32', contextSize: 2048 } as const;
    model = await InstructBlipForConditionalGeneration.fromPretrained(files.folder, options);
  });
  afterAll(async () => {
    await model?.dispose();
    checkpoint?.dispose();
  });

  const videoOf = (pictures: readonly number[]) => {
    const side = recipe.sizes.vision.image;
    const data = Float32Array.from(pictures.flatMap(picture => [...pixels[picture]!]));
    return new Tensor(data, [1, pictures.length, 3, side, side]);
  };

  it('generates what transformers does, from pixels and from features', async () => {
    expect(cases.length).toBeGreaterThan(5);
    for (const { pictures, question, options, ids: expected } of cases) {
      const { inputIds, qformerIds } = pairs.find(pair => pair.question === question)!;
      const texts = { inputIds: ids(inputIds), qformerInputIds: ids(qformerIds) };
      const pixelValues = videoOf(pictures);
      const { sequences, usage } = await model.generate({ pixelValues, ...texts, ...options });
      expect(sequences[0]!.slice(1)).toEqual(expected);
      expect(usage.imageTokens % pictures.length).toBe(0);
      const imageFeatures = await model.encodeImages(pixelValues);
      const again = await model.generate({ imageFeatures, ...texts, ...options });
      expect(again.sequences).toEqual(sequences);
      expect(again.timings.vision).toBe(0);
    }
  });
});
