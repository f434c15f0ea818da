/** What the public types allow and forbid; `tsc` is the test. Nothing here runs. */
import {
  type Answer,
  type AskOptions,
  convert,
  type ErrorCode,
  type ImageFeatures,
  type Inspection,
  InstructBlip,
  InstructBlipConfig,
  type InstructBlipError,
  InstructBlipForConditionalGeneration,
  InstructBlipProcessor,
  InstructBlipQFormerConfig,
  InstructBlipQFormerModel,
  InstructBlipVisionConfig,
  InstructBlipVisionModel,
  type inspectModel,
  LlamaConfig,
  type LoadOptions,
  OPTConfig,
  OptionError,
  PROMPTS,
  type PredictClassOptions,
  type PredictedAnswers,
  type ProcessOptions,
  type Side,
  T5Config,
  Tensor,
  type TextConfig,
} from 'instructblip';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_T extends true>(): void => {};

export async function allowed(signal: AbortSignal): Promise<void> {
  const blip = await InstructBlip.load('folder', {
    device: 'auto',
    threads: 2,
    signal,
    onProgress: p => p.loaded / p.total,
  });
  await InstructBlip.load({ vision: 'a.gguf', languageModel: 'b.gguf' });
  const answer = await blip.ask('photo.jpg', 'q', {
    onText: async text => text.length,
    onToken: token => token.logprob,
  });
  holds<Equal<typeof answer, Answer>>();
  holds<Equal<Answer['finishReason'], 'stop' | 'length' | 'abort'>>();
  const image: ImageFeatures = await blip.encodeImage(new Uint8Array(3), { signal });
  await blip.ask(image, 'q', { eosTokenId: [1, 2], stopStrings: 'x', badWordsIds: [[1]], compat: 'hf-4.34' });
  await blip.ask(image, 'q', { compat: 'hf-5' });
  await blip.ask(image, 'q', { compat: 'lavis' });
  await blip.ask(image, 'q', { choices: ['red', 'blue'] as const });
  await blip.ask(image, 'q', { jsonSchema: { type: 'object', properties: { a: { type: 'string' } } } });
  for await (const piece of blip.stream(image, 'q', { grammar: 'root ::= "a"', numBeams: 2 }))
    holds<Equal<typeof piece, string>>();
  for await (const piece of blip.stream(image, 'q', { temperature: 0.7, seed: 1 }))
    holds<Equal<typeof piece, string>>();
  holds<Equal<Awaited<ReturnType<typeof inspectModel>>, Inspection>>();
  await convert('in', 'out', { languageModelType: 'Q4_K_M', visionType: 'F16' });
  await blip[Symbol.asyncDispose]();
  const error: InstructBlipError = new OptionError('OPTION_INVALID', 'x');
  holds<Equal<typeof error.code, ErrorCode>>();
}

export async function forwards(pixelValues: Tensor<Float32Array>, inputIds: Tensor<Int32Array>): Promise<void> {
  await using vision = await InstructBlipVisionModel.fromPretrained({ vision: 'mmproj.gguf' }, { threads: 1 });
  const { lastHiddenState, attentions } = await vision.forward({ pixelValues, interpolatePosEncoding: true });
  holds<Equal<typeof attentions, readonly Tensor<Float32Array>[] | undefined>>();
  await using qformer = await InstructBlipQFormerModel.fromPretrained('folder');
  await qformer.forward({ encoderHiddenStates: lastHiddenState, queryEmbeds: null, inputIds });
  await using model = await InstructBlipForConditionalGeneration.fromPretrained('folder');
  const { loss, logits, languageModelOutputs } = await model.forward({ pixelValues, inputIds, labels: inputIds });
  holds<Equal<typeof loss, number | undefined>>();
  holds<Equal<typeof logits, (typeof languageModelOutputs)['logits']>>();
  holds<Equal<typeof model.config, InstructBlipConfig>>();
  // @ts-expect-error about the language model, which is not loaded
  await InstructBlipVisionModel.fromPretrained('folder', { contextSize: 5 });
  // @ts-expect-error ids are integers
  await model.forward({ pixelValues, inputIds: pixelValues });
}

