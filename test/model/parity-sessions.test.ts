import type { KvCacheType, NativeModel, NativeSession } from '../../src/native/addon.js';
import type { TextSizes } from '../unit/support/checkpoint-shapes.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { randomNumbers } from '../unit/support/random.js';
import {
  argmax,
  cancelToken,
  loadNative,
  logitsBehind,
  ParityFiles,
  promptCells,
  readReference,
  relativeDifference,
  rowOf,
  startOf,
  withSession,
} from './support/parity.js';

// Sums of one row may be taken in another order when more rows run along.
const TOLERANCE = 2e-5;
const LIMITS = { contextSize: 1024, maxSequences: 16 };

interface Prompt {
  readonly softTokens: Float32Array;
  readonly ids: readonly number[];
}

/** What a sequence holds: its prompt, and what was decoded since. */
interface History {
  readonly prompt: Prompt;
  readonly tokens: readonly number[];
}

/** One `decode`: how many rows, and what they continue; null: each its own. Parents without a row wait. */
interface Step {
  readonly rows: number;
  readonly parents: readonly number[] | null;
}

/** Values of one row of the key cache. */
function keyLength(text: TextSizes): number {
  if (text.type === 't5') return text.heads * text.headDim;
  return text.type === 'opt' ? text.hidden : (text.hidden / text.heads) * text.kvHeads;
}

