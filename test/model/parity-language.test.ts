import type { NativeModel } from '../../src/native/addon.js';
import { OPT_RECIPES, T5_RECIPES } from '../unit/support/parity-recipes.js';
import {
  argmax,
  cancelToken,
  loadNative,
  logitsBehind,
  ParityFiles,
  promptCells,
  readReference,
  relativeDifference,
  relativeError,
  rowOf,
  type StoredTensor,
  softTokensOf,
  startOf,
  tracedPair,
  withSession,
} from './support/parity.js';

const TOLERANCE = 1e-4;
const endOf = (data: Float32Array, { shape }: StoredTensor): Float32Array =>
  data.subarray(data.length - shape.reduce((product, length) => product * length, 1));
const recipes = [...T5_RECIPES, ...OPT_RECIPES];

/** What is inside the language models that have a graph of our own. */
describe.each(recipes.map(recipe => [recipe.name, recipe] as const))('language model of %s', (name, recipe) => {
  const reference = readReference(name);
  const { tensors, forced } = reference.language!;
  const ids = Int32Array.from(tracedPair(reference).inputIds);
  let files: ParityFiles;
  let model: NativeModel;
  let softTokens: Float32Array;

  beforeAll(async () => {
    files = new ParityFiles(recipe);
    model = await loadNative(await files.convert('F32', 'F32'));
    softTokens = await softTokensOf(model, tracedPair(reference));
  });
  afterAll(async () => {
    await model?.dispose();
    files?.dispose();
  });

  it('has the same intermediates', async () => {
    const names = Object.keys(tensors);
    const none = new Int32Array(0);
    const start = Int32Array.from(startOf(model));
    const seen = await model.runLanguage(softTokens, ids, none, start, none, names, cancelToken());
    // Of OPT's rows, those of the ids; of logits, the last row.
    const ends = names.map(each => [each, endOf(seen[each]!.data, tensors[each]!)] as const);
    const errors = ends.map(([each, end]) => [each, relativeError(end, tensors[each]!)] as const);
    expect(errors.filter(([, error]) => !(error < TOLERANCE))).toEqual([]);
    for (const each of names) expect(seen[each]!.shape.at(-1)).toBe(tensors[each]!.shape.at(-1));
  });

  it('answers what it is made to answer: logits of every step', async () => {
    const cells = promptCells(model, softTokens, [...ids]) + forced.tokens.length;
    const logits = await withSession(model, cells, 1, async session => {
      const steps = [await session.prefill(softTokens, ids, Int32Array.from(startOf(model)), cancelToken())];
      for (const token of forced.tokens) steps.push(await session.decode(Int32Array.of(token), null, cancelToken()));
      return Float32Array.from(steps.flatMap(row => [...row]));
    });
    expect(relativeError(logits, forced.logits)).toBeLessThan(TOLERANCE);
    expect(forced.best.map((_, i) => argmax(rowOf(model, logits, i)))).toEqual(forced.best);
    const atOnce = await logitsBehind(model, softTokens, [...ids], forced.tokens);
    expect(relativeDifference(atOnce, rowOf(model, logits, forced.tokens.length))).toBeLessThan(TOLERANCE);
  });
});
