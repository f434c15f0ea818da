import { generationFieldsOf } from '../config/generation-fields.js';
import type { InstructBlipConfig } from '../config/instruct-blip-config.js';
import type { Tensor } from '../tensor.js';
import { encodePixels } from './encode-pixels.js';
import { type ForwardOutputs, forward } from './forward.js';
import type { ForwardInputs } from './forward-inputs.js';
import { type GenerateArguments, type GenerateOutput, generateBatch } from './generate-batch.js';
import { type GenerationConfig, generationConfigOf } from './gguf-facts.js';
import type { ImageFeatures } from './image-features.js';
import { loadWithConfig, type ModelFacts } from './load.js';
import { loadImageFeatures } from './load-image-features.js';
import type { LoadOptions } from './load-options.js';
import { LoadedModel, type ModelLimits } from './loaded-model.js';
import type { ModelSource } from './model-files.js';
import type { ModelParts } from './model-parts.js';

/**
 * HF's `InstructBlipForConditionalGeneration`, for those who come from there: tensors in, ids out. `InstructBlip` is the shorter way to an answer.
 *
 * @example
 * const processor = await InstructBlipProcessor.fromPretrained('models/demo');
 * const model = await InstructBlipForConditionalGeneration.fromPretrained('models/demo');
 * const inputs = await processor.process({ images: 'photo.jpg', text: 'Describe the picture.' });
 * const { sequences } = await model.generate({ ...inputs, numBeams: 5, maxNewTokens: 64 });
 * console.log(processor.batchDecode(sequences, { skipSpecialTokens: true })[0].trim());
 * await model.dispose();
 */
export class InstructBlipForConditionalGeneration {
  /** What the files say; fields that they do not say have HF's defaults. */
  readonly config: InstructBlipConfig;
  /** What `generate` takes where no option says otherwise: ids, and settings that an old checkpoint keeps in `text_config`. */
  readonly generationConfig: GenerationConfig;
  readonly #model: LoadedModel;
  readonly #textInput: boolean;

  /** @internal Use `fromPretrained`. */
  constructor(parts: ModelParts, limits: ModelLimits, { config, textInput }: ModelFacts) {
    this.#model = new LoadedModel(parts, limits);
    this.config = config;
    this.#textInput = textInput;
    this.generationConfig = generationConfigOf(parts.model.info, config.textConfig);
  }

  /**
   * Loads a folder with the two GGUF files, or the two files.
   * @throws what `InstructBlip.load` throws
   */
  static async fromPretrained(
    source: ModelSource,
    options: LoadOptions = {},
  ): Promise<InstructBlipForConditionalGeneration> {
    const { parts, limits, facts } = await loadWithConfig(source, options);
    return new InstructBlipForConditionalGeneration(parts, limits, facts);
  }

  /**
   * Generates answers to a batch of pictures or videos, with the rules of transformers 4.34, or of another preset (`compat`). All rows share each step; those that have ended leave it. A batch that is too large
   * for the cache is done in parts. Padding is left out, not computed: the rows' numbers are those of single calls.
   * @param inputs the processor's tensors (`GenerateInputs`) and generate options; without a length `maxLength` is 20 (by `compat`), and sampling needs `doSample: true`, as in HF
   * @returns ids; see `GenerateOutput`
   * @throws `OPTION_*`, `CONTEXT_LENGTH_EXCEEDED`, `DISPOSED`, `OUT_OF_MEMORY`; the signal's reason when it aborts
   */
  async generate(inputs: GenerateArguments): Promise<GenerateOutput> {
    return this.#model.run(engine => generateBatch(engine, inputs, generationFieldsOf(this.config.textConfig)));
  }

  /**
   * HF's `forward`: logits of every row, the loss of `labels`, and on request all hidden states and attentions of the three stages; with the rules of
   * transformers 4.34. Padding is computed as there: in its rows too, and LLaMA counts it in positions. Rows of a batch are computed one after another, and
   * keys and values are kept in F32, whatever `kvCacheType` is.
   * @throws `OPTION_*`, `CONTEXT_LENGTH_EXCEEDED`, `DISPOSED`, `OUT_OF_MEMORY`, `DEVICE_FAILED`; the signal's reason when it aborts
   */
  async forward(inputs: ForwardInputs): Promise<ForwardOutputs> {
    return this.#model.run(engine => forward(engine, this.config, this.#textInput, inputs));
  }

  /**
   * Runs the vision encoder, for `generate({ imageFeatures, … })` any number of times.
   * @param pixelValues [B,3,S,S], or of videos [B,F,3,S,S]
   * @param options `signal` aborts in any phase
   * @returns the features of each row's picture, or of its frames
   * @throws `OPTION_INVALID`, `DISPOSED`, `OUT_OF_MEMORY`; the signal's reason when it aborts
   */
  async encodeImages(
    pixelValues: Tensor<Float32Array>,
    options: { signal?: AbortSignal } = {},
  ): Promise<ImageFeatures[][]> {
    return this.#model.run(engine => encodePixels(engine, pixelValues, options));
  }

  /**
   * Takes image features that were saved (`ImageFeatures.save`, `toBytes`).
   * @throws what `InstructBlip.loadImageFeatures` throws
   */
  async loadImageFeatures(source: string | Uint8Array): Promise<ImageFeatures> {
    return this.#model.run(engine => loadImageFeatures(engine, source));
  }

  /** Stops all work and frees the model; may be called more than once. */
  dispose(): Promise<void> {
    return this.#model.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
