import { InstructBlipConfig } from '../../src/config/instruct-blip-config.js';
import type { GenerateOptions } from '../../src/generation/generate-options.js';
import { OPTION_RULES } from '../../src/generation/option-rules.js';
import { shown } from '../../src/generation/validate-options.js';
import type { Picture } from '../../src/model/ask.js';
import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import { type GenerateArguments, OWN_RULES } from '../../src/model/generate-batch.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { Tensor } from '../../src/tensor.js';
import { ScriptedModel } from './support/scripted-model.js';

// Every option, with every value that its rule forbids, through every call: refused by name, value and rule, and nothing has been done.
const VALUES: readonly unknown[] = [
  null,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  -0.5,
  0,
  0.5,
  1.5,
  65,
  2 ** 31,
  2 ** 53,
  5n,
  true,
  '',
  'x',
  '5',
  {},
  [],
  [''],
  [null],
  [-1],
  [0.5],
  ['x'],
  [[]],
  [[-1]],
  [[1], 'x'],
  [[[1]]],
  [[[1], '1']],
  [3, 0, 1],
  () => 5,
  [() => 5, 5],
  new Date(0),
  Symbol('s'),
];
/** No option is any of these. */
const NEVER: readonly unknown[] = [null, Number.NaN, 5n];

interface Call {
  readonly name: string;
  /** Which options it has. */
  readonly rules: Readonly<Record<string, { expected: string; allows: (value: unknown) => boolean }>>;
  readonly run: (model: ScriptedModel, options: object) => Promise<unknown>;
}

const ids = new Tensor(Int32Array.of(5, 6), [1, 2]);
const inputs = { pixelValues: new Tensor(new Float32Array(12), [1, 3, 2, 2]), inputIds: ids, qformerInputIds: ids };
const instructBlip = (model: ScriptedModel) => new InstructBlip(model.parts(), { sequences: 64 });
const picture = 5 as unknown as Picture;
const isFunction = (value: unknown) => typeof value === 'function';
const delivery = {
  signal: { expected: 'an AbortSignal', allows: () => false },
  stopOnAbort: { expected: 'true or false', allows: (value: unknown) => typeof value === 'boolean' },
  onText: { expected: 'a function', allows: isFunction },
  onToken: { expected: 'a function', allows: isFunction },
  ocrTokens: {
    expected: 'an array of texts',
    allows: (value: unknown) => Array.isArray(value) && value.every(each => typeof each === 'string'),
  },
};
/** predictAnswers has names of its own for these, and no stop strings. */
const NOT_OF_ANSWERS = ['maxLength', 'maxNewTokens', 'minLength', 'minNewTokens', 'stopStrings'];
const isTexts = (value: unknown) => Array.isArray(value) && value.every(each => typeof each === 'string');
const answerRules = {
  ...Object.fromEntries(Object.entries(OPTION_RULES).filter(([name]) => !NOT_OF_ANSWERS.includes(name))),
  choices: {
    expected: 'an array of texts, or one for each question',
    allows: (value: unknown) => isTexts(value) || (Array.isArray(value) && value.every(isTexts)),
  },
};

const facts = { config: new InstructBlipConfig(), textInput: true };

const CALLS: readonly Call[] = [
  {
    name: 'ask',
    rules: { ...OPTION_RULES, ...delivery },
    run: (model, options) => instructBlip(model).ask(picture, 'q', options),
  },
  {
    name: 'stream',
    rules: { ...OPTION_RULES, ...delivery },
    run: (model, options) => instructBlip(model).stream(picture, 'q', options).next(),
  },
  {
    name: 'generate',
    rules: { ...OPTION_RULES, ...OWN_RULES, signal: delivery.signal },
    run: (model, options) =>
      new InstructBlipForConditionalGeneration(model.parts(), { sequences: 64 }, facts).generate({
        ...inputs,
        ...options,
      } as GenerateArguments),
  },
  {
    name: 'predictAnswers',
    rules: { ...answerRules, signal: delivery.signal, ocrTokens: delivery.ocrTokens },
    run: (model, options) => instructBlip(model).predictAnswers(picture, 'q', options),
  },
];

