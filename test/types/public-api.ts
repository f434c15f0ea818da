/** What the public types allow and forbid; `tsc` is the test. Nothing here runs. */
import {
  type Answer,
  type AskOptions,
  convert,
  type ErrorCode,
  type ImageFeatures,
  type Inspection,
  InstructBlip,
  type InstructBlipError,
  type inspectModel,
  type LoadOptions,
  OptionError,
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
  for await (const piece of blip.stream(image, 'q', { temperature: 0.7, seed: 1 }))
    holds<Equal<typeof piece, string>>();
  holds<Equal<Awaited<ReturnType<typeof inspectModel>>, Inspection>>();
  await convert('in', 'out', { languageModelType: 'Q4_K_M', visionType: 'F16' });
  await blip[Symbol.asyncDispose]();
  const error: InstructBlipError = new OptionError('OPTION_INVALID', 'x');
  holds<Equal<typeof error.code, ErrorCode>>();
}

export async function forbidden(blip: InstructBlip): Promise<void> {
  // @ts-expect-error unknown option
  await blip.ask('x', 'q', { maxNewToken: 5 });
  // @ts-expect-error wrong type
  await blip.ask('x', 'q', { temperature: '1' });
  // @ts-expect-error several answers come later
  await blip.ask('x', 'q', { numReturnSequences: 5 });
  // @ts-expect-error a preset that comes later
  await blip.ask('x', 'q', { compat: 'lavis' });
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
