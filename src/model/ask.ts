import { createError } from '../errors.js';
import { type GenerationState, newGenerationState } from '../generation/answer-writer.js';
import { generate } from '../generation/generate-loop.js';
import { type GenerationSettings, interpretOptions } from '../generation/generation-settings.js';
import type { ImageInput } from '../processor/image-input.js';
import { type Answer, StageClock } from './answer.js';
import type { AskOptions, DeliveryOptions } from './ask-options.js';
import { validateAskOptions } from './ask-options.js';
import { cellsOf, checkLength, fitContext } from './context-limits.js';
import {
  type EngineCall,
  featuresOf,
  inSession,
  ownFeatures,
  type PictureFeatures,
  type SessionPrompt,
  softTokensOfAll,
} from './engine-stages.js';
import { ImageFeatures } from './image-features.js';
import { fitQFormer } from './instruction.js';
import { underSignals } from './linked-signal.js';
import type { Engine } from './loaded-model.js';
import { promptIdsOf } from './prompt-ids.js';
import { withOcrTokens } from './prompt-places.js';

/** One call, from picture and question to the answer. The order of the stages is the order of the functions below. */
export async function ask(engine: Engine, images: Pictures, question: string, options: AskOptions): Promise<Answer> {
  const { delivery, generate: generateOptions } = validateAskOptions(options);
  const clock = new StageClock();
  const pictures = listOf(images);
  const imageTokens = pictures.length * engine.model.info.imageTokens;
  const { ocrTokens } = delivery;
  const prompt = promptOf(
    engine,
    ocrTokens && typeof question === 'string' ? withOcrTokens(question, ocrTokens) : question,
  );
  const promptTokens = imageTokens + prompt.ids.length;
  const promptIds = promptIdsOf(engine, { pictures, ids: prompt.ids });
  const interpreted = interpretOptions(generateOptions, engine.model.info, engine.vocabulary, promptIds);
  const settings = fitContext(engine, promptTokens, interpreted);
  const state = newGenerationState();
  try {
    await underSignals([delivery.signal, engine.lifetime], async signal => {
      signal.throwIfAborted();
      const call = { engine, clock, signal };
      const softTokens = await softTokensOfAll(call, pictures.map(pictureFeatures), prompt.instruction);
      await answer({ ...call, settings, delivery, state, promptTokens }, { softTokens, ids: prompt.ids });
    });
  } catch (error) {
    engine.lifetime.throwIfAborted();
    if (!(delivery.signal?.aborted && delivery.stopOnAbort)) throw error;
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

/** @throws OPTION_INVALID for none */
export function listOf(images: Pictures): readonly Picture[] {
  if (!Array.isArray(images)) return [images as Picture];
  if (images.length > 0) return images;
  throw createError('OPTION_INVALID', 'a question needs a picture, but the list of pictures is empty');
}

/** `encodeImage`, and the first half of `ask`. */
export async function encodeImage(call: EngineCall, image: Picture): Promise<ImageFeatures> {
  const { engine, clock, signal } = call;
  if (image instanceof ImageFeatures) {
    ImageFeatures.dataOf(image, engine.owner);
    return image;
  }
  const pixels = await clock.measure('preprocess', () => engine.prepareImage(image, signal));
  signal.throwIfAborted();
  return ownFeatures(engine, await featuresOf(call, pixels));
}

/** A question as both halves read it. */
export interface Prompt {
  /** Of the language model, with its BOS or EOS. */
  readonly ids: Int32Array;
  readonly instruction: Int32Array;
}

/** @throws OPTION_INVALID, CONTEXT_LENGTH_EXCEEDED */
export function promptOf(engine: Engine, question: string): Prompt {
  if (typeof question !== 'string') {
    throw createError('OPTION_INVALID', `the question must be a text, but is ${typeof question}`);
  }
  checkLength(engine, question, 'question');
  const instruction = fitQFormer(engine.qformerIds(question), engine.model.info.qformerMaxTokens);
  return { ids: engine.tokenizer.encode(question), instruction };
}

/** A picture through `encodeImage`, when it is needed. */
export const pictureFeatures =
  (picture: Picture): PictureFeatures =>
  async call =>
    ImageFeatures.dataOf(await encodeImage(call, picture), call.engine.owner);

interface AskCall extends EngineCall {
  readonly settings: GenerationSettings;
  readonly delivery: DeliveryOptions;
  readonly state: GenerationState;
  /** With those of the pictures. */
  readonly promptTokens: number;
}

async function answer(call: AskCall, prompt: SessionPrompt): Promise<void> {
  const { engine, settings, delivery, signal, state, promptTokens } = call;
  const { onText, onToken } = delivery;
  const tokenText = (id: number) => engine.tokenizer.tokenText(id);
  const cleanUpSpaces = engine.model.info.cleanUpTokenizationSpaces;
  const hooks = { tokenText, cleanUpSpaces, signal, onText, onToken };
  const room = { cells: cellsOf(engine, promptTokens, settings), sequences: settings.numBeams };
  await inSession(call, room, [prompt], settings.answerStart, source => generate(source, settings, hooks, state));
}
