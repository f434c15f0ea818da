import { InstructBlip } from '../../src/model/instruct-blip.js';
import type { LoadOptions } from '../../src/model/load-options.js';
import { ParityFiles } from './support/parity.js';
import { PICTURE, SLOW_RECIPE } from './support/slow-model.js';

const QUESTION = 'What is this?';
/** Runs to its limit. */
const LONG = { minNewTokens: 100, maxNewTokens: 100 };
const SHORT = { minNewTokens: 6, maxNewTokens: 6 };

let files: ParityFiles;
let folder: string;
const load = (options: LoadOptions = {}) =>
  InstructBlip.load(folder, { threads: 1, contextSize: 1024, imageCache: 0, ...options });

beforeAll(async () => {
  files = new ParityFiles(SLOW_RECIPE);
  ({ folder } = await files.convert('F32', 'F32'));
});
afterAll(() => files?.dispose());

describe('one model', () => {
  let blip: InstructBlip;
  let alone: string;

  beforeAll(async () => {
    blip = await load();
    alone = (await blip.ask(PICTURE, QUESTION, SHORT)).text;
  });
  afterAll(() => blip?.dispose());

  const answersStill = async () => expect((await blip.ask(PICTURE, QUESTION, SHORT)).text).toBe(alone);

  it('takes time in every stage', async () => {
    const { timings, usage } = await blip.ask(PICTURE, QUESTION, LONG);
    expect(usage).toMatchObject({ imageTokens: 32, generatedTokens: 100 });
    const { cachedImages, ...times } = timings;
    for (const time of Object.values(times)) expect(time).toBeGreaterThan(0);
    expect(cachedImages).toBe(0);
  });

  it('ends a search that needs more context than there is, and goes on answering', async () => {
    await using small = await load({ contextSize: 140 });
    const beams = { numBeams: 8, maxNewTokens: 60, eosTokenId: [], numBeamGroups: 8, diversityPenalty: 2 };
    await expect(small.ask(PICTURE, QUESTION, beams)).rejects.toMatchObject({
      code: 'CONTEXT_LENGTH_EXCEEDED',
      message: expect.stringMatching(/of 140 cells left.*fewer beams/),
    });
    expect((await small.ask(PICTURE, QUESTION, SHORT)).text).toBe(alone);
    expect((await small.ask(PICTURE, QUESTION, { ...beams, maxNewTokens: 4 })).tokens.length).toBe(4);
  });

  it('aborts in whatever phase it is, with the reason, and goes on answering', async () => {
    const { timings } = await blip.ask(PICTURE, QUESTION, LONG);
    const untilDecode = timings.total - timings.decode;
    const steps = 24;
    const phases = new Set<string>();
    for (let step = 0; step < steps; step++) {
      const controller = new AbortController();
      const reason = new Error(`enough after step ${step}`);
      const aborted = new Promise(resolve => controller.signal.addEventListener('abort', resolve));
      let phase = 'before the first token';
      const call = blip.ask(PICTURE, QUESTION, {
        ...LONG,
        signal: controller.signal,
        onToken: ({ index }) => {
          if (controller.signal.aborted) throw new Error('a token after the abort');
          phase = 'decode';
          if (step === steps - 1 && index === 5) controller.abort(reason);
          // However late the timer is: the answer is not complete before it.
          return index === LONG.maxNewTokens - 1 ? aborted : undefined;
        },
      });
      setTimeout(() => controller.abort(reason), (step / steps) * (untilDecode + timings.decode / 4));
      await expect(call).rejects.toBe(reason);
      phases.add(phase);
    }
    expect([...phases].sort()).toEqual(['before the first token', 'decode']);
    await answersStill();
  });

  it('stops and keeps what there is with stopOnAbort', async () => {
    const controller = new AbortController();
    const answer = await blip.ask(PICTURE, QUESTION, {
      ...LONG,
      signal: controller.signal,
      stopOnAbort: true,
      onToken: ({ index }) => {
        if (index === 9) controller.abort();
      },
    });
    expect(answer.finishReason).toBe('abort');
    expect(answer.tokens).toHaveLength(10);
    await answersStill();
  });

  it.each(['onText', 'onToken'] as const)('a throw in %s ends the call with that error', async name => {
    const thrown = new Error('from the callback');
    let calls = 0;
    const callback = () => {
      if (++calls === 3) throw thrown;
    };
    await expect(blip.ask(PICTURE, QUESTION, { ...LONG, [name]: callback })).rejects.toBe(thrown);
    expect(calls).toBe(3);
    await answersStill();
  });

  it('answers concurrent calls as if each were alone', async () => {
    const questions = ['what is this?', 'is this what?', 'this', 'what what what', QUESTION, '?'];
    const image = await blip.encodeImage(PICTURE);
    const one = [];
    for (const question of questions) one.push((await blip.ask(image, question, SHORT)).tokens);
    const many = await Promise.all(questions.map(question => blip.ask(image, question, SHORT)));
    expect(many.map(({ tokens }) => tokens)).toEqual(one);
    expect(new Set(one.map(String)).size).toBeGreaterThan(1);
  });

  it('serves concurrent calls in turns', async () => {
    const order: number[] = [];
    const image = await blip.encodeImage(PICTURE);
    const call = (id: number) => blip.ask(image, QUESTION, { ...LONG, onToken: () => order.push(id) });
    await Promise.all([call(0), call(1), call(2)]);
    // While one has had half of its tokens, the others have had theirs as well.
    const half = order.slice(0, 150);
    for (const id of [0, 1, 2]) expect(half.filter(each => each === id).length).toBeGreaterThan(25);
  });

  it('leaving a stream early frees its place', async () => {
    for (let i = 0; i < 8; i++) {
      for await (const piece of blip.stream(PICTURE, QUESTION, LONG)) {
        expect(typeof piece).toBe('string');
        break;
      }
    }
    await answersStill();
  });
});

