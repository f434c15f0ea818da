import { InstructBlip } from '../../src/model/instruct-blip.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { PARITY_PICTURES, randomPicture } from '../unit/support/pictures.js';
import { beamCases } from './support/beam-cases.js';
import { ParityFiles } from './support/parity.js';

describe.each(PARITY_RECIPES.map(recipe => [recipe.name, recipe] as const))('beams of %s', (name, recipe) => {
  const cases = beamCases(name);
  let checkpoint: ParityFiles;
  let blip: InstructBlip;

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    const { folder } = await checkpoint.convert('F32', 'F32');
    // One thread: threads that wait for each other make tiny models slow on a busy machine.
    blip = await InstructBlip.load(folder, { device: 'cpu', threads: 1, kvCacheType: 'f32', contextSize: 2048 });
  });
  afterAll(async () => {
    await blip?.dispose();
    checkpoint?.dispose();
  });

  it('answers as transformers 4.34 does', async () => {
    const features = await Promise.all(PARITY_PICTURES.map(picture => blip.encodeImage(randomPicture(picture))));
    const differing: unknown[] = [];
    for (const { pictures, question, options, ids } of cases) {
      const { tokens, finishReason } = await blip.ask(
        pictures.map(picture => features[picture]!),
        question,
        { ...options, compat: 'hf-4.34' },
      );
      // transformers writes the first stop id, whichever ended the answer.
      const [stop] = [recipe.text.eos_token_id].flat();
      const shown = finishReason === 'stop' ? [...tokens.slice(0, -1), stop] : tokens;
      if (String(shown) !== String(ids)) differing.push({ pictures, question, options, expected: ids, found: shown });
    }
    expect(differing).toEqual([]);
  });
});
