import { InstructBlip } from '../../src/model/instruct-blip.js';
import type { ImageInput } from '../../src/processor/image-input.js';
import { type Script, ScriptedModel } from './support/scripted-model.js';

// Loading is not the subject here: the parts are scripted.
jest.mock('../../src/model/load.js', () => ({}));

const open: InstructBlip[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(blip => blip.dispose()));
});

function scripted(script: Script = {}, sequences = 4, imageCache = 0) {
  const model = new ScriptedModel(script);
  const blip = new InstructBlip(model.parts(), { sequences, imageCache });
  open.push(blip);
  return { model, blip };
}
/** The scripted processor takes a number for a picture. */
const picture = (pixel: number) => pixel as unknown as ImageInput;
const failure = (code: string) => expect.objectContaining({ code });
const gathered = async (pieces: AsyncIterable<string>) => {
  const result: string[] = [];
  for await (const piece of pieces) result.push(piece);
  return result;
};

describe('ask', () => {
  it('gives text, tokens, usage and timings', async () => {
    const { blip, model } = scripted({ answer: () => ' yes. ' });
    const answer = await blip.ask(picture(7), 'hm?');
    expect(answer).toMatchObject({
      text: 'yes.',
      tokens: [...Buffer.from(' yes. '), 1],
      finishReason: 'stop',
      usage: { imageTokens: 2, promptTokens: 4, generatedTokens: 7 },
    });
    expect(Object.keys(answer.timings)).toEqual([
      'preprocess',
      'vision',
      'qformer',
      'prefill',
      'decode',
      'total',
      'cachedImages',
    ]);
    expect(answer.timings.total).toBeGreaterThan(answer.timings.decode);
    expect(model.work.slice(0, 4)).toEqual(['preprocess', 'vision', 'qformer:101,104,109,63,102', 'prefill']);
    expect(model.openSessions).toBe(0);
  });

  it('cuts a long instruction for the Q-Former from the left, not for the language model', async () => {
    const { blip, model } = scripted();
    const { usage } = await blip.ask(picture(1), '0123456789', { maxNewTokens: 1 });
    expect(usage.promptTokens).toBe(11);
    // [CLS], the last six characters, [SEP]: eight positions.
    expect(model.work).toContain(`qformer:101,${[...Buffer.from('456789')].join()},102`);
  });

  it('answers many calls at once without mixing them, within the cache', async () => {
    const { blip, model } = scripted({ info: { contextSize: 60 } }, 2);
    const asked = Array.from({ length: 20 }, (_, i) => blip.ask(picture(i), `q${i}`, { maxNewTokens: 10 }));
    const texts = (await Promise.all(asked)).map(answer => answer.text);
    expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => `q${i}:${i}`));
    expect(model.mostSessions).toBe(2);
    expect(model.mostCells).toBeLessThanOrEqual(60);
    expect(model.takenCells).toBe(0);
  });

  it('fills the context to the last cell, and says both numbers when a call can never fit', async () => {
    const { blip } = scripted({ info: { contextSize: 20 }, answer: () => 'x'.repeat(50) });
    // 2 + 3 + 16 - 1 = 20
    expect(await blip.ask(picture(1), 'ab', { maxNewTokens: 16 })).toMatchObject({ finishReason: 'length' });
    await expect(blip.ask(picture(1), 'ab', { maxNewTokens: 17 })).rejects.toMatchObject({
      code: 'CONTEXT_LENGTH_EXCEEDED',
      message: expect.stringMatching(/need 21 tokens of context, but there are 20/),
    });
    // The default limit gives way, down to one token.
    expect((await blip.ask(picture(1), 'ab')).usage.generatedTokens).toBe(16);
    expect((await blip.ask(picture(1), 'x'.repeat(17))).usage.generatedTokens).toBe(1);
    await expect(blip.ask(picture(1), 'x'.repeat(18))).rejects.toEqual(failure('CONTEXT_LENGTH_EXCEEDED'));
  });

  it('asks about several pictures: each through encoder and Q-Former, one prompt', async () => {
    const { blip, model } = scripted();
    const first = await blip.encodeImage(picture(5));
    const { text, usage } = await blip.ask([first, picture(1), picture(2)], 'hi?', { maxNewTokens: 9 });
    expect({ text, usage }).toEqual({ text: 'hi?:5', usage: { imageTokens: 6, promptTokens: 4, generatedTokens: 6 } });
    const query = 'qformer:101,104,105,63,102';
    expect(model.work.slice(2, 10)).toEqual([
      query,
      'preprocess',
      'vision',
      query,
      'preprocess',
      'vision',
      query,
      'prefill',
    ]);
    expect(model.mostCells).toBe(6 + 4 + 8);
  });

  it('knows pictures that it has seen, as far as the cache holds them', async () => {
    // Features of a scripted picture are one float32.
    const { blip, model } = scripted({}, 4, 2 * 4);
    const visions = () => model.work.filter(name => name === 'vision').length;
    const cachedIn = async (...pictures: number[]) =>
      (await blip.ask(pictures.map(picture), 'q', { maxNewTokens: 2 })).timings.cachedImages;
    expect([await cachedIn(1), await cachedIn(1), visions()]).toEqual([0, 1, 1]);
    expect([await cachedIn(2, 1, 2), visions()]).toEqual([2, 2]);
    // The third drives out the one used longest ago.
    expect([await cachedIn(3), await cachedIn(2), await cachedIn(1), visions()]).toEqual([0, 1, 0, 4]);
    const features = await blip.encodeImage(picture(1));
    expect([visions(), features.shape]).toEqual([4, [1, 1]]);
    const off = scripted();
    await off.blip.ask(picture(1), 'q');
    expect((await off.blip.ask(picture(1), 'q')).timings).toMatchObject({ cachedImages: 0 });
  });

  it('searches with beams: one session of as many sequences, one prefill, the same text in pieces', async () => {
    const { blip, model } = scripted({ answer: () => 'a b c' });
    const pieces: string[] = [];
    const tokens: number[] = [];
    const answer = await blip.ask(picture(1), 'q', {
      numBeams: 3,
      maxNewTokens: 8,
      onText: piece => pieces.push(piece),
      onToken: ({ id }) => tokens.push(id),
    });
    expect(answer).toMatchObject({ text: 'a b c', finishReason: 'stop', usage: { generatedTokens: 6 } });
    expect(pieces.join('')).toBe('a b c');
    expect(tokens).toEqual(answer.tokens);
    expect(model.work.filter(name => name === 'prefill').length).toBe(1);
    expect(model.mostCells).toBe(2 + 2 + 3 * 7);
  });

  it('refuses what it cannot do before any work', async () => {
    const { blip, model } = scripted();
    const ask = (options: object) => blip.ask(picture(1), 'q', options);
    await expect(ask({ numReturnSequences: 5 })).rejects.toEqual(failure('OPTION_UNSUPPORTED'));
    await expect(ask({ numBeams: 5 })).rejects.toEqual(failure('CONTEXT_LENGTH_EXCEEDED'));
    await expect(ask({ maxNewToken: 5 })).rejects.toEqual(failure('OPTION_UNKNOWN'));
    await expect(ask({ onText: 5 })).rejects.toEqual(failure('OPTION_INVALID'));
    await expect(ask({ signal: {} })).rejects.toEqual(failure('OPTION_INVALID'));
    await expect(blip.ask(picture(1), 5 as unknown as string)).rejects.toEqual(failure('OPTION_INVALID'));
    await expect(blip.ask([], 'q')).rejects.toEqual(failure('OPTION_INVALID'));
    expect(model.work).toEqual([]);
  });

  it.each([
    'preprocess',
    'vision',
    'qformer',
    'prefill',
    'decode',
  ])('a failure in %s rejects the call and frees the session', async stage => {
    const { blip, model } = scripted({
      onWork: name => {
        if (name.startsWith(stage)) throw Object.assign(new Error('full'), { code: 'OUT_OF_MEMORY' });
      },
    });
    await expect(blip.ask(picture(1), 'q')).rejects.toMatchObject({ message: 'full' });
    expect([model.openSessions, model.takenCells]).toEqual([0, 0]);
  });
});

