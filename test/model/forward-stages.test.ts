import { InstructBlipQFormerModel } from '../../src/model/qformer-model.js';
import { InstructBlipVisionModel } from '../../src/model/vision-model.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { expectOutputs, ints, maskWithHoles, type QFormerCase, randomTensor, readForward } from './support/forward.js';
import { ParityFiles } from './support/parity.js';

const TOLERANCE = 1e-5;
const reference = readForward();
const ALL = { outputHiddenStates: true, outputAttentions: true };
const CPU = { device: 'cpu', threads: 1 };

describe.each(Object.entries(reference))('forward of the stages of %s', (name, { weightsSha256, vision, qformer }) => {
  const recipe = PARITY_RECIPES.find(each => each.name === name)!;
  let checkpoint: ParityFiles;
  let files: { folder: string; visionPath: string };

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    expect(checkpoint.weightsSha256).toBe(weightsSha256);
    files = await checkpoint.convert('F32', 'F32');
  });
  afterAll(() => checkpoint?.dispose());

  it('encodes pictures of the own and of other sizes', async () => {
    await using model = await InstructBlipVisionModel.fromPretrained(files.folder, CPU);
    for (const { dims, outputs } of vision) {
      const pixelValues = randomTensor(dims);
      const other = dims[2] !== model.config.imageSize || dims[3] !== model.config.imageSize;
      const given = { pixelValues, ...(other ? { interpolatePosEncoding: true } : {}) };
      expectOutputs(await model.forward({ ...given, ...ALL }), outputs, TOLERANCE);
      const { lastHiddenState, poolerOutput } = outputs as Record<string, (typeof outputs)[string]>;
      expectOutputs(
        await model.forward(given),
        { lastHiddenState: lastHiddenState!, poolerOutput: poolerOutput! },
        TOLERANCE,
      );
      if (other) await expect(model.forward({ pixelValues })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
  });

  const inputsOf = ({ inputIds, rows, masks, queryEmbeds, name: kind }: QFormerCase) => {
    const { hidden } = recipe.sizes.vision;
    return {
      encoderHiddenStates: randomTensor([2, 7, hidden]),
      ...(inputIds ? { inputIds: ints(inputIds) } : {}),
      ...(masks ? { attentionMask: maskWithHoles(2, rows), encoderAttentionMask: maskWithHoles(2, 7) } : {}),
      ...(queryEmbeds ? { queryEmbeds: randomTensor([2, 3, recipe.sizes.qformer.hidden]) } : {}),
      ...(kind === 'text only' ? { queryEmbeds: null } : {}),
    };
  };

  it('asks pictures, with masks, other queries, without text and without queries', async () => {
    await using model = await InstructBlipQFormerModel.fromPretrained({ vision: files.visionPath }, CPU);
    for (const each of qformer)
      expectOutputs(await model.forward({ ...inputsOf(each), ...ALL }), each.outputs, TOLERANCE);
  });
});
