import type { KvCacheType, NativeModel, NativeSession } from '../../src/native/addon.js';
import { PARITY_RECIPES } from '../unit/support/parity-recipes.js';
import { randomNumbers } from '../unit/support/random.js';
import { argmax, cancelToken, loadNative, ParityFiles, readReference, relativeDifference } from './support/parity.js';

// Sums of one row may be taken in another order when more rows run along.
const TOLERANCE = 2e-5;

describe.each(PARITY_RECIPES.map(recipe => [recipe.name, recipe] as const))('sessions of %s', (name, recipe) => {
  const reference = readReference(name);
  let checkpoint: ParityFiles;
  let files: Awaited<ReturnType<ParityFiles['convert']>>;
  let model: NativeModel;
  let softTokens: Float32Array;
  const random = randomNumbers(recipe.seed);
  const below = (limit: number): number => Math.floor(((random() + 1) / 2) * limit);

  beforeAll(async () => {
    checkpoint = new ParityFiles(recipe);
    files = await checkpoint.convert('F32', 'F32');
    model = await loadNative(files, { contextSize: 768, maxSequences: 16 });
    const { imageTokens, languageHiddenSize } = model.info;
    softTokens = Float32Array.from({ length: imageTokens * languageHiddenSize }, () => random() * Math.sqrt(3));
  });
  afterAll(async () => {
    await model?.dispose();
    checkpoint?.dispose();
  });

  const prompt = () => Int32Array.from(reference.pairs[0]!.inputIds);

  async function withSession<T>(
    of: NativeModel,
    cells: number,
    sequences: number,
    work: (session: NativeSession) => Promise<T>,
  ): Promise<T> {
    const session = of.createSession(cells, sequences);
    try {
      return await work(session);
    } finally {
      session.dispose();
    }
  }

  /** Logits after the prompt and `tokens`, computed in one piece. */
  const fromScratch = (tokens: readonly number[], of = model): Promise<Float32Array> =>
    withSession(of, 128, 1, session =>
      session.prefill(softTokens, Int32Array.from([...prompt(), ...tokens]), cancelToken()),
    );

  const rowOf = (logits: Float32Array, i: number) =>
    logits.subarray(i * model.info.vocabularySize, (i + 1) * model.info.vocabularySize);

  /** Runs the steps on one session and holds every row against recomputation. */
  const checkSteps = (steps: readonly (readonly number[] | null)[], rows: readonly number[]): Promise<void> =>
    withSession(model, 400, 8, async session => {
      await session.prefill(softTokens, prompt(), cancelToken());
      let histories: number[][] = [[]];
      for (const [step, parents] of steps.entries()) {
        const tokens = Int32Array.from({ length: rows[step]! }, () => 3 + below(250));
        const logits = await session.decode(tokens, parents ? Int32Array.from(parents) : null, cancelToken());
        const continued = histories;
        histories = Array.from(tokens, (token, i) => [...continued[parents ? parents[i]! : i]!, token]);
        expect(logits.length).toBe(tokens.length * model.info.vocabularySize);
        for (const [i, history] of histories.entries())
          expect(relativeDifference(rowOf(logits, i), await fromScratch(history))).toBeLessThan(TOLERANCE);
      }
    });

  it('continues one sequence as if it were read at once', () => checkSteps([null, [0], null], [1, 1, 1]));

  it('forks, drops and reorders sequences', () =>
    checkSteps(
      [[0, 0, 0], [2, 0, 2, 1], null, [3, 1], [1, 0], [0, 0, 1, 1, 0, 1, 0, 0], [7, 6, 5, 4, 3, 2, 1, 0], [4]],
      [3, 4, 4, 2, 2, 8, 8, 1],
    ));

  it('does random beams for long', async () => {
    const rows = Array.from({ length: 10 }, () => 1 + below(5));
    const steps = rows.map((count, step) =>
      Array.from({ length: count }, () => below(step === 0 ? 1 : rows[step - 1]!)),
    );
    await checkSteps(steps, rows);
  });

  it('continues sequence 0 with a further prefill, with and without soft tokens', async () => {
    const { languageHiddenSize } = model.info;
    const whole = await fromScratch([7, 8, 9]);
    const start = 2 * languageHiddenSize;
    const last = await withSession(model, 128, 2, async session => {
      await session.prefill(softTokens.subarray(0, start), new Int32Array(0), cancelToken());
      await session.prefill(softTokens.subarray(start), prompt().subarray(0, 2), cancelToken());
      await session.prefill(new Float32Array(0), prompt().subarray(2), cancelToken());
      return session.prefill(new Float32Array(0), Int32Array.of(7, 8, 9), cancelToken());
    });
    expect(relativeDifference(last, whole)).toBeLessThan(TOLERANCE);
  });

  it('keeps sessions apart that run at once', async () => {
    const alone = await Promise.all([[4], [5, 6], [9]].map(tokens => fromScratch(tokens)));
    const sessions = [model.createSession(128, 2), model.createSession(128, 2), model.createSession(128, 3)];
    await Promise.all(sessions.map(session => session.prefill(softTokens, prompt(), cancelToken())));
    const [first, forked] = await Promise.all([
      sessions[0]!.decode(Int32Array.of(4), null, cancelToken()),
      sessions[1]!.decode(Int32Array.of(8, 5), Int32Array.of(0, 0), cancelToken()),
    ]);
    const [second, third] = await Promise.all([
      sessions[1]!.decode(Int32Array.of(6), Int32Array.of(1), cancelToken()),
      sessions[2]!.decode(Int32Array.of(9, 9, 9), Int32Array.of(0, 0, 0), cancelToken()),
    ]);
    expect(forked!.length).toBe(2 * model.info.vocabularySize);
    expect(relativeDifference(first!, alone[0]!)).toBeLessThan(TOLERANCE);
    expect(relativeDifference(second!, alone[1]!)).toBeLessThan(TOLERANCE);
    for (const i of [0, 1, 2]) expect(relativeDifference(rowOf(third!, i), alone[2]!)).toBeLessThan(TOLERANCE);
    for (const session of sessions) session.dispose();
  });

  it('reuses cells of a session that ended', async () => {
    const before = await fromScratch([5]);
    for (let i = 0; i < 5; i++) {
      await withSession(model, model.info.contextSize, 8, async session => {
        await session.prefill(softTokens, Int32Array.from([...prompt(), 11, 12 + i]), cancelToken());
        await session.decode(Int32Array.of(20, 21, 22), Int32Array.of(0, 0, 0), cancelToken());
      });
    }
    expect(relativeDifference(await fromScratch([5]), before)).toBe(0);
  });

  // Row length of the key cache must be whole blocks of 32 for q8_0.
  const keyLength = (recipe.sizes.text.hidden / recipe.sizes.text.heads) * recipe.sizes.text.kvHeads;
  const kinds: [KvCacheType, number][] = [
    ['f16', 2e-3],
    ...(keyLength % 32 === 0 ? [['q8_0', 5e-2] as const] : []),
  ].map(([kind, limit]) => [kind as KvCacheType, limit as number]);
  it.each(kinds)('is close with a cache of %s', async (kvCacheType, limit) => {
    const expected = await fromScratch([5, 6, 7]);
    const other = await loadNative(files, { kvCacheType, contextSize: 768, maxSequences: 16 });
    try {
      const actual = await fromScratch([5, 6, 7], other);
      const error = relativeDifference(actual, expected);
      // Not the same numbers, or the option had no effect.
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(limit);
      expect(argmax(actual)).toBe(argmax(expected));
    } finally {
      await other.dispose();
    }
  });
});
