import { createError } from '../errors.js';
import { type GenerationState, newGenerationState } from '../generation/answer-writer.js';
import { generate } from '../generation/generate-loop.js';
import { type GenerationSettings, interpretOptions } from '../generation/generation-settings.js';
import type { LogitsSource } from '../generation/run-searches.js';
import { nativeCall, nativeWork } from '../native/native-call.js';
import type { ImageInput } from '../processor/image-input.js';
import { type Answer, StageClock } from './answer.js';
import type { AskOptions, DeliveryOptions } from './ask-options.js';
import { validateAskOptions } from './ask-options.js';
import { cellsOf, checkLength, fitContext } from './context-limits.js';
import { ImageFeatures } from './image-features.js';
import { fitQFormer } from './instruction.js';
import { linkSignals } from './linked-signal.js';
import type { Engine } from './loaded-model.js';

/** One call, from picture and question to the answer. The order of the stages is the order of the functions below. */
export async function ask(engine: Engine, images: Pictures, question: string, options: AskOptions): Promise<Answer> {
  const { delivery, generate: generateOptions } = validateAskOptions(options);
  const clock = new StageClock();
  const pictures = listOf(images);
  const imageTokens = pictures.length * engine.model.info.imageTokens;
  const prompt = promptOf(engine, question);
  const settings = fitContext(
    engine,
    imageTokens + prompt.ids.length,
    interpretOptions(generateOptions, engine.model.info),
  );
  const state = newGenerationState();
  const { signal, unlink } = linkSignals(delivery.signal, engine.lifetime);
  try {
    await answer({ engine, clock, settings, delivery, signal, state }, pictures, prompt);
  } catch (error) {
    engine.lifetime.throwIfAborted();
    if (!delivery.signal?.aborted) throw error;
    if (!delivery.stopOnAbort) throw delivery.signal.reason;
  } finally {
    unlink();
  }
  return {
    text: state.text,
    tokens: state.tokens,
    finishReason: state.finishReason,
    usage: {
      imageTokens,
      promptTokens: prompt.ids.length,
      generatedTokens: state.tokens.length,
    },
    timings: clock.timings(),
  };
}

/** A picture in any form, or the result of `encodeImage`. */
export type Picture = ImageInput | ImageFeatures;

/** What a question may be about: a picture, or several (of a video: its frames) in their order. */
export type Pictures = Picture | readonly Picture[];

function listOf(images: Pictures): readonly Picture[] {
  if (!Array.isArray(images)) return [images as Picture];
  if (images.length > 0) return images;
  throw createError('OPTION_INVALID', 'a question needs a picture, but the list of pictures is empty');
}

/** `encodeImage`, and the first half of `ask`. */
export async function encodeImage(
  engine: Engine,
  image: Picture,
  clock: StageClock,
  signal: AbortSignal,
): Promise<ImageFeatures> {
  if (image instanceof ImageFeatures) {
    ImageFeatures.dataOf(image, engine.owner);
    return image;
  }
  const pixels = await clock.measure('preprocess', () => engine.prepareImage(image, signal));
  signal.throwIfAborted();
  const data = await featuresOf(engine, pixels, clock, signal);
  return new ImageFeatures(engine.owner, data, [engine.model.info.visionTokens, engine.model.info.visionHiddenSize]);
}

/** pixels [1,3,S,S] → features [tokens,hidden], not to be changed */
export function featuresOf(
  engine: Engine,
  pixels: Float32Array,
  clock: StageClock,
  signal: AbortSignal,
): Promise<Float32Array> {
  const key = engine.images.keyOf(pixels);
  const known = key && engine.images.get(key);
  if (known) {
    clock.countCachedImage();
    return Promise.resolve(known);
  }
  return clock.measure('vision', async () => {
    const features = await nativeWork(engine.addon, signal, cancel => engine.model.encodeImage(pixels, cancel));
    if (key) engine.images.add(key, features);
    return features;
  });
}

/** features, instruction → soft tokens [imageTokens,hidden] */
export const softTokensOf = (
  engine: Engine,
  features: Float32Array,
  instruction: Int32Array,
  clock: StageClock,
  signal: AbortSignal,
): Promise<Float32Array> =>
  clock.measure('qformer', () =>
    nativeWork(engine.addon, signal, cancel => engine.model.queryImage(features, instruction, cancel)),
  );

interface Prompt {
  /** Of the language model, with its BOS or EOS. */
  readonly ids: Int32Array;
  readonly instruction: Int32Array;
}

interface Call {
  readonly engine: Engine;
  readonly clock: StageClock;
  readonly settings: GenerationSettings;
  readonly delivery: DeliveryOptions;
  readonly signal: AbortSignal;
  readonly state: GenerationState;
}

function promptOf(engine: Engine, question: string): Prompt {
  if (typeof question !== 'string') {
    throw createError('OPTION_INVALID', `the question must be a text, but is ${typeof question}`);
  }
  checkLength(engine, question);
  const instruction = fitQFormer(engine.qformerIds(question), engine.model.info.qformerMaxTokens);
  return { ids: engine.tokenizer.encode(question), instruction };
}

async function answer(call: Call, pictures: readonly Picture[], prompt: Prompt): Promise<void> {
  const { engine, clock, settings, signal } = call;
  signal.throwIfAborted();
  const softTokens: Float32Array[] = [];
  for (const picture of pictures) {
    const features = ImageFeatures.dataOf(await encodeImage(engine, picture, clock, signal), engine.owner);
    softTokens.push(await softTokensOf(engine, features, prompt.instruction, clock, signal));
  }
  const promptTokens = pictures.length * engine.model.info.imageTokens + prompt.ids.length;
  const cells = cellsOf(engine, promptTokens, settings);
  const giveBack = await engine.queue.acquire(cells, settings.numBeams, signal);
  try {
    await generateInSession(call, joined(softTokens), prompt.ids, cells);
  } finally {
    giveBack();
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

async function generateInSession(
  { engine, clock, settings, delivery, signal, state }: Call,
  softTokens: Float32Array,
  promptIds: Int32Array,
  cells: number,
): Promise<void> {
  const session = nativeCall(() => engine.model.createSession(cells, settings.numBeams));
  const source: LogitsSource = {
    prefill: () =>
      clock.measure('prefill', () =>
        nativeWork(engine.addon, signal, cancel =>
          session.prefill(softTokens, promptIds, Int32Array.from(settings.answerStart), cancel),
        ),
      ),
    decode: (tokens, parents) =>
      clock.measure('decode', () =>
        nativeWork(engine.addon, signal, cancel => session.decode(tokens, parents, cancel)),
      ),
  };
  try {
    const { onText, onToken } = delivery;
    const tokenText = (id: number) => engine.tokenizer.tokenText(id);
    const cleanUpSpaces = engine.model.info.cleanUpTokenizationSpaces;
    await generate(source, settings, { tokenText, cleanUpSpaces, signal, onText, onToken }, state);
  } finally {
    session.dispose();
  }
}