describe('the end', () => {
  it('dispose during generation rejects the call with DISPOSED', async () => {
    const blip = await load();
    const call = blip.ask(PICTURE, QUESTION, { ...LONG, onToken: ({ index }) => index === 4 && void blip.dispose() });
    await expect(call).rejects.toMatchObject({ code: 'DISPOSED' });
    await blip.dispose();
    await expect(blip.ask(PICTURE, QUESTION)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('dispose with calls in every phase rejects them all', async () => {
    const blip = await load();
    const features = await blip.encodeImage(PICTURE);
    const calls = [
      ...Array.from({ length: 6 }, () => blip.ask(features, QUESTION, LONG)),
      ...Array.from({ length: 3 }, () => blip.ask(PICTURE, QUESTION, LONG)),
      blip.encodeImage(PICTURE),
    ];
    await new Promise(resolve => setTimeout(resolve, 5));
    const codes = Promise.all(
      calls.map(call =>
        call.then(
          () => 'answered',
          (error: { code?: unknown }) => error.code,
        ),
      ),
    );
    await blip.dispose();
    expect(new Set(await codes)).toEqual(new Set(['DISPOSED']));
  });

  it('one model goes, another stays', async () => {
    const [first, second] = await Promise.all([load(), load()]);
    const expected = (await second.ask(PICTURE, QUESTION, SHORT)).text;
    const call = second.ask(PICTURE, QUESTION, SHORT);
    await first.dispose();
    expect((await call).text).toBe(expected);
    await second.dispose();
  });

  it('load can be aborted at any of its steps, and its callback may throw', async () => {
    const steps: string[] = [];
    await (await load({ onProgress: ({ stage }) => steps.push(stage) })).dispose();
    expect(new Set(steps)).toEqual(new Set(['vision encoder', 'Q-Former', 'language model']));
    for (const stage of new Set(steps)) {
      const controller = new AbortController();
      const reason = new Error(`not the ${stage}`);
      const seen = {
        onProgress: (progress: { stage: string }) => progress.stage === stage && controller.abort(reason),
      };
      await expect(load({ ...seen, signal: controller.signal })).rejects.toBe(reason);
      const thrown = new Error('from the callback');
      const throwing = (progress: { stage: string }) => {
        if (progress.stage === stage) throw thrown;
      };
      await expect(load({ onProgress: throwing })).rejects.toBe(thrown);
    }
    const aborted = AbortSignal.abort(new Error('before it began'));
    await expect(load({ signal: aborted })).rejects.toThrow('before it began');
  });
});
