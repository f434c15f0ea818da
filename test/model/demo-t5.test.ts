import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InstructBlip } from '../../src/model/instruct-blip.js';

/** What models/training/make_fixture.py writes: transformers' greedy answers on the values that the Q8_0 files hold. */
interface DemoFixture {
  readonly made: { readonly sha256: Record<string, string> };
  readonly pictures: {
    readonly file: string;
    readonly questions: { readonly question: string; readonly ids: number[]; readonly text: string }[];
  }[];
}

const models = join(process.cwd(), 'models', 'demo-t5');
const fixtures = join(process.cwd(), 'test', 'fixtures');
const fixture = JSON.parse(readFileSync(join(fixtures, 'demo-t5', 'answers.json'), 'utf8')) as DemoFixture;

describe('the demo model of the Flan-T5 kind', () => {
  let blip: InstructBlip;
  beforeAll(async () => {
    // One thread: the model is tiny, and jest's other workers want the cores.
    blip = await InstructBlip.load(models, { threads: 1 });
  });
  afterAll(() => blip.dispose());

  it('is the one that the fixture was made with', () => {
    const hash = (name: string) =>
      createHash('sha256')
        .update(readFileSync(join(models, name)))
        .digest('hex');
    const names = Object.keys(fixture.made.sha256);
    expect(names).toHaveLength(2);
    expect(Object.fromEntries(names.map(name => [name, hash(name)]))).toEqual(fixture.made.sha256);
  });

  it.each(fixture.pictures)('answers as transformers does: $file', async ({ file, questions }) => {
    const features = await blip.encodeImage(join(fixtures, 'demo', file));
    for (const { question, ids, text } of questions) {
      const answer = await blip.ask(features, question);
      expect({ question, ids: answer.tokens, text: answer.text }).toEqual({ question, ids, text });
      expect(answer.finishReason).toBe('stop');
    }
  });

  it('streams a description of the picture of `npm run demo`, in pieces', async () => {
    const scene = join(process.cwd(), 'models', 'demo', 'scene.png');
    const pieces: string[] = [];
    for await (const piece of blip.stream(scene, 'Describe the picture.')) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(10);
    expect(pieces.join('')).toBe(
      'The picture shows a small red square, a large black triangle, a small purple circle and a small orange cross.',
    );
  });
});
