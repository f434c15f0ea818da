import { DEFAULT_MAX_NEW_TOKENS } from '../../../src/generation/compat.js';
import type { GenerateOptions } from '../../../src/generation/generate-options.js';
import { interpretOptions } from '../../../src/generation/generation-settings.js';
import { GENERATE_OPTIONS, HF_ONLY_OPTIONS, OPTION_RULES } from '../../../src/generation/option-rules.js';
import { validateGenerateOptions } from '../../../src/generation/validate-options.js';

const VICUNA = {
  vocabularySize: 32001,
  bosTokenId: 0,
  decoderStartTokenId: -1,
  padTokenId: -1,
  eosTokenIds: [1],
  vocabularyEosTokenId: 2,
};
const validate = (options: Record<string, unknown>) => validateGenerateOptions(options);
const interpret = (options: GenerateOptions) => interpretOptions(validateGenerateOptions(options), VICUNA);
const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** One value of each option that is allowed, and ones that are not. */
const VALUES: Record<keyof GenerateOptions, { good: unknown; bad: unknown[] }> = {
  maxNewTokens: { good: 1, bad: [0, -1, 1.5, '5', Number.NaN, Number.POSITIVE_INFINITY, null] },
  minNewTokens: { good: 0, bad: [-1, 0.5, null] },
  maxLength: { good: 5, bad: [0, '5'] },
  minLength: { good: 0, bad: [-1] },
  doSample: { good: true, bad: [1, 'true', null] },
  temperature: { good: 0.5, bad: [0, -1, 1e-60, Number.NaN, '1'] },
  topK: { good: 0, bad: [-1, 1.5] },
  topP: { good: 1, bad: [-0.1, 1.1] },
  minP: { good: 0, bad: [-0.1, 1.1] },
  typicalP: { good: 1, bad: [0, 1.1] },
  epsilonCutoff: { good: 0, bad: [-0.1, 1] },
  etaCutoff: { good: 0.5, bad: [-0.1, 1] },
  seed: { good: 0, bad: [-1, 0.5, 2 ** 53] },
  numBeams: { good: 5, bad: [0, 65, 2.5, '5', null] },
  numBeamGroups: { good: 1, bad: [0, 1.5] },
  diversityPenalty: { good: 0.5, bad: [-1, Number.NaN] },
  earlyStopping: { good: 'never', bad: ['always', 1, null] },
  lengthPenalty: { good: -1, bad: ['1', Number.POSITIVE_INFINITY] },
  repetitionPenalty: { good: 1.5, bad: [0, -1] },
  noRepeatNgramSize: { good: 3, bad: [-1, 2.5] },
  badWordsIds: { good: [[1, 2]], bad: [[1], [[]], [[-1]], 'x'] },
  sequenceBias: { good: [[[1, 2], -1]], bad: [[[1, 2]], [[[], 1]], [[[1], Number.NaN]]] },
  suppressTokens: { good: [1], bad: [1, [-1], [1.5]] },
  beginSuppressTokens: { good: [], bad: [{}] },
  forcedBosTokenId: { good: 1, bad: [-1, [1]] },
  forcedEosTokenId: { good: [1, 2], bad: [-1, ['1']] },
  exponentialDecayLengthPenalty: { good: [3, 1.1], bad: [[3], [3, 0], [-1, 2]] },
  renormalizeLogits: { good: false, bad: [0] },
  removeInvalidValues: { good: true, bad: [null] },
  eosTokenId: { good: [], bad: [-1, [2 ** 31]] },
  bosTokenId: { good: 0, bad: [-1] },
  decoderStartTokenId: { good: 0, bad: [-1, 1.5, '0'] },
  stopStrings: { good: 'x', bad: ['', [''], 5] },
  grammar: { good: 'root ::= "x"', bad: ['', 5, null] },
  jsonSchema: { good: { type: 'string' }, bad: ['{}', [], null, true] },
  choices: { good: ['red'], bad: [[], [''], 'red', [1], null] },
  logitsProcessors: { good: [() => {}], bad: [() => {}, [1]] },
  compat: { good: 'hf-4.34', bad: ['hf', 4, 'ask', 'hf-4', null] },
};

