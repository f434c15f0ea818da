import type { Picture } from '../../src/model/ask.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import type { PredictAnswersOptions } from '../../src/model/predict-answers.js';
import type { PredictClassOptions } from '../../src/model/predict-class.js';
import { type Script, ScriptedModel } from './support/scripted-model.js';

const picture = (pixel: number): Picture => pixel as unknown as Picture;
const failure = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** A model that tells what it was asked, and answers 'yes' and `</s>`. */
function scripted(script: Script = {}, sequences = 8) {
  const asked: string[] = [];
  const answer = (question: string) => {
    asked.push(question);
    return 'yes\u0002';
  };
  const model = new ScriptedModel({ answer, ...script, info: { contextSize: 2000, ...script.info } });
  return { blip: new InstructBlip(model.parts(), { sequences }), model, asked };
}

describe('predictClass', () => {
  it('reads the prompt once and says what it counted', async () => {
    const { blip, model } = scripted();
    const { ranks, losses, usage, timings } = await blip.predictClass(picture(3), 'wet?', ['no', 'yes', 'yet', 'y']);
    // After 'yes' the scripted model ends the answer: all letters are alike to it then.
    expect(ranks[0]).toBe(3);
    expect(ranks[1]).toBe(1);
    expect(losses[1]).toBeLessThan(losses[2]!);
    expect(usage).toEqual({ imageTokens: 2, promptTokens: 5, candidateTokens: 9, computedTokens: 3 });
    expect(timings.cachedImages).toBe(0);
    expect(model.work.filter(name => name === 'prefill')).toHaveLength(1);
    expect([model.openSessions, model.takenCells]).toEqual([0, 0]);
  });

  it.each<[string, PredictClassOptions, string]>([
    ['plain', {}, 'plain'],
    ['Q: {}', { textInput: 'why {}?' }, 'Q: why {}?'],
    ['{} or {}', { textInput: ['a', 'b'] }, 'a or b'],
    ['{x} {}', { textInput: 'a' }, '{x} a'],
    ['p', { context: 'c' }, 'context: c. p'],
    ['p', { dialogHistory: 'h' }, 'dialog history: h\np'],
    ['p', { caption: 'k' }, 'This image has the caption "k". p'],
    [
      'p {}',
      { textInput: 't', context: 'c', dialogHistory: 'h', caption: 'k' },
      'This image has the caption "k". dialog history: h\ncontext: c. p t',
    ],
    ['p', { context: '', dialogHistory: '', caption: '' }, 'p'],
  ])('builds the prompt as LAVIS does: %j with %j', async (prompt, options, expected) => {
    const { blip, asked, model } = scripted();
    await blip.predictClass(picture(3), prompt, ['x'], options);
    expect(asked).toEqual([expected]);
    const instruction = [101, ...[...expected].map(character => character.charCodeAt(0)), 102];
    // The Q-Former keeps the end: eight positions.
    const kept = instruction.length > 8 ? [101, ...instruction.slice(-7)] : instruction;
    expect(model.work).toContain(`qformer:${kept.join()}`);
  });

  it('ranks the same whatever nSegments is', async () => {
    const candidates = Array.from({ length: 40 }, (_, i) => `y${'es'.repeat(i % 7)}${i}`);
    const { blip } = scripted();
    const expected = await blip.predictClass(picture(3), 'p', candidates);
    for (const nSegments of [1, 2, 7, 100]) {
      const { ranks, losses } = await blip.predictClass(picture(3), 'p', candidates, { nSegments });
      expect({ ranks, losses }).toEqual({ ranks: expected.ranks, losses: expected.losses });
    }
  });

  it('takes several pictures, any number of candidates, and one sequence', async () => {
    for (const sequences of [1, 2, 8]) {
      const { blip, model } = scripted({}, sequences);
      const candidates = Array.from({ length: 300 }, (_, i) => `${i}`);
      const { ranks, usage } = await blip.predictClass([picture(3), picture(4)], 'p', candidates);
      expect([...ranks].sort((a, b) => a - b)).toEqual([...candidates.keys()]);
      expect(usage.imageTokens).toBe(4);
      expect(model.mostSessions).toBe(1);
    }
  });

  it.each<[string, unknown[], RegExp]>([
    ['prompt', [5, ['x']], /^prompt must be a text, but is 5/],
    ['no candidates', ['p', []], /^candidates must be an array of at least one text, but is \[\]/],
    ['candidates', ['p', 'yes'], /^candidates must be an array .* but is 'yes'/],
    ['candidates', ['p', ['yes', 5]], /^candidates must be an array .* but is \[ 'yes', 5 \]/],
    ['an empty candidate', ['p', ['yes', '']], /^candidate 1, '', has no token/],
    ['places', ['{} {}', ['x'], { textInput: 'a' }], /^textInput: there is 1 text for the 2 places {} of .*'{} {}'/],
    ['places', ['p', ['x'], { textInput: 'a' }], /^textInput: there is 1 text for the 0 places/],
    ['places', ['{}', ['x']], /^textInput: there are 0 texts for the 1 places/],
    ['textInput', ['{}', ['x'], { textInput: [5] }], /^textInput must be a text or an array of texts, but is \[ 5 \]/],
    ['context', ['p', ['x'], { context: 5 }], /^context must be a text, but is 5/],
    ['caption', ['p', ['x'], { caption: null }], /^caption must be a text, but is null/],
    ['dialogHistory', ['p', ['x'], { dialogHistory: ['a'] }], /^dialogHistory must be a text/],
    ['nSegments', ['p', ['x'], { nSegments: 0 }], /^nSegments must be an integer of at least 1, but is 0/],
    ['signal', ['p', ['x'], { signal: 5 }], /^signal must be an AbortSignal, but is 5/],
    ['options', ['p', ['x'], 5], /^options must be an object, but is 5/],
  ])('refuses before any work: %s %#', async (_, given, message) => {
    const { blip, model } = scripted();
    const call = blip.predictClass as (...all: unknown[]) => Promise<unknown>;
    await expect(call.call(blip, picture(3), ...given)).rejects.toEqual(failure('OPTION_INVALID', message));
    expect(model.work).toEqual([]);
  });

  it('refuses unknown options, and candidates that are too long', async () => {
    const { blip, model } = scripted();
    await expect(blip.predictClass(picture(3), 'p', ['x'], { nSegment: 1 } as object)).rejects.toEqual(
      failure('OPTION_UNKNOWN', /nSegments/),
    );
    await expect(blip.predictClass(picture(3), 'p', ['x', 'y'.repeat(2500)])).rejects.toEqual(
      failure(
        'CONTEXT_LENGTH_EXCEEDED',
        /the candidate alone needs at least 2500 tokens of context, but there are 2000/,
      ),
    );
    await expect(blip.predictClass(picture(3), 'p', ['x', 'y'.repeat(1999)])).rejects.toEqual(
      failure('CONTEXT_LENGTH_EXCEEDED', /need 2002 tokens of context, but there are 2000/),
    );
    await expect(blip.predictClass([], 'p', ['x'])).rejects.toEqual(failure('OPTION_INVALID', /empty/));
    expect(model.work).toEqual([]);
  });

  it('is aborted and disposed of', async () => {
    const { blip, model } = scripted({ delay: 5 });
    const candidates = Array.from({ length: 50 }, (_, i) => `candidate ${i}`);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 25);
    const { signal } = controller;
    await expect(blip.predictClass(picture(3), 'p', candidates, { signal })).rejects.toThrow('enough');
    expect([model.openSessions, model.takenCells]).toEqual([0, 0]);
    const running = expect(blip.predictClass(picture(3), 'p', candidates)).rejects.toEqual(failure('DISPOSED'));
    await blip.dispose();
    await running;
  });
});

