import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { InstructBlipProcessor } from '../../src/processor/instruct-blip-processor.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { PARITY_PICTURES, randomPicture } from '../unit/support/pictures.js';
import { argumentsOf, type BatchCase, readBatches } from './support/batches.js';
import { ParityFiles, parityPixels } from './support/parity.js';

interface ScoredBatch extends BatchCase {
  readonly sequencesScores?: number[];
  readonly beamIndices?: number[][];
  readonly tokenScores: (number | null)[][];
}

// What test/reference/hf5_batches.py writes: whole padded batches of transformers 5.
const checkpoints = readBatches<{ imageTokenId: number; batches: ScoredBatch[] }>('hf5-batches');
const recipes = PARITY_RECIPES.filter(({ name }) => checkpoints[name] !== undefined);
/** Of float32 in two engines, summed over an answer. */
const expectClose = (actual: number, expected: number) =>
  expect(Math.abs(actual - expected)).toBeLessThan(1e-4 * Math.max(1, Math.abs(expected)));

describe.each(recipes.map(recipe => [recipe.name, recipe] as const))("compat: 'hf-5' with %s", (name, recipe) => {
  const { imageTokenId, batches } = checkpoints[name]!;
  let checkpoint: ParityFiles;
  let folder: string;
  let pixels: Float32Array[];

  beforeAll(async () => {
    checkpoint = new ParityFiles({ ...recipe, imageTokenId });
    const files = await checkpoint.convert('F32', 'F32');
    folder = files.folder;
    pixels = await parityPixels(files);
  });
  afterAll(() => checkpoint?.dispose());

  it('gives the rows of padded batches, their scores and those of their tokens', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, {
      device: 'cpu',
      threads: 1,
      kvCacheType: 'f32',
      contextSize: 4096,
      maxBatch: 64,
    });
    for (const each of batches) {
      const found = await model.generate({
        ...argumentsOf(recipe, pixels, each),
        compat: 'hf-5',
        outputScores: true,
        returnTokenScores: true,
      });
      expect({ options: each.options, sequences: found.sequences }).toEqual({
        options: each.options,
        sequences: each.sequences,
      });
      expect(found.beamIndices?.map(row => row.join())).toEqual(each.beamIndices?.map(row => row.join()));
      for (const [i, score] of (each.sequencesScores ?? []).entries()) expectClose(found.sequencesScores![i]!, score);
      const rows = (each.options.numBeams ?? 1) * each.pictures.length;
      expect(found.scores![0]!.dims).toEqual([rows, found.scores![0]!.data.length / rows]);
      for (const [i, scores] of found.tokenScores!.entries())
        for (const [step, score] of scores.entries()) expectClose(score, each.tokenScores[i]![step]!);
    }
  });

  it('fills rows up with padTokenId, and scores with NaN', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, {
      device: 'cpu',
      threads: 1,
      contextSize: 2048,
    });
    const given = argumentsOf(recipe, pixels, { ...batches[0]!, options: {} });
    const { sequences } = await model.generate({ ...given, maxNewTokens: 12 });
    // A stop id that ends one row of three soon.
    const eosTokenId = sequences[0]!.at(-11)!;
    const asked = {
      ...given,
      maxNewTokens: 12,
      eosTokenId,
      padTokenId: 4,
      outputScores: true,
      returnTokenScores: true,
    };
    const found = await model.generate(asked);
    const lengths = found.tokenScores!.map(row => row.length);
    const longest = Math.max(...lengths);
    expect(Math.min(...lengths)).toBeLessThan(longest);
    for (const [i, row] of found.sequences.entries())
      expect(row.slice(row.length - longest + lengths[i]!)).toEqual(new Array(longest - lengths[i]!).fill(4));
    for (const [step, { data, dims }] of found.scores!.entries()) {
      const rows = lengths.map((_, i) => data.slice(i * dims[1]!, (i + 1) * dims[1]!));
      expect(rows.map(row => row.every(Number.isNaN))).toEqual(lengths.map(length => step >= length));
    }
  });

  const sizes = { device: 'cpu', threads: 1, kvCacheType: 'f32', contextSize: 1024 } as const;

  it.each(['hf-5', 'lavis', 'hf-4.34'] as const)('ask and stream answer as generate does, under %s', async compat => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, sizes);
    await using blip = await InstructBlip.load(folder, sizes);
    const processor = await InstructBlipProcessor.fromPretrained(folder);
    const picture = randomPicture(PARITY_PICTURES[1]!);
    const question = 'what is it?';
    const inputs = await processor.process({ images: picture, text: question });
    const answers = await blip.predictAnswers(picture, [question, 'why?'], { compat, maxLen: 6 });
    expect(answers.tokens.map(tokens => tokens.length > 0 && tokens.length <= 6)).toEqual([true, true]);
    for (const numBeams of [1, 3]) {
      const options = { compat, numBeams, maxNewTokens: 9, repetitionPenalty: 1.5, noRepeatNgramSize: 2 };
      const { sequences, finishReasons } = await model.generate({ ...inputs, ...options });
      const answer = await blip.ask(picture, question, options);
      const shown = [...answer.tokens];
      // Beams of 4.34 end with the first stop id; and its rows of Vicuna have 2 for each 0.
      if (finishReasons[0] === 'stop') shown.pop();
      const row = sequences[0]!.map(id => (id === 0 ? 2 : id)).slice(-answer.tokens.length);
      expect(row.slice(0, shown.length)).toEqual(shown.map(id => (id === 0 ? 2 : id)));
      let streamed = '';
      for await (const piece of blip.stream(picture, question, options)) streamed += piece;
      expect(streamed).toBe(answer.text);
    }
  });
});
