import { join } from 'node:path';
import type { AskOptions } from '../../src/model/ask-options.js';
import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import { demoModelFolder } from '../../src/model/demo-model.js';
import type { ImageFeatures } from '../../src/model/image-features.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { InstructBlipProcessor } from '../../src/processor/instruct-blip-processor.js';

const scene = join(demoModelFolder(), 'scene.png');
const MODELS = { demo: demoModelFolder(), 'demo-t5': join(process.cwd(), 'models', 'demo-t5') };
const SEARCHES: readonly AskOptions[] = [
  {},
  { temperature: 1.5, seed: 3 },
  { numBeams: 3 },
  { numBeams: 3, temperature: 1.5, seed: 4 },
  { numBeams: 4, numBeamGroups: 2, diversityPenalty: 0.5 },
  { compat: 'hf-4.34', numBeams: 2 },
];

describe.each(Object.entries(MODELS))('constrained answers of %s', (name, folder) => {
  let blip: InstructBlip;
  let image: ImageFeatures;
  beforeAll(async () => {
    blip = await InstructBlip.load(folder, { threads: 1 });
    image = await blip.encodeImage(scene);
  });
  afterAll(() => blip.dispose());

  it('choose the right one of several, and one of several wrong ones', async () => {
    for (const search of SEARCHES.filter(each => each.temperature === undefined)) {
      const right = await blip.ask(image, 'What color is the triangle?', {
        choices: ['red', 'blue', 'black', 'bla'],
        ...search,
      });
      expect([search, right.text, right.finishReason]).toEqual([search, 'black', 'stop']);
    }
    for (const search of SEARCHES) {
      const choices = ['crimson', 'deep blue'];
      const { text, finishReason } = await blip.ask(image, 'What color is the triangle?', { choices, ...search });
      expect([search, choices.includes(text), finishReason]).toEqual([search, true, 'stop']);
    }
  });

  it('follow a grammar; pieces join to the text', async () => {
    const grammar = 'root ::= "The picture shows a " size " " [a-z]+ " ." "\\u00e9"?\nsize ::= "small" | "large"';
    for (const search of SEARCHES) {
      const pieces: string[] = [];
      const options = { grammar, maxNewTokens: 60, ...search, onText: (piece: string) => pieces.push(piece) };
      const { text, finishReason } = await blip.ask(image, 'Describe the picture.', options);
      expect(pieces.join('')).toBe(text);
      // Cleaning up would take the space before the dot away.
      const whole = /^The picture shows a (small|large) [a-z]+ \.é?$/;
      if (finishReason === 'stop') expect([search, text]).toEqual([search, expect.stringMatching(whole)]);
      else expect([search, text]).toEqual([search, expect.stringMatching(/^The picture shows a (small|large) [a-z]+/)]);
    }
  });

  it('are JSON by a schema', async () => {
    const list = {
      type: 'array',
      items: { enum: ['red', 'green', 'black'] },
      minItems: 1,
      maxItems: 3,
    };
    const object = {
      properties: { count: { type: 'integer', minimum: 0, maximum: 20 }, colours: list, sure: { type: 'boolean' } },
      required: ['count', 'colours'],
    };
    const ask = (jsonSchema: Record<string, unknown>, search: AskOptions) =>
      blip.ask(image, 'What colors are there?', { jsonSchema, ...search });
    for (const search of SEARCHES) {
      const { text, finishReason } = await ask(list, search);
      expect(finishReason).toBe('stop');
      const colours = JSON.parse(text) as string[];
      expect(colours.length).toBeGreaterThan(0);
      expect(colours.every(colour => list.items.enum.includes(colour))).toBe(true);
      if (name === 'demo-t5') continue;
      const answer = await ask(object, { maxNewTokens: 120, ...search });
      if (answer.finishReason !== 'stop') continue;
      const { count, colours: known } = JSON.parse(answer.text) as { count: number; colours: string[] };
      expect([Number.isInteger(count) && count >= 0 && count <= 20, Array.isArray(known)]).toEqual([true, true]);
    }
    // T5 has no braces.
    if (name === 'demo-t5')
      await expect(ask(object, {})).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/the vocabulary of this model has no tokens for .*"\{"/),
      });
  });

  it('`generate` has the same answers in batches, and the decoder gives their text', async () => {
    const processor = await InstructBlipProcessor.fromPretrained(folder);
    const model = await InstructBlipForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    try {
      const questions = ['What color is the triangle?', 'How many objects are there?'];
      const inputs = await processor.process({ images: [scene, scene], text: questions, padding: true });
      const choices = ['black .', 'red .', 'four .', 'seven .'];
      for (const search of [{ numBeams: 3 }, {}]) {
        const { sequences, finishReasons } = await model.generate({ ...inputs, ...search, choices });
        expect(finishReasons).toEqual(['stop', 'stop']);
        const decoded = processor.batchDecode(sequences, {
          skipSpecialTokens: true,
          cleanUpTokenizationSpaces: false,
        });
        expect(decoded).toEqual(['black .', 'four .']);
      }
    } finally {
      await model.dispose();
    }
  });

  it('refuse what cannot be before any work', async () => {
    for (const options of [{ grammar: 'root ::= x' }, { choices: [] }, { jsonSchema: { not: {} } }] as AskOptions[])
      await expect(blip.ask('no-such-picture.png', 'q', options)).rejects.toMatchObject({
        code: expect.stringMatching(/^OPTION_/),
      });
  });
});