describe.each(PARITY_RECIPES.map(recipe => [recipe.name, recipe] as const))('sessions of %s', (name, recipe) => {
  const { pairs } = readReference(name);
  let checkpoint: ParityFiles;
  let files: Awaited<ReturnType<ParityFiles['convert']>>;
  let model: NativeModel;
  let prompt: Prompt;
  let other: Prompt;
  const random = randomNumbers(recipe.seed);
  const below = (limit: number): number => Math.floor(((random() + 1) / 2) * limit);

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    files = await checkpoint.convert('F32', 'F32');
    model = await loadNative(files, LIMITS);
    const { imageTokens, languageHiddenSize } = model.info;
    const promptOf = (ids: readonly number[]): Prompt => ({
      softTokens: Float32Array.from({ length: imageTokens * languageHiddenSize }, () => random() * Math.sqrt(3)),
      ids,
    });
    const [first, ...others] = pairs.map(({ inputIds }) => inputIds);
    prompt = promptOf(first!);
    other = promptOf(others.find(({ length }) => length !== first!.length)!);
  });
  afterAll(async () => {
    await model?.dispose();
    checkpoint?.dispose();
  });

  const cellsOf = ({ softTokens, ids }: Prompt): number => promptCells(model, softTokens, ids);
  const fromScratch = ({ prompt: { softTokens, ids }, tokens }: History, of = model): Promise<Float32Array> =>
    logitsBehind(of, softTokens, ids, tokens);
  const read = (session: NativeSession, { softTokens, ids }: Prompt): Promise<Float32Array> =>
    session.prefill(softTokens, Int32Array.from(ids), Int32Array.from(startOf(model)), cancelToken());

  async function expectRows(logits: Float32Array, histories: readonly History[]): Promise<void> {
    expect(logits.length).toBe(histories.length * model.info.vocabularySize);
    for (const [i, history] of histories.entries())
      expect(relativeDifference(rowOf(model, logits, i), await fromScratch(history))).toBeLessThan(TOLERANCE);
  }

  /** Runs the steps on one session that has read the prompts, and holds every row against recomputation. */
  const checkSteps = (steps: readonly Step[], prompts: readonly Prompt[] = [prompt]): Promise<void> =>
    withSession(
      model,
      prompts.reduce((sum, each) => sum + cellsOf(each), 80),
      8,
      async session => {
        let histories = prompts.map((each): History => ({ prompt: each, tokens: [] }));
        for (const history of histories) await expectRows(await read(session, history.prompt), [history]);
        for (const { rows, parents } of steps) {
          const tokens = Int32Array.from({ length: rows }, () => 3 + below(250));
          const logits = await session.decode(tokens, parents && Int32Array.from(parents), cancelToken());
          const continued = histories;
          histories = (parents ?? [...continued.keys()]).map((parent, i) => {
            const { prompt, tokens: before } = continued[parent]!;
            return { prompt, tokens: [...before, ...tokens.slice(i, i + 1)] };
          });
          await expectRows(logits, histories.slice(0, rows));
        }
      },
    );

  /** Steps whose row i continues row parents[i]. */
  const stepsOf = (...parents: readonly (readonly number[])[]): Step[] =>
    parents.map(each => ({ rows: each.length, parents: each }));

  it('continues one sequence as if it were read at once', () =>
    checkSteps([{ rows: 1, parents: null }, ...stepsOf([0]), { rows: 1, parents: null }]));

  it('forks, drops and reorders sequences', () =>
    checkSteps([
      ...stepsOf([0, 0, 0], [2, 0, 2, 1]),
      { rows: 4, parents: null },
      ...stepsOf([3, 1], [1, 0], [0, 0, 1, 1, 0, 1, 0, 0], [7, 6, 5, 4, 3, 2, 1, 0], [4]),
    ]));

  it('does random beams for long', async () => {
    const rows = Array.from({ length: 10 }, () => 1 + below(5));
    const parents = rows.map((count, step) =>
      Array.from({ length: count }, () => below(step === 0 ? 1 : rows[step - 1]!)),
    );
    await checkSteps(stepsOf(...parents));
  });

  it('lets sequences wait, and goes on with them later', () =>
    checkSteps([
      { rows: 2, parents: [0, 0, 0] },
      { rows: 1, parents: [2, 0, 2, 1] },
      { rows: 3, parents: [2, 1, 2, 3, 0] },
      { rows: 5, parents: null },
    ]));

  it('runs two prompts of different lengths in one graph, and forks, crosses and drops them', async () => {
    const both = [prompt, other];
    await checkSteps([{ rows: 2, parents: null }, ...stepsOf([1, 0, 1], [2, 1, 0, 1], [1, 1, 2, 3, 0], [4, 3])], both);
    await checkSteps(stepsOf([1], [0, 0], [1, 0]), both);
  });

  it('reads a further prompt behind sequences that run', () =>
    withSession(model, cellsOf(prompt) + cellsOf(other) + 20, 4, async session => {
      await read(session, prompt);
      await session.decode(Int32Array.of(7, 8), Int32Array.of(0, 0), cancelToken());
      await expectRows(await read(session, other), [{ prompt: other, tokens: [] }]);
      const logits = await session.decode(Int32Array.of(9, 10, 11, 12), Int32Array.of(2, 1, 0, 2), cancelToken());
      await expectRows(logits, [
        { prompt: other, tokens: [9] },
        { prompt, tokens: [8, 10] },
        { prompt, tokens: [7, 11] },
        { prompt: other, tokens: [12] },
      ]);
    }));

  it('keeps a prompt once, however many sequences continue it', () =>
    withSession(model, cellsOf(prompt) + 16, 8, async session => {
      await read(session, prompt);
      const tokens = Int32Array.of(3, 4, 5, 6, 7, 8, 9, 10);
      await session.decode(tokens, new Int32Array(8), cancelToken());
      await session.decode(tokens, null, cancelToken());
      await expect(session.decode(tokens, null, cancelToken())).rejects.toMatchObject({
        code: 'CONTEXT_LENGTH_EXCEEDED',
      });
    }));

  it('keeps sessions apart that run at once', async () => {
    const histories = [[4], [5, 6], [9]].map((tokens): History => ({ prompt, tokens }));
    const sessions = [2, 2, 3].map(sequences => model.createSession(cellsOf(prompt) + 8, sequences));
    await Promise.all(sessions.map(session => read(session, prompt)));
    const [first, forked] = await Promise.all([
      sessions[0]!.decode(Int32Array.of(4), null, cancelToken()),
      sessions[1]!.decode(Int32Array.of(8, 5), Int32Array.of(0, 0), cancelToken()),
    ]);
    const [second, third] = await Promise.all([
      sessions[1]!.decode(Int32Array.of(6), Int32Array.of(1), cancelToken()),
      sessions[2]!.decode(Int32Array.of(9, 9, 9), Int32Array.of(0, 0, 0), cancelToken()),
    ]);
    for (const session of sessions) session.dispose();
    expect(forked!.length).toBe(2 * model.info.vocabularySize);
    await expectRows(first!, [histories[0]!]);
    await expectRows(second!, [histories[1]!]);
    await expectRows(third!, [histories[2]!, histories[2]!, histories[2]!]);
  });

  it('reuses cells of a session that ended', async () => {
    const before = await fromScratch({ prompt, tokens: [5] });
    for (let i = 0; i < 5; i++) {
      await withSession(model, model.info.contextSize, 8, async session => {
        await read(session, { ...prompt, ids: [...prompt.ids, 11, 12 + i] });
        await session.decode(Int32Array.of(20, 21, 22), Int32Array.of(0, 0, 0), cancelToken());
      });
    }
    expect(relativeDifference(await fromScratch({ prompt, tokens: [5] }), before)).toBe(0);
  });

  // Row length of the key cache must be whole blocks of 32 for q8_0.
  const kinds: [KvCacheType, number][] =
    keyLength(recipe.sizes.text) % 32 === 0
      ? [
          ['f16', 2e-3],
          ['q8_0', 5e-2],
        ]
      : [['f16', 2e-3]];
  it.each(kinds)('is close with a cache of %s', async (kvCacheType, limit) => {
    const history = { prompt, tokens: [5, 6, 7] };
    const expected = await fromScratch(history);
    const rounded = await loadNative(files, { kvCacheType, ...LIMITS });
    try {
      const actual = await fromScratch(history, rounded);
      const error = relativeDifference(actual, expected);
      // Not the same numbers, or the option had no effect.
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(limit);
      expect(argmax(actual)).toBe(argmax(expected));
    } finally {
      await rounded.dispose();
    }
  });
});