describe('abort', () => {
  it.each([
    'preprocess',
    'vision',
    'qformer',
    'prefill',
    'decode',
  ])('in %s rejects with the reason and frees all', async stage => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const { blip, model } = scripted({
      delay: 2,
      onWork: name => {
        if (name.startsWith(stage)) setTimeout(() => controller.abort(reason), 0);
      },
    });
    await expect(blip.ask(picture(1), 'q', { signal: controller.signal })).rejects.toBe(reason);
    const last = stage === 'preprocess' ? ['preprocess', 'vision'] : [stage];
    expect(last.some(name => model.work.at(-1)?.startsWith(name))).toBe(true);
    expect(model.openSessions).toBe(0);
  });

  it('before the call does no work', async () => {
    const { blip, model } = scripted();
    await expect(blip.ask(picture(1), 'q', { signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early');
    expect(model.work).toEqual([]);
  });

  it('while waiting for its turn leaves the queue and lets the next one in', async () => {
    const { blip, model } = scripted({ delay: 5 }, 1);
    const controller = new AbortController();
    const first = blip.ask(picture(1), 'a');
    const second = blip.ask(picture(2), 'b', { signal: controller.signal });
    const third = blip.ask(picture(3), 'c');
    setTimeout(() => controller.abort(new Error('enough')), 22);
    await expect(second).rejects.toThrow('enough');
    expect([(await first).text, (await third).text]).toEqual(['a:1', 'c:3']);
    expect(model.openSessions).toBe(0);
  });

  it('with stopOnAbort resolves with what there is', async () => {
    const controller = new AbortController();
    const { blip } = scripted({ answer: () => 'abcdef' });
    let seen = '';
    const answer = await blip.ask(picture(1), 'q', {
      signal: controller.signal,
      stopOnAbort: true,
      onText: piece => {
        seen += piece;
        if (seen === 'abc') controller.abort();
      },
    });
    expect(answer).toMatchObject({ text: 'abc', finishReason: 'abort', usage: { generatedTokens: 3 } });
    expect(seen).toBe('abc');
    // Before the first token too.
    expect(await blip.ask(picture(1), 'q', { signal: controller.signal, stopOnAbort: true })).toMatchObject({
      text: '',
      tokens: [],
    });
  });
});

describe('callbacks', () => {
  it('a promise is waited for', async () => {
    const { blip, model } = scripted({ answer: () => 'abc' });
    let pending = 0;
    await blip.ask(picture(1), 'q', {
      onText: async () => {
        pending++;
        const before = model.work.length;
        await new Promise(resolve => setTimeout(resolve, 5));
        expect(model.work.length).toBe(before);
        pending--;
      },
    });
    expect(pending).toBe(0);
  });

  it('a throw rejects the call, stops the work and frees the session', async () => {
    const { blip, model } = scripted();
    const mine = new TypeError('mine');
    const onText = () => {
      throw mine;
    };
    await expect(blip.ask(picture(1), 'q', { onText })).rejects.toBe(mine);
    expect(model.openSessions).toBe(0);
    expect(model.work.filter(name => name === 'decode')).toEqual([]);
  });
});

describe('stream', () => {
  it('gives pieces that join to the text, and the answer at the end', async () => {
    const { blip } = scripted({ answer: () => ' one two ' });
    const pieces = blip.stream(picture(1), 'q');
    let text = '';
    let step = await pieces.next();
    for (; !step.done; step = await pieces.next()) text += step.value;
    expect(step.value.text).toBe('one two');
    expect(text).toBe('one two');
  });

  it('does nothing before the first piece is asked for, and runs at most one piece ahead', async () => {
    const { blip, model } = scripted({ answer: () => 'abcdefgh' });
    const pieces = blip.stream(picture(1), 'q');
    await new Promise(resolve => setTimeout(resolve, 5));
    expect(model.work).toEqual([]);
    expect((await pieces.next()).value).toBe('a');
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(model.work.filter(name => name === 'decode').length).toBe(1);
    await pieces.return(undefined as never);
  });

  it('leaving the loop stops the work and frees the session', async () => {
    const { blip, model } = scripted({ answer: () => 'a'.repeat(60) });
    for await (const _piece of blip.stream(picture(1), 'q')) break;
    expect(model.openSessions).toBe(0);
    const done = model.work.length;
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(model.work.length).toBe(done);
  });

  it('throws what the call throws', async () => {
    const { blip } = scripted();
    await expect(gathered(blip.stream(picture(1), 'q', { topP: 5 }))).rejects.toEqual(failure('OPTION_INVALID'));
    await expect(gathered(blip.stream(picture(1), 'q', { signal: 5 as unknown as AbortSignal }))).rejects.toEqual(
      failure('OPTION_INVALID'),
    );
    const controller = new AbortController();
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const piece of blip.stream(picture(1), 'question', { signal: controller.signal })) {
        pieces.push(piece);
        controller.abort(new Error('enough'));
      }
    })();
    await expect(reading).rejects.toThrow('enough');
    expect(pieces).toEqual(['q']);
  });

  it("calls the user's onText as well", async () => {
    const { blip } = scripted({ answer: () => 'abc' });
    let heard = '';
    const onText = (piece: string) => {
      heard += piece;
    };
    expect((await gathered(blip.stream(picture(1), 'q', { onText }))).join('')).toBe('abc');
    expect(heard).toBe('abc');
  });
});

