import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import type { GenerateArguments } from '../../src/model/generate-batch.js';
import { Tensor } from '../../src/tensor.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { ParityFiles, parityPixels } from './support/parity.js';

type Ids = number[][];
interface BatchCase {
  readonly pictures: number[];
  readonly options: Partial<GenerateArguments>;
  readonly sequences: Ids;
  readonly inputIds: Ids;
  readonly attentionMask: Ids;
  readonly qformerInputIds: Ids;
  readonly qformerAttentionMask: Ids;
}

const { checkpoints }: { checkpoints: Record<string, BatchCase[]> } = JSON.parse(
  gunzipSync(readFileSync('test/fixtures/parity/batches.json.gz')).toString(),
);
const recipes = PARITY_RECIPES.filter(({ name }) => checkpoints[name] !== undefined);
const ints = (rows: Ids) => new Tensor(Int32Array.from(rows.flat()), [rows.length, rows[0]!.length]);

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

  const argumentsOf = ({ pictures, options, ...ids }: BatchCase): GenerateArguments => {
    const side = recipe.sizes.vision.image;
    const data = Float32Array.from(pictures.flatMap(picture => [...pixels[picture]!]));
    return {
      pixelValues: new Tensor(data, [pictures.length, 3, side, side]),
      inputIds: ints(ids.inputIds),
      attentionMask: ints(ids.attentionMask),
      qformerInputIds: ints(ids.qformerInputIds),
      qformerAttentionMask: ints(ids.qformerAttentionMask),
      ...options,
    };
  };

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
      const { sequences } = await model.generate(argumentsOf(each));
      expect({ options: each.options, sequences }).toEqual({ options: each.options, sequences: each.sequences });
    }
  });
});
