import { type GenerateHooks, newGenerationState } from '../../../src/generation/answer-writer.js';
import { generate } from '../../../src/generation/generate-loop.js';
import type { GenerateOptions } from '../../../src/generation/generate-options.js';
import { interpretOptions } from '../../../src/generation/generation-settings.js';
import type { LogitsSource } from '../../../src/generation/run-searches.js';
import { validateGenerateOptions } from '../../../src/generation/validate-options.js';

const WORDS = ['', '', '', ' a', ' b', ' c', '.', ' d'];
const MODEL = {
  vocabularySize: WORDS.length,
  bosTokenId: 0,
  decoderStartTokenId: -1,
  padTokenId: -1,
  eosTokenIds: [1],
  vocabularyEosTokenId: 2,
};

/** Logits that make `script` the greedy answer; every row of scores is a fresh copy. */
function scripted(script: readonly number[]) {
  const decoded: number[] = [];
  let step = 0;
  const row = async () => {
    const scores = new Float32Array(WORDS.length);
    scores[script[step++] as number] = 4;
    return scores;
  };
  const source: LogitsSource = {
    prefill: row,
    decode: tokens => {
      decoded.push(...tokens);
      return row();
    },
  };
  return { source, decoded };
}

async function run(script: readonly number[], options: GenerateOptions = {}, hooks: Partial<GenerateHooks> = {}) {
  const { source, decoded } = scripted(script);
  const state = newGenerationState();
  const settings = interpretOptions(validateGenerateOptions(options), MODEL);
  const tokenText = (id: number) => ({ bytes: Buffer.from(WORDS[id] as string), isByte: false });
  const failure = await generate(source, settings, { tokenText, ...hooks }, state).then(
    () => undefined,
    error => error,
  );
  return { ...state, decoded, failure };
}