export async function allowedLavis(blip: InstructBlip): Promise<void> {
  const options: PredictClassOptions = { textInput: ['a', 'b'], nSegments: 2 };
  const { ranks, losses, usage } = await blip.predictClass(['1.jpg', '2.jpg'], '{} {}', ['yes', 'no'], options);
  holds<Equal<typeof ranks, number[]>>();
  console.log(losses[0], usage.computedTokens);
  const answers = await blip.predictAnswers('x', ['q', 'r'], { choices: [['a'], ['b']], maxLen: 5, numBeams: 3 });
  holds<Equal<typeof answers, PredictedAnswers>>();
  await blip.ask('x', PROMPTS.textVqa(['STOP'], 'q'), { ocrTokens: ['x'] });
  const image = await blip.encodeImage('x');
  await image.save('x.features');
  await blip.ask(await blip.loadImageFeatures(await image.toBytes()), PROMPTS.caption);
}

export async function allowedPictures(
  model: InstructBlipForConditionalGeneration,
  pixelValues: Tensor<Float32Array>,
  ids: Tensor<Int32Array>,
): Promise<void> {
  const imageFeatures = await model.encodeImages(pixelValues);
  const output = await model.generate({
    imageFeatures,
    inputIds: ids,
    qformerInputIds: ids,
    numBeams: 2,
    padTokenId: 0,
    outputScores: true,
    returnTokenScores: true,
  });
  const scores: Float32Array | undefined = output.scores?.[0]?.data;
  const beamIndices: number[][] | undefined = output.beamIndices;
  const tokenScores: number[][] | undefined = output.tokenScores;
  void [scores, beamIndices, tokenScores];
  await model.generate({ imageFeatures: imageFeatures.flat(), inputIds: ids, qformerInputIds: ids });
}

export async function forbidden(blip: InstructBlip): Promise<void> {
  // @ts-expect-error lengths have LAVIS' names there
  await blip.predictAnswers('x', 'q', { maxNewTokens: 5 });
  // @ts-expect-error there is no lemmatizer
  await blip.predictAnswers('x', 'q', { applyLemmatizer: true });
  // @ts-expect-error candidates are a list
  await blip.predictClass('x', 'q', 'yes');
  // @ts-expect-error the prompt needs a question
  PROMPTS.vqa();
  // @ts-expect-error unknown option
  await blip.ask('x', 'q', { maxNewToken: 5 });
  // @ts-expect-error wrong type
  await blip.ask('x', 'q', { temperature: '1' });
  // @ts-expect-error an option of generate
  await blip.ask('x', 'q', { numReturnSequences: 5 });
  // @ts-expect-error choices are texts
  await blip.ask('x', 'q', { choices: 'red' });
  // @ts-expect-error a schema is an object
  await blip.ask('x', 'q', { jsonSchema: '{}' });
  // @ts-expect-error no preset
  await blip.ask('x', 'q', { compat: 'hf-4' });
  // @ts-expect-error an option of generate
  await blip.ask('x', 'q', { outputScores: true });
  // @ts-expect-error a question is a text
  await blip.ask('x', 5);
  // @ts-expect-error a number is no picture
  await blip.ask(5, 'q');
  // @ts-expect-error a model is a folder or two files
  await InstructBlip.load({ vision: 'x' });
  // @ts-expect-error no such type
  const load: LoadOptions = { kvCacheType: 'q4_0' };
  // @ts-expect-error features are opaque: they come from encodeImage only
  const features: ImageFeatures = { shape: [257, 1408] };
  // @ts-expect-error not a code
  const code: ErrorCode = 'NO_SUCH_CODE';
  const options: AskOptions = { doSample: true };
  console.log(load, features, code, options);
}