describe('encodeImage', () => {
  it('runs the vision encoder once for many questions', async () => {
    const { blip, model } = scripted();
    const image = await blip.encodeImage(picture(5));
    expect(image.shape).toEqual([1, 1]);
    const answers = await Promise.all(['a', 'b', 'c'].map(question => blip.ask(image, question)));
    expect(answers.map(answer => answer.text)).toEqual(['a:5', 'b:5', 'c:5']);
    expect(answers[0]?.timings).toMatchObject({ preprocess: 0, vision: 0 });
    expect(model.work.filter(name => name === 'vision')).toHaveLength(1);
    expect(await blip.encodeImage(image)).toBe(image);
  });

  it('refuses the features of another model', async () => {
    const image = await scripted().blip.encodeImage(picture(5));
    await expect(scripted().blip.ask(image, 'q')).rejects.toEqual(failure('IMAGE_FEATURES_MISMATCH'));
  });

  it('can be aborted', async () => {
    const { blip } = scripted({ delay: 5 });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 1);
    await expect(blip.encodeImage(picture(5), { signal: controller.signal })).rejects.toThrow('enough');
    await expect(blip.encodeImage(picture(5), { sgnal: 1 } as object)).rejects.toEqual(failure('OPTION_UNKNOWN'));
  });
});