async function refused({ run }: Call, options: object, message: RegExp | string): Promise<void> {
  const model = new ScriptedModel();
  await expect(run(model, options)).rejects.toMatchObject({
    name: 'OptionError',
    code: 'OPTION_INVALID',
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
  expect([model.work, model.openSessions]).toEqual([[], 0]);
}

describe.each(CALLS.map(call => [call.name, call] as const))('%s refuses before any work', (_, call) => {
  it.each(Object.keys(call.rules))('wrong values of %s', async name => {
    const { expected, allows } = call.rules[name]!;
    const wrong = VALUES.filter(value => !allows(value));
    expect(wrong).toEqual(expect.arrayContaining([...NEVER]));
    expect(wrong.length).toBeGreaterThan(15);
    for (const value of wrong)
      await refused(call, { [name]: value }, `${name} must be ${expected}, but is ${shown(value)}`);
  });

  it('options that are none', async () => {
    if (call.name === 'generate') return;
    for (const options of [null, 5, 'x', []])
      await refused(call, options as unknown as object, `options must be an object, but is ${shown(options)}`);
  });

  const lengths =
    call.name === 'predictAnswers'
      ? []
      : ([
          [{ maxLength: 5, maxNewTokens: 5 }, /^maxLength and maxNewTokens exclude each other/],
          [{ maxNewTokens: 5, minNewTokens: 6 }, /^minNewTokens = 6 is more than the longest answer \(5/],
          [{ maxLength: 5, minLength: 7 }, /^minLength = 7 is more/],
        ] satisfies [GenerateOptions, RegExp][]);
  it.each<[GenerateOptions, RegExp]>([
    ...lengths,
    [{ numBeams: 1, lengthPenalty: 2 }, /^lengthPenalty = 2 has a meaning only with numBeams above 1/],
    [{ numBeams: 1, earlyStopping: 'never' }, /^earlyStopping = 'never' has a meaning only with numBeams/],
    [{ numBeams: 1, numBeamGroups: 2 }, /^numBeamGroups = 2 has a meaning only with numBeams/],
    [{ numBeams: 1, diversityPenalty: 1 }, /^diversityPenalty = 1 has a meaning only with numBeams/],
    [{ numBeams: 5, numBeamGroups: 2 }, /^numBeamGroups = 2 must divide numBeams = 5/],
    [{ numBeams: 4, diversityPenalty: 1 }, /^diversityPenalty has a meaning only with numBeamGroups above 1/],
    [{ numBeams: 4, numBeamGroups: 2, doSample: true }, /^numBeamGroups above 1 excludes sampling/],
    [{ suppressTokens: [5, 128] }, /^suppressTokens names token 128, but the vocabulary has 128 tokens/],
    [{ beginSuppressTokens: [999] }, /^beginSuppressTokens names token 999/],
    [
      {
        badWordsIds: [
          [1, 2],
          [1, 300],
        ],
      },
      /^badWordsIds names token 300/,
    ],
    [{ sequenceBias: [[[1, 400], 2]] }, /^sequenceBias names token 400/],
    [{ forcedBosTokenId: 128 }, /^forcedBosTokenId names token 128/],
    [{ forcedEosTokenId: [1, 128] }, /^forcedEosTokenId names token 128/],
    [{ eosTokenId: [1, 129] }, /^eosTokenId names token 129/],
    [{ bosTokenId: 130, compat: 'hf-4.34' }, /^bosTokenId names token 130/],
    [{ bosTokenId: 5, compat: 'hf-5' }, /^bosTokenId has a meaning only together with compat: 'hf-4.34' or/],
    [{ forcedBosTokenId: 5, compat: 'hf-5' }, /^forcedBosTokenId has no effect under compat: 'hf-5'/],
    [{ compat: 'hf-5' }, /^compat: 'hf-5' needs the checkpoint's image_token_index/],
    [{ decoderStartTokenId: 5 }, /^decoderStartTokenId has a meaning only for an encoder-decoder/],
  ])('the combination %j', (options, message) => refused(call, options, message));

  it('names that are none, those of Object.prototype as well', async () => {
    for (const name of ['numbeams', 'num_beams', 'constructor', 'toString', '']) {
      const model = new ScriptedModel();
      await expect(call.run(model, { [name]: 1 })).rejects.toMatchObject({
        code: 'OPTION_UNKNOWN',
        message: expect.stringContaining(`'${name}'`),
      });
      expect(model.work).toEqual([]);
    }
  });
});