export async function allowedConfigs(): Promise<void> {
  const vision = new InstructBlipVisionConfig({ hiddenSize: 64, numAttentionHeads: 4 });
  holds<Equal<typeof vision.hiddenSize, number>>();
  holds<Equal<typeof vision.modelType, 'instructblip_vision_model'>>();
  holds<Equal<typeof vision.architectures, readonly string[] | null>>();
  const llama: LlamaConfig = new LlamaConfig({ numKeyValueHeads: 4, extra: { head_dim: 128 } }).with({
    eosTokenId: [1, 2],
  });
  holds<Equal<typeof llama.eosTokenId, number | readonly number[] | null>>();
  holds<Equal<typeof llama.earlyStopping, boolean | 'never'>>();
  const config = InstructBlipConfig.fromVisionQFormerTextConfigs(vision, new InstructBlipQFormerConfig(), llama);
  holds<Equal<typeof config.textConfig, TextConfig>>();
  if (config.textConfig.modelType === 't5') holds<Equal<typeof config.textConfig.dModel, number>>();
  const { hiddenSize }: { hiddenSize: number } = config.textConfig;
  new InstructBlipConfig({
    ...config,
    numQueryTokens: hiddenSize,
    textConfig: { modelType: 't5', denseActFn: 'gelu', hiddenSize: 8 },
  });
  new InstructBlipConfig({ textConfig: { ffnDim: 8, _removeFinalLayerNorm: true } });
  const read = await T5Config.fromPretrained('folder');
  holds<Equal<typeof read, T5Config>>();
  const parsed = OPTConfig.fromJSON('{}');
  holds<Equal<typeof parsed, OPTConfig>>();
  await parsed.savePretrained('folder');
}

export function forbiddenConfigs(config: InstructBlipConfig): void {
  // @ts-expect-error configurations never change
  config.numQueryTokens = 5;
  // @ts-expect-error no such field
  new LlamaConfig({ hiddenSiz: 5 });
  // @ts-expect-error wrong type
  new LlamaConfig({ ropeTheta: '5' });
  // @ts-expect-error derived
  new InstructBlipConfig({ isEncoderDecoder: true });
  // @ts-expect-error another model's field
  new InstructBlipConfig({ textConfig: { modelType: 'llama', dModel: 5 } });
  // @ts-expect-error not a kind of language model
  new InstructBlipConfig({ textConfig: { modelType: 'gpt2' } });
  // @ts-expect-error no such field
  config.with({ queryTokens: 5 });
}

export async function allowedProcessing(signal: AbortSignal): Promise<void> {
  const processor = await InstructBlipProcessor.fromPretrained('folder');
  const both = await processor.process({ images: 'photo.jpg', text: ['q'], padding: true, truncation: 'only_first' });
  holds<Equal<typeof both.pixelValues, Tensor<Float32Array>>>();
  holds<Equal<typeof both.inputIds, Tensor<Int32Array>>>();
  const text = await processor.process({ text: 'q', maxLength: 5, padToMultipleOf: 8, addSpecialTokens: false });
  holds<Equal<typeof text.qformerAttentionMask, Tensor<Int32Array>>>();
  const { pixelValues } = await processor.process({
    images: [new Uint8Array(3)],
    size: { height: 1, width: 2 },
    signal,
  });
  holds<Equal<typeof pixelValues.data, Float32Array>>();
  const either: ProcessOptions = { images: 'x' };
  const unknown = await processor.process(either);
  holds<Equal<typeof unknown.inputIds, Tensor<Int32Array> | undefined>>();
  const texts = processor.batchDecode(both.inputIds, { skipSpecialTokens: true });
  holds<Equal<typeof texts, string[]>>();
  processor.decode([1, 2], { cleanUpTokenizationSpaces: false }).trim();
  const side: Side = processor.tokenizer.paddingSide;
  await processor.imageProcessor.preprocess('x', { imageMean: [0, 0, 0], imageStd: 1, resample: 'bicubic' });
  await processor.savePretrained('folder');
  console.log(side, new Tensor(new Int32Array(2), [1, 2]).tolist());
}

export async function forbiddenProcessing(processor: InstructBlipProcessor, tensor: Tensor): Promise<void> {
  // @ts-expect-error pixels are not there without images
  (await processor.process({ text: 'q' })).pixelValues;
  // @ts-expect-error ids are not there without text
  (await processor.process({ images: 'x' })).inputIds;
  // @ts-expect-error no such option
  await processor.process({ text: 'q', max_length: 5 });
  // @ts-expect-error no such way to pad
  await processor.process({ text: 'q', padding: 'left' });
  // @ts-expect-error bicubic only
  await processor.imageProcessor.preprocess('x', { resample: 'lanczos' });
  // @ts-expect-error pixels are no ids
  processor.decode(new Float32Array(1));
  // @ts-expect-error no such numbers
  new Tensor(new Float64Array(1), [1]);
  // @ts-expect-error shapes never change
  tensor.dims = [1];
  // @ts-expect-error comes from fromPretrained
  new InstructBlipProcessor();
}