describe('dispose', () => {
  it('rejects running and later calls, and may be repeated', async () => {
    const { blip, model } = scripted({ delay: 5 }, 1);
    const calls = [blip.ask(picture(1), 'a'), blip.ask(picture(2), 'b'), blip.encodeImage(picture(3))];
    const outcomes = Promise.allSettled(calls);
    await new Promise(resolve => setTimeout(resolve, 18));
    await Promise.all([blip.dispose(), blip.dispose()]);
    expect(model.disposed).toBe(true);
    expect(model.openSessions).toBe(0);
    for (const outcome of (await outcomes).filter(each => each.status === 'rejected')) {
      expect((outcome as PromiseRejectedResult).reason).toEqual(failure('DISPOSED'));
    }
    expect((await outcomes).slice(0, 2).map(each => each.status)).toEqual(['rejected', 'rejected']);
    await expect(blip.ask(picture(1), 'a')).rejects.toEqual(failure('DISPOSED'));
    await expect(blip.encodeImage(picture(1))).rejects.toEqual(failure('DISPOSED'));
    await blip.dispose();
  });

  it('stopOnAbort does not hide it', async () => {
    const { blip } = scripted({ delay: 5 });
    const call = blip.ask(picture(1), 'a', { stopOnAbort: true, signal: new AbortController().signal });
    const rejected = expect(call).rejects.toEqual(failure('DISPOSED'));
    await blip.dispose();
    await rejected;
  });

  it('is what `await using` calls', async () => {
    const { blip, model } = scripted();
    await blip[Symbol.asyncDispose]();
    expect(model.disposed).toBe(true);
  });
});
