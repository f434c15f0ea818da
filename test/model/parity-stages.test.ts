import type { NativeModel } from '../../src/native/addon.js';
import { ImageProcessor } from '../../src/processor/image-processor.js';
import { QFormerTokenizer } from '../../src/processor/qformer-tokenizer.js';
import { tokenizerOf } from '../../src/processor/tokenizer-of-model.js';
import { PARITY_RECIPES, questionsOf } from '../unit/support/parity-recipes.js';
import { PARITY_PICTURES, randomPicture } from '../unit/support/pictures.js';
import {
  bytesOf,
  cancelToken,
  loadNative,
  logitsBehind,
  ParityFiles,
  readReference,
  relativeError,
  type StoredTensor,
  sha256,
  tracedPair,
} from './support/parity.js';

const TOLERANCE = 1e-4;
/** As many values as the reference has. */
const startOf = ({ data }: { data: Float32Array }, { shape }: StoredTensor): Float32Array =>
  data.subarray(
    0,
    shape.reduce((product, length) => product * length, 1),
  );
const pictures = PARITY_PICTURES.map(randomPicture);

/** Every stage is fed with what transformers fed it with, or with what our stage before made of it. */
describe.each(PARITY_RECIPES.map(recipe => [recipe.name, recipe] as const))('stages of %s', (name, recipe) => {
  const reference = readReference(name);
  let files: ParityFiles;
  let model: NativeModel;
  let pixels: Float32Array[];
  let features: Float32Array[];

  beforeAll(async () => {
    files = new ParityFiles(recipe);
    model = await loadNative(await files.convert('F32', 'F32'));
    const images = new ImageProcessor(model.info);
    const never = new AbortController().signal;
    pixels = await Promise.all(pictures.map(picture => images.process(picture, never)));
    features = await Promise.all(pixels.map(each => model.encodeImage(each, cancelToken())));
  });
  afterAll(async () => {
    await model?.dispose();
    files?.dispose();
  });

  const softTokensOf = (picture: number, ids: readonly number[]) =>
    model.queryImage(features[picture]!, Int32Array.from(ids), cancelToken());

  const ask = (picture: number, ids: readonly number[], names: readonly string[]) => {
    const none = new Int32Array(0);
    return model.runQFormer(features[picture]!, Int32Array.from(ids), none, none, null, names, cancelToken());
  };

  it('has the checkpoint and the pictures that the reference saw', () => {
    expect(recipe.seed).toBe(reference.seed);
    expect(files.weightsSha256).toBe(reference.weightsSha256);
    expect(pictures.map(({ data }) => sha256(data))).toEqual(reference.pictures.map(each => each.rgbSha256));
    expect(reference.pairs.map(({ picture, question }) => [picture, question])).toEqual(
      pictures.flatMap((_, i) => questionsOf(recipe).map(question => [i, question])),
    );
  });

  it('makes the same pixels, to the bit', () => {
    expect(pixels.map(each => sha256(bytesOf(each)))).toEqual(reference.pictures.map(each => each.pixelsSha256));
  });

  it('makes the same ids of the questions', () => {
    const prompts = tokenizerOf(model);
    const instructions = new QFormerTokenizer(model.qformerVocabulary, model.info.qformerTokenizer);
    for (const { question, inputIds, qformerIds } of reference.pairs) {
      expect([...prompts.encode(question)]).toEqual(inputIds);
      expect([...instructions.encode(question)]).toEqual(qformerIds);
    }
  });

  it('encodes pictures', () => {
    for (const [i, { features: expected }] of reference.pictures.entries())
      expect(relativeError(features[i]!, expected)).toBeLessThan(TOLERANCE);
  });

  it('has the same intermediates', async () => {
    const { picture, tensors } = reference.trace;
    const { qformerIds } = tracedPair(reference);
    // Of the last layer the reference has the queries' rows alone: in weights [heads,rows,rows] they are no beginning.
    const last = `qformer.self_attention_weights-${recipe.sizes.qformer.layers - 1}`;
    const names = Object.keys(tensors).filter(each => each !== last);
    expect(names.length).toBeGreaterThan(15);
    const [ofVision, others] = [true, false].map(vision => names.filter(each => each.startsWith('vision') === vision));
    const { imageSize } = model.info;
    const seen = {
      ...(await model.runVision(pixels[picture]!, imageSize, imageSize, ofVision!, cancelToken())),
      ...(await ask(picture, qformerIds, others!)),
    };
    const errors = names.map(
      each => [each, relativeError(startOf(seen[each]!, tensors[each]!), tensors[each]!)] as const,
    );
    expect(errors.filter(([, error]) => !(error < TOLERANCE))).toEqual([]);
    for (const each of names) expect(seen[each]!.shape.slice(1)).toEqual(tensors[each]!.shape.slice(1));
  });

  it('asks the picture: queries of every pair', async () => {
    for (const { picture, qformerIds, qformer } of reference.pairs) {
      const { 'qformer.output': output } = await ask(picture, qformerIds, ['qformer.output']);
      expect(relativeError(startOf(output!, qformer), qformer)).toBeLessThan(TOLERANCE);
    }
  });

  it('asks the picture: soft tokens of every pair', async () => {
    for (const { picture, qformerIds, softTokens } of reference.pairs)
      expect(relativeError(await softTokensOf(picture, qformerIds), softTokens)).toBeLessThan(TOLERANCE);
  });

  it('reads picture and question: logits of every pair', async () => {
    for (const { picture, qformerIds, inputIds, logits } of reference.pairs) {
      const softTokens = await softTokensOf(picture, qformerIds);
      expect(relativeError(await logitsBehind(model, softTokens, inputIds), logits)).toBeLessThan(TOLERANCE);
    }
  });

  it("is transformers' language model without a picture", async () => {
    for (const { inputIds, logits } of reference.texts)
      expect(relativeError(await logitsBehind(model, new Float32Array(0), inputIds), logits)).toBeLessThan(TOLERANCE);
  });
});