describe('each option takes effect or throws', () => {
  it.each(Object.keys(OPTION_RULES) as (keyof GenerateOptions)[])('%s', name => {
    const { good, bad } = VALUES[name];
    expect(validate({ [name]: good })).toEqual({ [name]: good });
    for (const value of bad) {
      expect(() => validate({ [name]: value })).toThrow(
        failure('OPTION_INVALID', new RegExp(`^${name} must be .*, but is `)),
      );
    }
  });

  it('undefined is "not set"', () => {
    expect(validate({ topK: undefined, numBeams: undefined })).toEqual({});
  });

  it.each(
    Object.entries(GENERATE_OPTIONS),
  )('%s is an option of generate; its neutral value is fine', (name, neutral) => {
    expect(validate({ [name]: neutral })).toEqual({});
    expect(() => validate({ [name]: 5 })).toThrow(
      failure('OPTION_UNSUPPORTED', new RegExp(`${name} = 5 is an option of .*\\.generate only`)),
    );
  });

  it.each(['hf-4.34', 'hf-5', 'lavis'])('compat may be %s', compat => {
    expect(validate({ compat })).toEqual({ compat });
  });

  it.each(HF_ONLY_OPTIONS)('%s is of transformers only', name => {
    expect(() => validate({ [name]: 1 })).toThrow(failure('OPTION_UNSUPPORTED', new RegExp(name)));
  });

  it.each([
    ['maxNewToken', 'maxNewTokens'],
    ['max_new_tokens', 'maxNewTokens'],
    ['temprature', 'temperature'],
    ['top-p', 'topP'],
  ])('unknown %s is answered with %s', (written, meant) => {
    expect(() => validate({ [written]: 1 })).toThrow(failure('OPTION_UNKNOWN', new RegExp(`did you mean '${meant}'`)));
  });

  it('names of Object.prototype are unknown like any other', () => {
    expect(() => validate({ constructor: 1 })).toThrow(failure('OPTION_UNKNOWN', /constructor/));
    expect(() => validateGenerateOptions(5 as unknown as object)).toThrow(failure('OPTION_INVALID', /options/));
  });
});

