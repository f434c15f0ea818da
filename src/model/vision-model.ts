import type { InstructBlipVisionConfig } from '../config/vision-config.js';
import { boolean } from '../generation/option-rules.js';
import { nativeWork } from '../native/native-call.js';
import type { Tensor } from '../tensor.js';
import { checkNamed } from './ask-options.js';
import { BatchOutputs, layerNames } from './batch-outputs.js';
import { visionConfigOf } from './gguf-facts.js';
import { underSignals } from './linked-signal.js';
import { type LoadedStage, loadStage } from './load.js';
import type { StageLoadOptions } from './load-options.js';
import type { VisionSource } from './model-files.js';
import { anything, OUTPUT_RULES, type OutputOptions, type StageEngine } from './stage-options.js';
import { checkDims, checkFinite, FLOATS, rowOf, tensor } from './tensor-inputs.js';

/** What `InstructBlipVisionModel.forward` takes. */
export interface VisionForwardInputs extends OutputOptions {
  /** Normalized pixels, as the processor makes them: [B,3,H,W]. */
  readonly pixelValues: Tensor<Float32Array>;
  /**
   * Take pictures of another size than `config.imageSize`: positions are interpolated, as by transformers from 4.45 on (bicubic, no antialias). Pixels
   * that fill no whole patch are left out. Default false: another size throws.
   */
  readonly interpolatePosEncoding?: boolean;
}

/** HF's `BaseModelOutputWithPooling`. N = patches + 1 (the class token comes first). */
export interface VisionOutputs {
  /** [B,N,hidden], behind `post_layernorm`. */
  readonly lastHiddenState: Tensor<Float32Array>;
  /** The class token, normalized a second time, as in HF: [B,hidden]. */
  readonly poolerOutput: Tensor<Float32Array>;
  /** The embeddings' and each layer's output, [B,N,hidden] each; none is behind `post_layernorm`. */
  readonly hiddenStates?: readonly Tensor<Float32Array>[];
  /** Of each layer, [B,heads,N,N]. */
  readonly attentions?: readonly Tensor<Float32Array>[];
}

const RULES = { ...OUTPUT_RULES, pixelValues: anything, interpolatePosEncoding: boolean };

/** @throws OPTION_INVALID naming what is wrong */
export function checkPixels(
  given: Tensor<Float32Array>,
  { imageSize }: InstructBlipVisionConfig,
  anySize: boolean,
): Tensor<Float32Array> {
  const pixels = tensor(given, 'pixelValues', FLOATS);
  const side = anySize ? null : imageSize;
  const name = anySize ? '[batch, 3, height, width]' : `[batch, 3, ${imageSize}, ${imageSize}]`;
  const remedy = anySize ? '' : '; interpolatePosEncoding takes other sizes';
  checkDims(pixels, 'pixelValues', [null, 3, side, side], `${name} with a batch of at least 1${remedy}`);
  checkFinite(pixels, 'pixelValues');
  return pixels;
}

/** The vision encoder's forward on checked pixels [B,3,H,W]. */
export async function runVision(
  { addon, model }: StageEngine,
  config: InstructBlipVisionConfig,
  pixels: Tensor<Float32Array>,
  { outputHiddenStates = false, outputAttentions = false }: OutputOptions,
  signal: AbortSignal,
): Promise<VisionOutputs> {
  const [batch, , height, width] = pixels.dims as [number, number, number, number];
  const { hiddenSize, numHiddenLayers, numAttentionHeads, patchSize } = config;
  const tokens = 1 + Math.floor(height / patchSize) * Math.floor(width / patchSize);
  const states = outputHiddenStates ? ['vision.embeddings', ...layerNames('vision.layer', numHiddenLayers)] : [];
  const attentions = outputAttentions ? layerNames('vision.attention_weights', numHiddenLayers) : [];
  const names = ['vision.post_layernorm', 'vision.pooler_output', ...states, ...attentions];
  const outputs = new BatchOutputs(batch);
  for (let i = 0; i < batch; i++)
    outputs.add(
      i,
      await nativeWork(addon, signal, cancel => model.runVision(rowOf(pixels, i), height, width, names, cancel)),
    );
  return {
    lastHiddenState: outputs.tensor('vision.post_layernorm', [tokens, hiddenSize]),
    poolerOutput: outputs.tensor('vision.pooler_output', [hiddenSize]),
    ...(outputHiddenStates ? { hiddenStates: outputs.tensors(states, [tokens, hiddenSize]) } : {}),
    ...(outputAttentions ? { attentions: outputs.tensors(attentions, [numAttentionHeads, tokens, tokens]) } : {}),
  };
}

/**
 * HF's `InstructBlipVisionModel`: the vision encoder alone. Nothing else is loaded.
 *
 * @example
 * const vision = await InstructBlipVisionModel.fromPretrained('models/demo');
 * const { pixelValues } = await processor.process({ images: 'photo.jpg' });
 * const { lastHiddenState, attentions } = await vision.forward({ pixelValues, outputAttentions: true });
 * await vision.dispose();
 */
export class InstructBlipVisionModel {
  /** What the file says; fields that it does not say have HF's defaults. */
  readonly config: InstructBlipVisionConfig;
  readonly #stage: LoadedStage;

  /** @internal Use `fromPretrained`. */
  constructor(stage: LoadedStage) {
    this.#stage = stage;
    this.config = visionConfigOf(stage.facts);
  }

  /**
   * Loads the vision encoder of a folder with one `mmproj-*.gguf`, or of that file.
   * @throws `MODEL_*`, `OPTION_*`, `DEVICE_*`, `ENGINE_*`, `OUT_OF_MEMORY`; the signal's reason when it aborts
   */
  static async fromPretrained(source: VisionSource, options: StageLoadOptions = {}): Promise<InstructBlipVisionModel> {
    return new InstructBlipVisionModel(await loadStage(source, 'visionEncoder', options));
  }

  /**
   * pixels → features. Pictures of a batch are computed one after another.
   * @throws `OPTION_*`, `DISPOSED`, `OUT_OF_MEMORY`, `DEVICE_FAILED`; the signal's reason when it aborts
   */
  async forward(inputs: VisionForwardInputs): Promise<VisionOutputs> {
    return this.#stage.life.run(async () => {
      const { signal: outer, interpolatePosEncoding = false, ...options } = checkNamed(inputs, RULES);
      const pixels = checkPixels(options.pixelValues, this.config, interpolatePosEncoding);
      return underSignals([outer, this.#stage.life.signal], signal =>
        runVision(this.#stage, this.config, pixels, options, signal),
      );
    });
  }

  /** Stops all work and frees the model; may be called more than once. */
  dispose(): Promise<void> {
    return this.#stage.life.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
