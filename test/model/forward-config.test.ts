import { readFileSync, writeFileSync } from 'node:fs';
import { InstructBlipConfig } from '../../src/config/instruct-blip-config.js';
import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import { InstructBlipQFormerModel } from '../../src/model/qformer-model.js';
import { InstructBlipVisionModel } from '../../src/model/vision-model.js';
import { Tensor } from '../../src/tensor.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { expectOutputs, ints, randomTensor, readForward } from './support/forward.js';
import { ParityFiles } from './support/parity.js';

const CPU = { device: 'cpu', threads: 1 };
const reference = readForward();
const filesOf = (name: string) => new ParityFiles(PARITY_RECIPES.find(recipe => recipe.name === name)!);

/** Of training, of generating, or of how weights are stored: no key of a GGUF file says them. */
const UNSAID =
  /dropout|layerdrop|initializer|init_?[sS]td|torchDtype|transformersVersion|nameOrPath|qkvBias|maxSequenceLength|modelType|useCache|nPositions|outputPast|feedForwardProj/i;

/** A checkpoint may write -1 for none. */
const idOrNull = (value: unknown): unknown => (value === -1 ? null : value);

function said(config: object): Record<string, unknown> {
  const entries = Object.entries(config).filter(([name, value]) => !UNSAID.test(name) && typeof value !== 'function');
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value?.constructor?.name.endsWith('Config') ? said(value) : idOrNull(value)]),
  );
}

describe.each(Object.keys(reference))('configuration of %s', name => {
  it("is the checkpoint's, as far as files say it", async () => {
    const files = filesOf(name);
    try {
      const { folder } = await files.convert('F32', 'F32');
      await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, CPU);
      await using vision = await InstructBlipVisionModel.fromPretrained(folder, CPU);
      await using qformer = await InstructBlipQFormerModel.fromPretrained(folder, CPU);
      const wanted = await InstructBlipConfig.fromPretrained(files.checkpoint);
      expect(said(model.config)).toEqual(said(wanted));
      expect(vision.config).toEqual(model.config.visionConfig);
      expect(qformer.config).toEqual(model.config.qformerConfig);
      const { bosTokenId, eosTokenId, padTokenId, decoderStartTokenId } = wanted.textConfig;
      const ids = { bosTokenId, eosTokenId, padTokenId: idOrNull(padTokenId), decoderStartTokenId };
      expect(model.generationConfig).toEqual(ids);
    } finally {
      files.dispose();
    }
  });
});

describe('a Q-Former that takes no text', () => {
  const name = 'old-revision';
  const files = filesOf(name);
  let paths: { folder: string; visionPath: string };
  beforeAll(async () => {
    paths = await files.convert('F32', 'F32');
    const bytes = readFileSync(paths.visionPath);
    const key = 'instructblip.qformer.text_input';
    const at = bytes.indexOf(key) + key.length;
    expect([bytes.readUInt32LE(at), bytes[at + 4]]).toEqual([7, 1]); // a bool, true
    bytes[at + 4] = 0;
    writeFileSync(paths.visionPath, bytes);
  });
  afterAll(() => files.dispose());

  it('is asked with its queries alone', async () => {
    await using model = await InstructBlipQFormerModel.fromPretrained(paths.folder, CPU);
    const encoderHiddenStates = randomTensor([2, 7, model.config.encoderHiddenSize]);
    const { outputs } = reference[name]!.qformer.find(each => each.name === 'queries only')!;
    const all = { outputHiddenStates: true, outputAttentions: true };
    expectOutputs(await model.forward({ encoderHiddenStates, ...all }), outputs, 1e-5);
    const asked = model.forward({ encoderHiddenStates, inputIds: ints([[1], [2]]) });
    await expect(asked).rejects.toMatchObject({ code: 'OPTION_UNSUPPORTED' });
  });

  it('needs no instruction in the whole model', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(paths.folder, CPU);
    const { imageSize } = model.config.visionConfig;
    const pixelValues = randomTensor([1, 3, imageSize, imageSize]);
    const inputIds = new Tensor(Int32Array.of(1, 2, 3), [1, 3]);
    const { qformerOutputs, logits } = await model.forward({ pixelValues, inputIds });
    const { numQueryTokens, textConfig } = model.config;
    expect(qformerOutputs.lastHiddenState.dims[1]).toBe(numQueryTokens);
    expect(logits.dims).toEqual([1, numQueryTokens + 3, textConfig.vocabSize]);
  });
});
