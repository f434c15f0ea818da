import { type Answer, StageClock } from './answer.js';
import { streamAnswer } from './answer-stream.js';
import { ask, encodeImage, type Picture, type Pictures } from './ask.js';
import { type AskOptions, checkNamed, signalRule } from './ask-options.js';
import type { ImageFeatures } from './image-features.js';
import { underSignals } from './linked-signal.js';
import { loadParts } from './load.js';
import { loadImageFeatures } from './load-image-features.js';
import type { LoadOptions } from './load-options.js';
import { LoadedModel, type ModelLimits } from './loaded-model.js';
import type { ModelSource } from './model-files.js';
import type { ModelParts } from './model-parts.js';
import { type PredictAnswersOptions, type PredictedAnswers, predictAnswers } from './predict-answers.js';
import { type ClassPrediction, type PredictClassOptions, predictClass } from './predict-class.js';

/** Facts of a loaded model. */
export interface ModelInfo {
  readonly name: string;
  /** Kind of the language model, by HF's name: `llama` (Vicuna), `t5` (Flan-T5) or `opt`. */
  readonly languageModel: string;
  /** Device that computes, as the engine names it. */
  readonly device: string;
  /** Tokens that the KV cache holds, of all concurrent calls together. */
  readonly contextSize: number;
  /** Side of the square that pictures are resized to, in pixels. */
  readonly imageSize: number;
  /** Soft tokens that a picture becomes. */
  readonly imageTokens: number;
  readonly vocabularySize: number;
}

/**
 * A loaded InstructBLIP: ask questions about pictures.
 *
 * Any number of calls may run at once; they share the engine fairly and never mix. Greedy answers are deterministic on one machine.
 *
 * @example
 * const blip = await InstructBlip.load('models/demo');
 * for await (const piece of blip.stream('photo.jpg', 'Describe the picture.')) process.stdout.write(piece);
 * await blip.dispose();
 */
export class InstructBlip {
  readonly #model: LoadedModel;

  /** @internal Use `InstructBlip.load`. */
  constructor(parts: ModelParts, limits: ModelLimits) {
    this.#model = new LoadedModel(parts, limits);
  }

  /**
   * Loads a model from a folder that holds one `mmproj-*.gguf` and one other `*.gguf`, or from the two files.
   * @throws `MODEL_NOT_FOUND`, `MODEL_FOLDER_AMBIGUOUS`, `MODEL_FILE_*`, `MODEL_PAIR_MISMATCH`, `OPTION_*`, `DEVICE_*`, `ENGINE_*`, `OUT_OF_MEMORY`;
   * the signal's reason when it aborts
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<InstructBlip> {
    const { parts, limits } = await loadParts(source, options);
    return new InstructBlip(parts, limits);
  }

  /** Facts of the loaded model. */
  get info(): ModelInfo {
    const { name, languageModel, device, contextSize, imageSize, imageTokens, vocabularySize } =
      this.#model.engine.model.info;
    return { name, languageModel, device, contextSize, imageSize, imageTokens, vocabularySize };
  }

  /**
   * Answers a question about a picture. The instruction steers the Q-Former too; there it is cut from the left to the positions that the Q-Former has.
   * Text in the shape of special tokens stays text.
   * @param images a picture in any form of `ImageInput`, or the result of `encodeImage`; or several (of a video: its frames), each read by the Q-Former with
   *   the instruction, in their order, as HF's InstructBlipVideo does
   * @throws `OPTION_*`, `IMAGE_*`, `CONTEXT_LENGTH_EXCEEDED`, `DISPOSED`; the signal's reason when it aborts; whatever a callback throws
   */
  async ask(images: Pictures, question: string, options: AskOptions = {}): Promise<Answer> {
    return this.#model.run(engine => ask(engine, images, question, options));
  }

  /**
   * `ask` as an iterator of pieces of text, which join to the answer's text exactly; the iterator's return value is the answer. Work starts with the first
   * piece asked for and runs at most one piece ahead; leaving the loop stops it.
   * @throws what `ask` throws, at the piece that is asked for
   */
  stream(images: Pictures, question: string, options: AskOptions = {}): AsyncGenerator<string, Answer, void> {
    return streamAnswer(linked => this.ask(images, question, linked), options);
  }

  /**
   * Answers questions shortly, with the search, lengths and penalties of LAVIS' `predict_answers`. All questions are about the same picture or pictures, which
   * the vision encoder sees once, and are answered in the same steps.
   * @param images as in `ask`
   * @param questions one or any number; see `options.prompt`
   * @throws what `ask` throws
   * @example
   * const { texts } = await blip.predictAnswers('photo.jpg', ['What is it?', 'Where is it?'], { prompt: 'Question: {} Short answer:' });
   */
  async predictAnswers(
    images: Pictures,
    questions: string | readonly string[],
    options: PredictAnswersOptions = {},
  ): Promise<PredictedAnswers> {
    return this.#model.run(engine => predictAnswers(engine, images, questions, options));
  }

  /**
   * Ranks given answers by how probable the model finds them, as LAVIS' `predict_class`. The prompt is read once, whatever the number of candidates; they are
   * computed together, and what several begin with once.
   * @param images as in `ask`
   * @param prompt with a `{}` for each of `options.textInput`
   * @param candidates any number of texts; equal ones are ranked as they come
   * @throws what `ask` throws
   * @example
   * const { ranks } = await blip.predictClass('photo.jpg', PROMPTS.vqa('Is it raining?'), ['yes', 'no']);
   */
  async predictClass(
    images: Pictures,
    prompt: string,
    candidates: readonly string[],
    options: PredictClassOptions = {},
  ): Promise<ClassPrediction> {
    return this.#model.run(engine => predictClass(engine, images, prompt, candidates, options));
  }

  /**
   * Runs the vision encoder, the expensive part that does not depend on the question. The result may be asked any number of times, at once as well.
   * @param options `signal` aborts in any phase
   * @returns features [tokens, hidden size] in float32 (257 x 1408 for the hub's checkpoints), the caller's; only this model takes them. `save` keeps them
   * @throws `OPTION_*`, `IMAGE_*`, `DISPOSED`, `OUT_OF_MEMORY`; the signal's reason when it aborts
   */
  async encodeImage(image: Picture, options: { signal?: AbortSignal } = {}): Promise<ImageFeatures> {
    return this.#model.run(async engine => {
      const { signal: outer } = checkNamed(options, { signal: signalRule });
      return underSignals([outer, engine.lifetime], async signal => {
        signal.throwIfAborted();
        return encodeImage({ engine, clock: new StageClock(), signal }, image);
      });
    });
  }

  /**
   * Takes image features that were saved (`ImageFeatures.save`, `toBytes`), by this model or another one with the same vision encoder.
   * @param source path, or bytes, which are copied
   * @throws `IMAGE_NOT_FOUND`, `IMAGE_FEATURES_INVALID` (damaged, truncated or something else), `IMAGE_FEATURES_MISMATCH` (of another vision encoder, or of the
   * same one in other types), `IMAGE_INPUT_INVALID`, `DISPOSED`
   */
  async loadImageFeatures(source: string | Uint8Array): Promise<ImageFeatures> {
    return this.#model.run(engine => loadImageFeatures(engine, source));
  }

  /** Stops all work (running calls reject with `DISPOSED`) and frees the model. May be called more than once; resolves when the memory is free. */
  dispose(): Promise<void> {
    return this.#model.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
