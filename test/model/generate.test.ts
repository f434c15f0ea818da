import { InstructBlipConfig } from '../../src/config/instruct-blip-config.js';
import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import type { GenerateArguments } from '../../src/model/generate-batch.js';
import { Tensor } from '../../src/tensor.js';
import { idsOf, type Script, ScriptedModel } from './support/scripted-model.js';

function scripted(script: Script = {}, sequences = 4) {
  const scriptedModel = new ScriptedModel(script);
  const facts = { config: new InstructBlipConfig(), textInput: true };
  return {
    model: new InstructBlipForConditionalGeneration(scriptedModel.parts(), { sequences }, facts),
    scriptedModel,
  };
}

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const ints = (...rows: number[][]) => new Tensor(Int32Array.from(rows.flat()), [rows.length, rows[0]!.length]);
/** The scripted model's pictures are 2 x 2 pixels, and only the first value counts. */
const pixelsOf = (...pictures: number[]) =>
  new Tensor(Float32Array.from(pictures.flatMap(each => [each, ...new Array<number>(11).fill(0)])), [
    pictures.length,
    3,
    2,
    2,
  ]);
const inputsOf = (...pictures: number[]): GenerateArguments => ({
  pixelValues: pixelsOf(...pictures),
  inputIds: ints(...pictures.map(() => [2, ...idsOf('q')])),
  qformerInputIds: ints(...pictures.map(() => [101, 102])),
});