describe('generate', () => {
  it.each([1, 2])('stops at id %i, which is a token but no text', async stop => {
    expect(await run([3, 4, stop, 5])).toMatchObject({
      tokens: [3, 4, stop],
      text: 'a b',
      finishReason: 'stop',
      decoded: [3, 4],
    });
  });

  it('stops at the limit, and does not decode the last token', async () => {
    expect(await run([3, 4, 5, 7], { maxNewTokens: 3 })).toMatchObject({
      text: 'a b c',
      finishReason: 'length',
      decoded: [3, 4],
    });
  });

  it('a stop id at the limit is a stop', async () => {
    expect((await run([3, 1], { maxNewTokens: 2 })).finishReason).toBe('stop');
  });

  it('a stop id that is text belongs to the text', async () => {
    expect(await run([3, 6, 4], { eosTokenId: 6 })).toMatchObject({ text: 'a.', finishReason: 'stop' });
  });

  it('cleans spaces up where the tokenizer does, and looks for stop strings in the cleaned text', async () => {
    const words = ['', '', '', ' a', ' n', "'t", ' .', ' d'];
    const hooks = (cleanUpSpaces: boolean, pieces: string[]) => ({
      cleanUpSpaces,
      tokenText: (id: number) => ({ bytes: Buffer.from(words[id] as string), isByte: false }),
      onText: (text: string) => pieces.push(text),
    });
    const raw: string[] = [];
    expect((await run([3, 4, 5, 6, 7, 1], {}, hooks(false, raw))).text).toBe("a n't . d");
    const clean: string[] = [];
    expect((await run([3, 4, 5, 6, 7, 1], {}, hooks(true, clean))).text).toBe("an't. d");
    expect(clean).toEqual(['a', "n't", '.', ' d']);
    const stopped = await run([3, 4, 5, 6, 7, 1], { stopStrings: 't.' }, hooks(true, []));
    expect(stopped).toMatchObject({ text: "an'", tokens: [3, 4, 5, 6], finishReason: 'stop' });
  });

  it('a stop string that the last characters complete is a stop', async () => {
    const words = ['', '', '', ' a', ' n'];
    const hooks = {
      cleanUpSpaces: true,
      tokenText: (id: number) => ({ bytes: Buffer.from(words[id] as string), isByte: false }),
    };
    const answer = await run([3, 4], { stopStrings: ' n', maxNewTokens: 2 }, hooks);
    expect(answer).toMatchObject({ text: 'a', finishReason: 'stop' });
  });

  it('ends before a stop string', async () => {
    expect(await run([3, 4, 5], { stopStrings: ' b' })).toMatchObject({
      tokens: [3, 4],
      text: 'a',
      finishReason: 'stop',
    });
  });

  it('processors see the context of the preset', async () => {
    const contexts: number[][] = [];
    const logitsProcessors = [(tokens: readonly number[]) => void contexts.push([...tokens])];
    await run([3, 1], { logitsProcessors, compat: 'hf-4.34' });
    expect(contexts).toEqual([[0], [0, 3]]);
    // 4.34 stops at 1 only.
    expect((await run([3, 2, 1], { compat: 'hf-4.34' })).tokens).toEqual([3, 2, 1]);
  });

  it('minNewTokens keeps stop ids away', async () => {
    expect((await run([1, 1, 1], { minNewTokens: 2, maxNewTokens: 5 })).tokens).toEqual([0, 0, 1]);
  });

  it('tells tokens and pieces in order, and waits for each', async () => {
    const events: string[] = [];
    const later = async (event: string) => {
      await new Promise(resolve => setTimeout(resolve, 2));
      events.push(event);
    };
    const { text } = await run(
      [3, 4, 1],
      {},
      {
        onToken: ({ id, text: piece, index, logprob }) => later(`${index}:${id}:${piece}:${logprob.toFixed(3)}`),
        onText: piece => later(piece),
      },
    );
    // log(e^4 / (e^4 + 7))
    expect(events).toEqual(['0:3:a:-0.121', 'a', '1:4: b:-0.121', ' b', '2:1::-0.121']);
    expect(text).toBe('a b');
  });

  it("the logprob is the model's own, before processors", async () => {
    const seen: number[] = [];
    await run(
      [3, 1],
      { repetitionPenalty: 2, suppressTokens: [7] },
      { onToken: ({ logprob }) => void seen.push(logprob) },
    );
    expect(seen[0]).toBeCloseTo(4 - Math.log(Math.exp(4) + 7), 5);
  });

  it('the same seed gives the same text, another one another', async () => {
    const flat: LogitsSource = { prefill: async () => new Float32Array(8), decode: async () => new Float32Array(8) };
    const draw = async (seed: number) => {
      const state = newGenerationState();
      const settings = interpretOptions({ doSample: true, seed, maxNewTokens: 20, eosTokenId: [] }, MODEL);
      await generate(
        flat,
        settings,
        { tokenText: id => ({ bytes: Buffer.from(WORDS[id] as string), isByte: false }) },
        state,
      );
      return state.tokens.join();
    };
    expect(await draw(5)).toBe(await draw(5));
    expect(await draw(5)).not.toBe(await draw(6));
  });

  it('an abort in a callback ends the call: nothing more is delivered', async () => {
    const controller = new AbortController();
    const pieces: string[] = [];
    const result = await run(
      [3, 4, 5, 1],
      {},
      {
        signal: controller.signal,
        onText: piece => {
          pieces.push(piece);
          if (piece === ' b') controller.abort(new Error('enough'));
        },
      },
    );
    expect(result).toMatchObject({ failure: { message: 'enough' }, finishReason: 'abort', text: 'a b' });
    expect(pieces).toEqual(['a', ' b']);
  });

  it('an abort in onToken: the text is what onText was given', async () => {
    const controller = new AbortController();
    const pieces: string[] = [];
    const result = await run(
      [3, 4, 5, 1],
      {},
      {
        signal: controller.signal,
        onText: piece => pieces.push(piece),
        onToken: ({ index }) => index === 1 && controller.abort(new Error('enough')),
      },
    );
    expect(result).toMatchObject({ failure: { message: 'enough' }, finishReason: 'abort', text: 'a', tokens: [3, 4] });
    expect(pieces).toEqual(['a']);
  });

  it('an abort frees a call whose callback never settles', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 5);
    const result = await run([3, 4], {}, { signal: controller.signal, onText: () => new Promise(() => {}) });
    expect(result.failure.message).toBe('enough');
  });

  it('a throw in a callback rejects the call', async () => {
    for (const name of ['onText', 'onToken']) {
      const result = await run(
        [3, 4],
        {},
        {
          [name]: () => {
            throw new TypeError('mine');
          },
        },
      );
      expect(result).toMatchObject({ failure: { message: 'mine' }, tokens: [3] });
    }
  });
});
