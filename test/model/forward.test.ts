import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import { Tensor } from '../../src/tensor.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { expectOutputs, ints, type ModelCase, readForward } from './support/forward.js';
import { ParityFiles, parityPixels } from './support/parity.js';

const TOLERANCE = 1e-5;

describe.each(Object.entries(readForward()))('forward of %s', (name, { weightsSha256, model: cases }) => {
  const recipe = PARITY_RECIPES.find(each => each.name === name)!;
  let checkpoint: ParityFiles;
  let folder: string;
  let pixels: Float32Array[];

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    expect(checkpoint.weightsSha256).toBe(weightsSha256);
    const files = await checkpoint.convert('F32', 'F32');
    folder = files.folder;
    pixels = await parityPixels(files);
  });
  afterAll(() => checkpoint?.dispose());

  const load = () => InstructBlipForConditionalGeneration.fromPretrained(folder, { device: 'cpu', threads: 1 });
  const inputsOf = ({ pictures, ids }: ModelCase) => {
    const side = recipe.sizes.vision.image;
    const data = Float32Array.from(pictures.flatMap(picture => [...pixels[picture]!]));
    const tensors = Object.fromEntries(Object.entries(ids).map(([key, rows]) => [key, ints(rows)]));
    return {
      pixelValues: new Tensor(data, [pictures.length, 3, side, side]),
      ...(tensors as { inputIds: Tensor<Int32Array> }),
    };
  };
  const only = (outputs: ModelCase['outputs'], wanted: RegExp) =>
    Object.fromEntries(Object.entries(outputs).filter(([path]) => wanted.test(path)));

  it.each(cases)('has every output of transformers 4.34: $name', async each => {
    await using model = await load();
    const inputs = inputsOf(each);
    const outputs = await model.forward({ ...inputs, outputHiddenStates: true, outputAttentions: true });
    expectOutputs(outputs, each.outputs, TOLERANCE);
    expectOutputs(await model.forward(inputs), only(each.outputs, /ogits|astHiddenState|poolerOutput/), TOLERANCE);
  });

  it.each(cases)('has its loss and its logits of labels: $name', async each => {
    await using model = await load();
    const { decoderInputIds: _, decoderAttentionMask: __, ...inputs } = inputsOf(each) as Record<string, Tensor>;
    const { loss, logits } = await model.forward({
      ...(inputs as ReturnType<typeof inputsOf>),
      labels: ints(each.labels),
    });
    expectOutputs({ loss, logits }, each.labelled, TOLERANCE);
  });
});
