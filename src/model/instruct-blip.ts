import { setMaxListeners } from 'node:events';
import { createError, DisposedError } from '../errors.js';
import { AdmissionQueue } from './admission-queue.js';
import { type Answer, StageClock } from './answer.js';
import { streamAnswer } from './answer-stream.js';
import { ask, type Engine, encodeImage, type Picture, type Pictures } from './ask.js';
import { type AskOptions, checkNamed, signalRule } from './ask-options.js';
import type { ImageFeatures } from './image-features.js';
import { linkSignals } from './linked-signal.js';
import { loadParts } from './load.js';
import type { LoadOptions } from './load-options.js';
import type { ModelSource } from './model-files.js';
import type { ModelParts } from './model-parts.js';

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
  readonly #engine: Engine;
  readonly #lifetime = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #release: () => void;
  #disposed: Promise<void> | undefined;

  /** @internal Use `InstructBlip.load`. */
  constructor(parts: ModelParts, sequences: number, release: () => void = () => {}) {
    this.#release = release;
    // Every running call listens; any number may run.
    setMaxListeners(0, this.#lifetime.signal);
    this.#engine = {
      ...parts,
      queue: new AdmissionQueue(parts.model.info.contextSize, sequences),
      lifetime: this.#lifetime.signal,
      owner: this,
    };
  }

  /**
   * Loads a model from a folder that holds one `mmproj-*.gguf` and one other `*.gguf`, or from the two files.
   * @throws `MODEL_NOT_FOUND`, `MODEL_FOLDER_AMBIGUOUS`, `MODEL_FILE_*`, `MODEL_PAIR_MISMATCH`, `OPTION_*`, `DEVICE_*`, `ENGINE_*`, `OUT_OF_MEMORY`;
   * the signal's reason when it aborts
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<InstructBlip> {
    const { parts, sequences, release } = await loadParts(source, options);
    return new InstructBlip(parts, sequences, release);
  }

  /** Facts of the loaded model. */
  get info(): ModelInfo {
    const { name, languageModel, device, contextSize, imageSize, imageTokens, vocabularySize } =
      this.#engine.model.info;
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
    return this.#track(() => ask(this.#engine, images, question, options));
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
   * Runs the vision encoder, the expensive part that does not depend on the question. The result may be asked any number of times, at once as well.
   * @param options `signal` aborts in any phase
   * @returns features [tokens, hidden size] in float32 (257 x 1408 for the hub's checkpoints), the caller's; only this model takes them
   * @throws `OPTION_*`, `IMAGE_*`, `DISPOSED`, `OUT_OF_MEMORY`; the signal's reason when it aborts
   */
  async encodeImage(image: Picture, options: { signal?: AbortSignal } = {}): Promise<ImageFeatures> {
    return this.#track(async () => {
      const { signal: outer } = checkNamed(options, { signal: signalRule });
      const { signal, unlink } = linkSignals(outer, this.#lifetime.signal);
      try {
        signal.throwIfAborted();
        return await encodeImage(this.#engine, image, new StageClock(), signal);
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        unlink();
      }
    });
  }

  /** Stops all work (running calls reject with `DISPOSED`) and frees the model. May be called more than once; resolves when the memory is free. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#shutDown();
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #shutDown(): Promise<void> {
    this.#lifetime.abort(new DisposedError('DISPOSED', 'the model was disposed while the call was running'));
    await Promise.allSettled(this.#running);
    await this.#engine.model.dispose();
    this.#release();
  }

  async #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#disposed) throw createError('DISPOSED', 'the model has been disposed: load it again');
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