describe('generate', () => {
  it('gives the start id, the ids, and usage', async () => {
    const { model } = scripted({ answer: () => 'ab' });
    const { sequences, finishReasons, usage, sequencesScores } = await model.generate(inputsOf(7));
    expect({ sequences, finishReasons, sequencesScores }).toEqual({
      sequences: [[0, ...idsOf('ab'), 1]],
      finishReasons: ['stop'],
    });
    expect(usage).toEqual({ imageTokens: 2, promptTokens: 2, generatedTokens: 3 });
  });

  it('has a length of 20 where none is given, and no sampling where it is not asked for', async () => {
    const { model } = scripted({ answer: () => 'a'.repeat(50) });
    const { sequences, finishReasons } = await model.generate({ ...inputsOf(7), topP: 0.9 });
    expect([sequences[0]!.length, finishReasons]).toEqual([20, ['length']]);
  });

  it('leaves out what the masks hide', async () => {
    const questions: string[] = [];
    const { model, scriptedModel } = scripted({
      answer: question => {
        questions.push(question);
        return 'x';
      },
    });
    await model.generate({
      ...inputsOf(7),
      inputIds: ints([9, 9, 2, ...idsOf('hi')]),
      attentionMask: ints([0, 0, 1, 1, 1]),
      qformerInputIds: ints([101, 50, 102, 0]),
      qformerAttentionMask: ints([1, 1, 1, 0]),
    });
    expect(questions).toEqual(['hi']);
    expect(scriptedModel.work).toContain('qformer:101,50,102');
  });

  it("writes image ids and the prompt with its padding under 'hf-5', which processors see and lengths count", async () => {
    const { model } = scripted({ answer: () => 'abcdef', info: { imageTokenId: 9 } });
    const seen: (readonly number[])[] = [];
    const prompt = [3, 3, 2, ...idsOf('hi')];
    const given = {
      ...inputsOf(7),
      inputIds: ints(prompt),
      attentionMask: ints([0, 0, 1, 1, 1]),
      compat: 'hf-5',
      logitsProcessors: [(tokens: readonly number[]) => void seen.push(tokens)],
    } as const;
    const { sequences } = await model.generate({ ...given, maxLength: 10 });
    expect(sequences).toEqual([[9, 9, ...prompt, ...idsOf('abc')]]);
    expect(seen[1]).toEqual([9, 9, ...prompt, ...idsOf('a')]);
    await expect(model.generate({ ...given, maxLength: 7 })).rejects.toEqual(
      failure('OPTION_INVALID', /^maxLength must leave room for an answer behind the 7 tokens/),
    );
  });

  it('keeps scores for those who ask', async () => {
    const { model } = scripted({ answer: () => 'abc' });
    expect(await model.generate(inputsOf(7, 8))).not.toHaveProperty('scores');
    const asked = { ...inputsOf(7, 8), outputScores: true, returnTokenScores: true };
    const { scores, tokenScores, beamIndices } = await model.generate(asked);
    expect(scores!.map(({ dims }) => dims)).toEqual(new Array(4).fill([2, 128]));
    expect(tokenScores!.map(row => row.length)).toEqual([4, 4]);
    expect(beamIndices).toBeUndefined();
    const beams = await model.generate({ ...asked, numBeams: 2, numReturnSequences: 2 });
    expect(beams.scores![0]!.dims).toEqual([4, 128]);
    expect(beams.beamIndices!.map(row => row[0])).toEqual([0, 0, 2, 2]);
  });

  it('writes 2 for 0 where transformers 4.34 does: for the class name of the hub’s Vicuna', async () => {
    const { model } = scripted({ answer: () => 'a', info: { languageArchitecture: 'LLaMAForCausalLM' } });
    expect((await model.generate(inputsOf(7))).sequences).toEqual([[2, ...idsOf('a'), 1]]);
  });

  it.each<[Partial<Record<keyof GenerateArguments, unknown>>, RegExp]>([
    [{ pixelValues: undefined }, /^pixelValues must be a Tensor of Float32Array/],
    [{ pixelValues: ints([1]) }, /^pixelValues must be a Tensor of Float32Array/],
    [{ pixelValues: new Tensor(new Float32Array(12), [1, 3, 4, 1]) }, /^pixelValues must be \[batch, 3, 2, 2\]/],
    [{ pixelValues: new Tensor(new Float32Array(0), [0, 3, 2, 2]) }, /of at least 1 each, but is \[0, 3, 2, 2\]/],
    [{ pixelValues: new Tensor(new Float32Array(0), [1, 0, 3, 2, 2]) }, /of at least 1 each, but is \[1, 0, 3/],
    [{ pixelValues: new Tensor(new Float32Array(12), [1, 3, 1, 2, 2]) }, /^pixelValues must be \[batch, 3, 2, 2\]/],
    [{ pixelValues: pixelsOf(Number.NaN) }, /^pixelValues has/],
    [{ pixelValues: pixelsOf(Number.NEGATIVE_INFINITY) }, /^pixelValues has/],
    [{ imageFeatures: [] }, /^pixelValues and imageFeatures exclude each other/],
    [{ pixelValues: undefined, imageFeatures: [] }, /^imageFeatures must be an array with image features/],
    [{ pixelValues: undefined, imageFeatures: [[]] }, /^imageFeatures must be an array with image features/],
    [{ pixelValues: undefined, imageFeatures: [5] }, /^imageFeatures must be an array with image features/],
    [{ pixelValues: pixelsOf(1, 2) }, /^inputIds must be \[2, tokens\], as there are 2 pictures/],
    [{ inputIds: ints([2, 128]) }, /^inputIds has the id 128, but the vocabulary has 128/],
    [{ inputIds: ints([2, -1]) }, /^inputIds has the id -1/],
    [{ inputIds: new Tensor(new Int32Array(0), [1, 0]) }, /^row 0 of inputIds has no token/],
    [{ attentionMask: ints([0, 0]) }, /^row 0 of inputIds has no token that attentionMask leaves/],
    [{ attentionMask: ints([1, 1, 1]) }, /^attentionMask must be as inputIds, \[1, 2\]/],
    [{ attentionMask: ints([1, 2]) }, /^attentionMask must be of 0 and 1/],
    [{ qformerInputIds: ints([101, 200]) }, /^qformerInputIds has the id 200/],
    [{ qformerInputIds: undefined }, /^qformerInputIds must be a Tensor of Int32Array/],
    [{ numReturnSequences: 2 }, /^numReturnSequences must be 1 for greedy search/],
    [{ numReturnSequences: 3, numBeams: 2 }, /^numReturnSequences must be at most numBeams \(2\)/],
    [{ numReturnSequences: 0 }, /^numReturnSequences must be an integer of at least 1/],
  ])('refuses %# before any work', async (changes, message) => {
    const { model, scriptedModel } = scripted();
    const given = { ...inputsOf(1), ...changes } as GenerateArguments;
    await expect(model.generate(given)).rejects.toEqual(failure('OPTION_INVALID', message));
    expect(scriptedModel.work).toEqual([]);
  });

  it('ends rows and beams at stop strings, and keeps the token that completes one', async () => {
    const answers = ['one, two', 'five'];
    const { model } = scripted({ answer: (_, pixel) => answers[pixel] as string });
    for (const search of [{}, { numBeams: 2 }]) {
      const rows = [0, 1].map(picture => model.generate({ ...inputsOf(picture), ...search, stopStrings: ['e,'] }));
      const [first, second] = await Promise.all(rows);
      expect([first?.sequences, first?.finishReasons]).toEqual([[[0, ...idsOf('one,')]], ['stop']]);
      expect([second?.sequences, second?.finishReasons]).toEqual([[[0, ...idsOf('five'), 1]], ['stop']]);
    }
  });

  it.each<[string, Partial<GenerateArguments>]>([
    ['grammar', { grammar: 'root ::= "one" [a-z ]* | "five"' }],
    ['choices', { choices: ['ones', 'five'] }],
    ['jsonSchema', { jsonSchema: { enum: ['one', 5] } }],
  ])('keeps every row of a batch to %s', async (_, option) => {
    const answers = ['one, two', 'five'];
    const { model } = scripted({ answer: (_question, pixel) => answers[pixel] as string });
    for (const search of [{}, { numBeams: 2 }, { doSample: true, seed: 3, topK: 0 }]) {
      const output = await model.generate({ ...inputsOf(0, 1), ...option, ...search, maxNewTokens: 12 });
      const texts = output.sequences.map(row => String.fromCharCode(...row.filter(id => id > 2)));
      for (const [i, text] of texts.entries()) {
        if (option.choices) expect(option.choices).toContain(text);
        if (option.jsonSchema) expect(['one', 5]).toContain(JSON.parse(text));
        if (option.grammar)
          expect(text).toMatch(output.finishReasons[i] === 'stop' ? /^(one[a-z ]*|five)$/ : /^one[a-z ]*$/);
      }
    }
  });

  it('refuses options that it does not have', async () => {
    const { model } = scripted();
    await expect(model.generate({ ...inputsOf(1), penaltyAlpha: 1 } as GenerateArguments)).rejects.toEqual(
      failure('OPTION_UNSUPPORTED', /penaltyAlpha/),
    );
    await expect(model.generate({ ...inputsOf(1), pixelvalues: 1 } as GenerateArguments)).rejects.toEqual(
      failure('OPTION_UNKNOWN', /pixelValues/),
    );
    await expect(model.generate({ ...inputsOf(1), maxNewTokens: 5000 })).rejects.toEqual(
      failure('CONTEXT_LENGTH_EXCEEDED', /100/),
    );
  });

  it('reads frames one after the other, and features in place of pixels', async () => {
    const { model, scriptedModel } = scripted({ answer: (_, pixel) => String(pixel) });
    const { inputIds, qformerInputIds } = inputsOf(5, 6);
    const pixelValues = new Tensor(pixelsOf(5, 7, 6, 8).data, [2, 2, 3, 2, 2]);
    const made = await model.generate({ pixelValues, inputIds, qformerInputIds });
    expect(made.sequences).toEqual([
      [0, ...idsOf('5'), 1],
      [0, ...idsOf('6'), 1],
    ]);
    expect(made.usage.imageTokens).toBe(8);
    const [first, second] = await model.encodeImages(pixelValues);
    const visions = () => scriptedModel.work.filter(name => name === 'vision').length;
    const before = visions();
    const imageFeatures = [second![0]!, [first![1]!, first![0]!, second![1]!]];
    const { sequences, usage } = await model.generate({ imageFeatures, inputIds, qformerInputIds });
    expect(sequences.map(row => row[1])).toEqual([idsOf('6')[0], idsOf('7')[0]]);
    expect([usage.imageTokens, visions()]).toEqual([8, before]);
    await expect(scripted().model.generate({ imageFeatures, inputIds, qformerInputIds })).rejects.toEqual(
      failure('IMAGE_FEATURES_MISMATCH', /another loaded model/),
    );
    const bytes = await first![0]!.toBytes();
    expect((await model.loadImageFeatures(bytes)).shape).toEqual([1, 1]);
  });

  it('is aborted and disposed of', async () => {
    const { model, scriptedModel } = scripted({ delay: 5, answer: () => 'a'.repeat(15) });
    const controller = new AbortController();
    const aborted = model.generate({ ...inputsOf(1), signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(aborted).rejects.toThrow('enough');
    const running = model.generate(inputsOf(1));
    const outcome = expect(running).rejects.toMatchObject({ code: 'DISPOSED' });
    await model.dispose();
    await outcome;
    expect([scriptedModel.openSessions, scriptedModel.takenCells, scriptedModel.disposed]).toEqual([0, 0, true]);
    await expect(model.generate(inputsOf(1))).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
