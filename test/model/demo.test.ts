import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { demoModelFolder } from '../../src/model/demo-model.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';

/** What models/training/make_fixture.py writes: transformers' greedy answers on the same weights. */
interface DemoFixture {
  readonly made: { readonly sha256: Record<string, string> };
  readonly pictures: {
    readonly file: string;
    readonly questions: { readonly question: string; readonly ids: number[]; readonly text: string }[];
  }[];
}

const END_OF_TEXT = 2;
const folder = join(process.cwd(), 'test', 'fixtures', 'demo');
const fixture = JSON.parse(readFileSync(join(folder, 'answers.json'), 'utf8')) as DemoFixture;
const scene = join(demoModelFolder(), 'scene.png');

describe('the demo model that ships', () => {
  let blip: InstructBlip;
  beforeAll(async () => {
    // One thread: the model is tiny, and jest's other workers want the cores.
    blip = await InstructBlip.load(demoModelFolder(), { threads: 1 });
  });
  afterAll(() => blip.dispose());

  it('is the one that the fixture was made with', () => {
    const hash = (name: string) =>
      createHash('sha256')
        .update(readFileSync(join(demoModelFolder(), name)))
        .digest('hex');
    const names = Object.keys(fixture.made.sha256);
    expect(Object.fromEntries(names.map(name => [name, hash(name)]))).toEqual(fixture.made.sha256);
  });

  it.each(fixture.pictures)('answers as transformers does: $file', async ({ file, questions }) => {
    const features = await blip.encodeImage(join(folder, file));
    for (const { question, ids, text } of questions) {
      const answer = await blip.ask(features, question);
      // transformers ends at <s> (1); we end at </s> (2), which the model says before it.
      const end = ids.indexOf(END_OF_TEXT) + 1;
      expect({ question, ids: answer.tokens, text: answer.text }).toEqual({ question, ids: ids.slice(0, end), text });
      expect(answer.finishReason).toBe('stop');
    }
  });

  it('describes the picture of `npm run demo` rightly, in pieces', async () => {
    const pieces: string[] = [];
    for await (const piece of blip.stream(scene, 'Describe the picture.')) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(10);
    expect(pieces.join('')).toBe(
      'The picture shows a small red square, a large black triangle, a small purple circle and a small orange cross.',
    );
  });

  it('samples the same from the same seed on any number of threads', async () => {
    const sample = { temperature: 2, topK: 0, maxNewTokens: 20 };
    const idsOf = async (model: InstructBlip, seed: number) =>
      (await model.ask(scene, 'Describe the picture.', { ...sample, seed })).tokens;
    const wider = await InstructBlip.load(demoModelFolder(), { threads: 3 });
    try {
      const first = await idsOf(blip, 1);
      expect(await idsOf(blip, 1)).toEqual(first);
      expect(await idsOf(wider, 1)).toEqual(first);
      expect(await idsOf(wider, 2)).not.toEqual(first);
    } finally {
      await wider.dispose();
    }
  });

  it('answers other questions about it', async () => {
    const questions = {
      'How many objects are there?': 'four',
      'Where is the cross?': 'bottom right',
      'What color is the triangle?': 'black',
      'Is there a green star?': 'no',
    };
    const features = await blip.encodeImage(scene);
    for (const [question, text] of Object.entries(questions)) {
      expect((await blip.ask(features, question)).text).toBe(text);
    }
  });
});
