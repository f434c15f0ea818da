import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { ImageFeatures } from '../../src/model/image-features.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { PARITY_PICTURES, randomPicture } from '../unit/support/pictures.js';
import { ParityFiles } from './support/parity.js';

interface Reference {
  readonly classes: readonly {
    readonly pictures: number[];
    readonly prompt: string;
    readonly candidates: string[];
    readonly losses: number[];
    readonly tokens: number;
  }[];
  readonly answers: readonly {
    readonly pictures: number[];
    readonly question: string;
    readonly ids: number[];
    readonly text: string;
  }[];
  /** Of `generate`. */
  readonly captions: readonly {
    readonly pictures: number[];
    readonly question: string;
    readonly numBeams: number;
    readonly maxLength: number;
    readonly ids: number[];
  }[];
}

const { checkpoints }: { checkpoints: Record<string, Reference> } = JSON.parse(
  gunzipSync(readFileSync('test/fixtures/parity/lavis.json.gz')).toString(),
);
/** Of a loss of transformers in float32. */
const TOLERANCE = 1e-5;

describe.each(PARITY_RECIPES.map(recipe => [recipe.name, recipe] as const))('LAVIS on %s', (name, recipe) => {
  const { classes, answers, captions } = checkpoints[name]!;
  let checkpoint: ParityFiles;
  let folder: string;

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    ({ folder } = await checkpoint.convert('F32', 'F32'));
  });
  afterAll(() => checkpoint?.dispose());

  async function withModel(maxBatch: number, work: (blip: InstructBlip, features: ImageFeatures[]) => Promise<void>) {
    // One thread: threads that wait for each other make tiny models slow on a busy machine.
    const options = { device: 'cpu', threads: 1, kvCacheType: 'f32', contextSize: 512, maxBatch } as const;
    const blip = await InstructBlip.load(folder, options);
    try {
      await work(blip, await Promise.all(PARITY_PICTURES.map(picture => blip.encodeImage(randomPicture(picture)))));
    } finally {
      await blip.dispose();
    }
  }

  // One sequence: the prompt is read anew; two: it waits beside one row; sixteen: all candidates in one part.
  it.each([1, 2, 5, 16])('predictClass gives the losses of transformers with %d sequences', maxBatch =>
    withModel(maxBatch, async (blip, features) => {
      for (const { pictures, prompt, candidates, losses, tokens } of classes) {
        const found = await blip.predictClass(
          pictures.map(picture => features[picture]!),
          prompt,
          candidates,
        );
        for (const [i, loss] of losses.entries())
          expect(Math.abs(found.losses[i]! - loss) / loss).toBeLessThan(TOLERANCE);
        expect(found.ranks).toEqual([...losses.keys()].sort((a, b) => losses[a]! - losses[b]!));
        expect(found.usage.candidateTokens).toBe(tokens);
      }
    }));

  it("compat: 'lavis' answers as transformers does with the arguments of LAVIS", () =>
    withModel(16, async (blip, features) => {
      for (const { pictures, question, numBeams, maxLength, ids } of captions) {
        const picked = pictures.map(picture => features[picture]!);
        // Five beams are its default.
        const beams = numBeams === 5 ? {} : { numBeams };
        const { tokens } = await blip.ask(picked, question, { compat: 'lavis', maxLength, ...beams });
        expect(tokens).toEqual(ids);
      }
    }));

  it('predictAnswers answers as transformers does with the arguments of LAVIS', () =>
    withModel(16, async (blip, features) => {
      for (const { pictures, question, ids, text } of answers) {
        const picked = pictures.map(picture => features[picture]!);
        const found = await blip.predictAnswers(picked, question);
        expect({ tokens: found.tokens, texts: found.texts }).toEqual({ tokens: [ids], texts: [text] });
        // Several in one batch, in parts of three: each as alone.
        const places = { prompt: 'Question: {} Short answer:' };
        const asked = ['what?', question, 'is it a cat?', 'x'];
        const together = await blip.predictAnswers(picked, asked, places);
        for (const [i, each] of asked.entries())
          expect((await blip.predictAnswers(picked, each, places)).tokens[0]).toEqual(together.tokens[i]);
      }
    }));
});