describe('what options mean', () => {
  it('defaults: greedy, 256 tokens, stop at 1 and 2, processors see generated tokens only', () => {
    expect(interpret({})).toMatchObject({
      doSample: false,
      maxNewTokens: DEFAULT_MAX_NEW_TOKENS,
      maxNewTokensGiven: false,
      stopIds: [1, 2],
      contextPrefix: [],
      topK: 0,
    });
  });

  it("compat 'hf-4.34': the checkpoint's stop id, BOS in the context, top 50 when sampling, maxLength counts the BOS", () => {
    expect(interpret({ compat: 'hf-4.34', maxLength: 20 })).toMatchObject({
      stopIds: [1],
      contextPrefix: [0],
      topK: 50,
      maxNewTokens: 19,
      maxNewTokensGiven: true,
    });
    expect(interpret({ compat: 'hf-4.34', bosTokenId: 7 }).contextPrefix).toEqual([7]);
  });

  it("compat 'hf-5': the prompt in the context, which lengths count; other rules of beams", () => {
    const hf5 = (options: GenerateOptions) =>
      interpretOptions({ compat: 'hf-5', ...options }, VICUNA, null, () => [9, 9, 2, 5]);
    expect(hf5({ maxLength: 20, minLength: 6, numBeams: 3, eosTokenId: [1, 2, 3] })).toMatchObject({
      contextPrefix: [9, 9, 2, 5],
      maxNewTokens: 16,
      minLength: 6,
      topK: 50,
      minTokensToKeep: 4,
    });
    expect(() => hf5({ maxLength: 4 })).toThrow(
      failure('OPTION_INVALID', /behind the 4 tokens that it counts, but is 4/),
    );
    expect(() => hf5({ bosTokenId: 1 })).toThrow(
      failure('OPTION_INVALID', /together with compat: 'hf-4.34' or compat: 'lavis'/),
    );
    expect(() => hf5({ forcedBosTokenId: 1 })).toThrow(failure('OPTION_INVALID', /forcedBosTokenId has no effect/));
    expect(() => hf5({ numBeams: 4, numBeamGroups: 2 })).toThrow(
      failure('OPTION_UNSUPPORTED', /has no groups of beams/),
    );
    expect(() => hf5({ numBeams: 4, diversityPenalty: 1 })).toThrow(failure('OPTION_INVALID', /diversityPenalty/));
  });

  it("compat 'hf-5' fills rows of beams up with the padding id, but with the stop id where that is 0", () => {
    const padding = (options: GenerateOptions, padTokenId: number) =>
      interpretOptions({ compat: 'hf-5', ...options }, { ...VICUNA, padTokenId }, null, () => [2]).padTokenId;
    expect([padding({ numBeams: 2 }, 0), padding({ numBeams: 2 }, 7), padding({}, 0), padding({}, -1)]).toEqual([
      1, 7, 0, 1,
    ]);
  });

  it("compat 'lavis': the arguments of LAVIS' generate, and the vocabulary's </s>", () => {
    const lavis = (options: GenerateOptions, facts = VICUNA) =>
      interpretOptions({ compat: 'lavis', ...options }, facts);
    expect(lavis({})).toMatchObject({
      stopIds: [2],
      contextPrefix: [0],
      maxNewTokens: 255,
      maxNewTokensGiven: false,
      minLength: 1,
      numBeams: 5,
      repetitionPenalty: 1.5,
      lengthPenalty: 1,
      topP: 0.9,
      doSample: false,
    });
    expect(lavis({ topP: 0.5, temperature: 2 }).doSample).toBe(false);
    expect(lavis({ maxLength: 30, numBeams: 1 })).toMatchObject({ maxNewTokens: 29, numBeams: 1 });
    expect(lavis({ maxLength: 30 }, { ...VICUNA, decoderStartTokenId: 0 }).maxNewTokens).toBe(30);
  });

  it('an encoder-decoder starts with its start token, which is its context', () => {
    const t5 = { ...VICUNA, decoderStartTokenId: 0 };
    expect(interpretOptions({}, t5)).toMatchObject({ answerStart: [0], contextPrefix: [] });
    expect(interpretOptions({ decoderStartTokenId: 5, compat: 'hf-4.34' }, t5)).toMatchObject({
      answerStart: [5],
      contextPrefix: [5],
    });
    expect(() => interpretOptions({ bosTokenId: 1 }, t5)).toThrow(failure('OPTION_INVALID', /encoder-decoder/));
    expect(interpret({}).answerStart).toEqual([]);
  });

  it('beams: neutral values need no beams, and keep two tokens in filters', () => {
    expect(interpret({ lengthPenalty: 1, earlyStopping: false, numBeams: 1 }).minTokensToKeep).toBe(1);
    expect(interpret({ numBeams: 3, lengthPenalty: -1, earlyStopping: 'never' })).toMatchObject({
      numBeams: 3,
      lengthPenalty: -1,
      earlyStopping: 'never',
      minTokensToKeep: 2,
      padTokenId: 1,
    });
  });

  it('a sampling option makes a call sample; doSample: false switches it off', () => {
    expect(interpret({ temperature: 0.7 }).doSample).toBe(true);
    expect(interpret({ topP: 0.9, doSample: false }).doSample).toBe(false);
    expect(interpret({ seed: 3 })).toMatchObject({ doSample: false, seed: 3 });
  });

  it('eosTokenId replaces the stop ids', () => {
    expect(interpret({ eosTokenId: [5, 5, 6] }).stopIds).toEqual([5, 6]);
    expect(interpret({ eosTokenId: [] }).stopIds).toEqual([]);
  });

  it('of two biases for one sequence the last counts', () => {
    const { sequenceBias } = interpret({
      sequenceBias: [
        [[1, 2], 3],
        [[1, 2], 4],
      ],
    });
    expect(sequenceBias).toEqual([{ ids: [1, 2], bias: 4 }]);
  });

  it.each<[GenerateOptions, RegExp]>([
    [{ maxLength: 5, maxNewTokens: 5 }, /exclude each other/],
    [{ maxNewTokens: 5, minNewTokens: 6 }, /minNewTokens = 6/],
    [{ maxLength: 5, minLength: 6 }, /minLength = 6/],
    [{ maxLength: 1, compat: 'hf-4.34' }, /maxLength must leave room/],
    [{ bosTokenId: 1 }, /only together with compat/],
    [{ decoderStartTokenId: 1 }, /only for an encoder-decoder/],
    [{ lengthPenalty: 2 }, /lengthPenalty = 2 has a meaning only with numBeams above 1/],
    [{ earlyStopping: true }, /earlyStopping = true has a meaning only with numBeams/],
    [{ numBeamGroups: 2 }, /numBeamGroups = 2 has a meaning only with numBeams/],
    [{ numBeams: 5, numBeamGroups: 2 }, /numBeamGroups = 2 must divide numBeams = 5/],
    [{ numBeams: 4, numBeamGroups: 2, topP: 0.5 }, /excludes sampling/],
    [{ numBeams: 4, diversityPenalty: 1 }, /diversityPenalty has a meaning only with numBeamGroups/],
    [{ suppressTokens: [5, 32001] }, /suppressTokens names token 32001/],
    [{ eosTokenId: 99999 }, /eosTokenId names token 99999/],
  ])('%j cannot be met', (options, message) => {
    expect(() => interpret(options)).toThrow(failure('OPTION_INVALID', message));
  });
});