describe('predictAnswers', () => {
  it.each<[string, PredictAnswersOptions, string]>([
    ['q', {}, 'q'],
    ['q {}', {}, 'q {}'],
    ['q', { prompt: '' }, 'q'],
    ['q', { prompt: 'Question: {} Short answer:' }, 'Question: q Short answer:'],
    ['q', { prompt: '{}! {}?', ocrTokens: ['STOP', '5'] }, 'STOP, 5! q?'],
    ['q', { prompt: '{}! {}?', choices: ['cat', 'dog'] }, 'q! (a) cat (b) dog?'],
    ['q', { prompt: '{}! {}?', choices: [['cat', 'dog']] }, 'q! (a) cat (b) dog?'],
  ])('asks %j with %j', async (question, options, expected) => {
    const { blip, asked } = scripted();
    expect((await blip.predictAnswers(picture(3), question, options)).texts).toEqual(['yes']);
    expect(asked).toEqual([expected]);
  });

  it('answers all questions about the picture in the same steps', async () => {
    // Two questions at a time have room for their beams.
    const { blip, model, asked } = scripted({}, 10);
    const choices = [['a'], ['b'], ['c']];
    const prompt = '{}{}';
    const { texts, usage, finishReasons } = await blip.predictAnswers(picture(3), ['q', 'r', 's'], { choices, prompt });
    expect([texts, finishReasons]).toEqual([
      ['yes', 'yes', 'yes'],
      ['stop', 'stop', 'stop'],
    ]);
    expect(asked).toEqual(['q(a) a', 'r(a) b', 's(a) c']);
    expect(usage.imageTokens).toBe(6);
    const count = (work: string) => model.work.filter(name => name === work).length;
    expect([count('vision'), count('prefill'), model.mostSessions]).toEqual([1, 3, 1]);
  });

  it('has the lengths of LAVIS, and other options take effect', async () => {
    const { blip } = scripted({ answer: () => 'a'.repeat(30) });
    const lengthOf = async (options: PredictAnswersOptions) =>
      (await blip.predictAnswers(picture(3), 'q', { repetitionPenalty: 1, ...options })).tokens[0]!.length;
    expect(await lengthOf({})).toBe(9);
    expect(await lengthOf({ maxLen: 4 })).toBe(3);
    expect(await lengthOf({ maxLen: 4, numBeams: 1 })).toBe(3);
    expect(await lengthOf({ eosTokenId: 97 })).toBe(1);
    expect(await lengthOf({ eosTokenId: 97, minLen: 5, suppressTokens: [3] })).toBe(5);
    expect(await lengthOf({ doSample: true, numBeams: 1, seed: 1, topP: 0.1, compat: 'hf-4.34' })).toBe(9);
  });

  it.each<[unknown, object, string, RegExp]>([
    [5, {}, 'OPTION_INVALID', /^questions must be a text or an array/],
    [[], {}, 'OPTION_INVALID', /^questions must be a text or an array/],
    [['q', 5], {}, 'OPTION_INVALID', /^questions must be a text or an array/],
    ['q', { maxLen: 0 }, 'OPTION_INVALID', /^maxLen must be an integer of at least 1, but is 0/],
    ['q', { maxLen: 1, minLen: 0 }, 'OPTION_INVALID', /^maxLen must be at least 2 for this model/],
    ['q', { minLen: -1 }, 'OPTION_INVALID', /^minLen must be an integer of at least 0, but is -1/],
    ['q', { minLen: 11 }, 'OPTION_INVALID', /^minLen = 11 is more than maxLen = 10/],
    ['q', { maxNewTokens: 5 }, 'OPTION_INVALID', /^maxNewTokens is maxLen in predictAnswers/],
    ['q', { minLength: 5 }, 'OPTION_INVALID', /^minLength is minLen in predictAnswers/],
    ['q', { prompt: 5 }, 'OPTION_INVALID', /^prompt must be a text, but is 5/],
    ['q', { prompt: 'x' }, 'OPTION_INVALID', /^prompt: there is 1 text for the 0 places {}/],
    ['q', { prompt: '{}{}' }, 'OPTION_INVALID', /^prompt = '{}{}' has several {}: give ocrTokens or choices/],
    [
      'q',
      { prompt: '{}', ocrTokens: [] },
      'OPTION_INVALID',
      /^ocrTokens need a prompt with two {}, but prompt is '{}'/,
    ],
    ['q', { choices: ['a'] }, 'OPTION_INVALID', /^choices need a prompt with two {}/],
    ['q', { prompt: '{}{}', ocrTokens: ['a'], choices: ['a'] }, 'OPTION_INVALID', /exclude each other/],
    ['q', { prompt: '{}{}', choices: 'a' }, 'OPTION_INVALID', /^choices must be an array of texts/],
    ['q', { prompt: '{}{}', choices: [['a'], ['b']] }, 'OPTION_INVALID', /^choices has 2 lists, but there are 1/],
    ['q', { ocrTokens: [1] }, 'OPTION_INVALID', /^ocrTokens must be an array of texts/],
    ['q', { applyLemmatizer: true }, 'OPTION_UNSUPPORTED', /^applyLemmatizer = true needs .* spaCy/],
    ['q', { applyLemmatizer: 1 }, 'OPTION_INVALID', /^applyLemmatizer must be true or false/],
    ['q', { stopStrings: 'x' }, 'OPTION_UNSUPPORTED', /stopStrings/],
    ['q', { numBeams: 0 }, 'OPTION_INVALID', /^numBeams must be/],
    ['q', { numBeam: 5 }, 'OPTION_UNKNOWN', /numBeams/],
    ['q', { numBeams: 9 }, 'CONTEXT_LENGTH_EXCEEDED', /9 sequences/],
  ])('refuses %j with %j before any work', async (question, options, code, message) => {
    const { blip, model } = scripted();
    await expect(blip.predictAnswers(picture(3), question as string, options)).rejects.toEqual(failure(code, message));
    expect(model.work).toEqual([]);
  });

  it('leaves out applyLemmatizer: false', async () => {
    const { blip } = scripted();
    expect((await blip.predictAnswers(picture(3), 'q', { applyLemmatizer: false })).texts).toEqual(['yes']);
  });
});

describe('ocrTokens of ask', () => {
  it('stand in the question', async () => {
    const { blip, asked } = scripted();
    const many = Array.from({ length: 40 }, (_, i) => `t${i}`);
    await blip.ask(picture(3), 'OCR tokens: {}. What?', { ocrTokens: many });
    expect(asked).toEqual([`OCR tokens: ${many.slice(0, 30).join(', ')}. What?`]);
    await expect(blip.ask(picture(3), 'What?', { ocrTokens: many })).rejects.toEqual(
      failure('OPTION_INVALID', /^ocrTokens: there is 1 text for the 0 places {} of the prompt 'What\?'/),
    );
    await expect(blip.ask(picture(3), '{}', { ocrTokens: 'x' as unknown as string[] })).rejects.toEqual(
      failure('OPTION_INVALID', /^ocrTokens must be an array of texts, but is 'x'/),
    );
  });
});
