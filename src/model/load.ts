import type { InstructBlipConfig } from '../config/instruct-blip-config.js';
import type { NativeLoadOptions, NativeModel } from '../native/addon.js';
import type { LoadedAddon } from '../native/load-addon.js';
import { loadAddon } from '../native/load-addon.js';
import { nativeWork } from '../native/native-call.js';
import { ImageProcessor } from '../processor/image-processor.js';
import { QFormerTokenizer } from '../processor/qformer-tokenizer.js';
import { tokenizerOf } from '../processor/tokenizer-of-model.js';
import { listenToEngineLog } from './engine-log.js';
import { GgufFacts, modelConfigOf } from './gguf-facts.js';
import { linkSignals } from './linked-signal.js';
import {
  imageCacheOf,
  type LoadOptions,
  nativeLoadOptions,
  type StageLoadOptions,
  validateLoadOptions,
  validateStageOptions,
} from './load-options.js';
import type { ModelLimits } from './loaded-model.js';
import { findModelFiles, findVisionFile, type ModelFiles, type ModelSource, type VisionSource } from './model-files.js';
import { ModelLife } from './model-life.js';
import type { ModelParts } from './model-parts.js';
import { type VisionIdentity, visionIdentityOf } from './vision-identity.js';

export interface LoadedParts {
  readonly parts: ModelParts;
  readonly limits: ModelLimits;
}

/** Validates, finds the files, opens the engine, loads the weights, and puts the parts together. */
export async function loadParts(source: ModelSource, options: LoadOptions): Promise<LoadedParts> {
  return loadPair(source, options, (_, loaded) => loaded);
}

/** A whole model with its configuration, as the Hugging Face class has it. */
export async function loadWithConfig(
  source: ModelSource,
  options: LoadOptions,
): Promise<LoadedParts & { readonly facts: ModelFacts }> {
  return loadPair(source, options, (addon, loaded, { visionPath, languageModelPath }) => {
    const vision = new GgufFacts(addon, visionPath);
    const config = modelConfigOf(vision, new GgufFacts(addon, languageModelPath), loaded.parts.model.info);
    return { ...loaded, facts: { config, textInput: vision.flag('instructblip.qformer.text_input') } };
  });
}

/** Loads both files; `complete` adds what a class needs besides, and the model is freed when that fails. */
async function loadPair<T>(
  source: ModelSource,
  options: LoadOptions,
  complete: (addon: LoadedAddon['addon'], loaded: LoadedParts, files: ModelFiles) => T,
): Promise<T> {
  const valid = validateLoadOptions(options);
  valid.signal?.throwIfAborted();
  const files = await findModelFiles(source);
  const native = nativeLoadOptions(valid, files);
  return loadNative(native, valid, (addon, model, release) => {
    const parts = composeParts(addon, model, files.visionPath);
    const limits = { sequences: native.maxSequences, imageCache: imageCacheOf(valid), release };
    return complete(addon, { parts, limits }, files);
  });
}

/** What the Hugging Face class knows of its files. */
export interface ModelFacts {
  readonly config: InstructBlipConfig;
  /** Whether the Q-Former takes text. */
  readonly textInput: boolean;
}

/** A vision encoder or a Q-Former alone. */
export interface LoadedStage {
  readonly addon: LoadedAddon['addon'];
  readonly model: NativeModel;
  readonly life: ModelLife;
  /** What the file says. */
  readonly facts: GgufFacts;
}

/** Loads one stage of the vision file. */
export async function loadStage(
  source: VisionSource,
  stage: 'visionEncoder' | 'qformer',
  options: StageLoadOptions,
): Promise<LoadedStage> {
  const valid = validateStageOptions(options);
  valid.signal?.throwIfAborted();
  const visionPath = await findVisionFile(source);
  const stages = { visionEncoder: stage === 'visionEncoder', qformer: stage === 'qformer' };
  const native = nativeLoadOptions(valid, { visionPath, languageModelPath: null, ...stages });
  return loadNative(native, valid, (addon, model, release) => ({
    addon,
    model,
    life: new ModelLife(model, release),
    facts: new GgufFacts(addon, visionPath),
  }));
}

/** Opens the engine, loads what `native` names, and composes it; the model is freed when that fails. */
async function loadNative<T>(
  native: NativeLoadOptions,
  options: LoadOptions,
  compose: (addon: LoadedAddon['addon'], model: NativeModel, release: () => void) => T,
): Promise<T> {
  options.signal?.throwIfAborted();
  const { addon } = loadAddon();
  const stopListening = options.onLog ? listenToEngineLog(addon, options.onLog) : () => {};
  const owned: Owned = {};
  try {
    return compose(addon, await loadModel(addon, native, options, owned), stopListening);
  } catch (error) {
    // Aborted at the last moment, or its facts make no sense: gigabytes must not wait for the garbage collector.
    await owned.model?.dispose();
    stopListening();
    throw error;
  }
}

/** The model as soon as there is one, whatever becomes of the call. */
interface Owned {
  model?: NativeModel;
}

async function loadModel(
  addon: LoadedAddon['addon'],
  native: NativeLoadOptions,
  { signal: outer, onProgress }: LoadOptions,
  owned: Owned,
): Promise<NativeModel> {
  const failed = new AbortController();
  const { signal, unlink } = linkSignals(outer, failed.signal);
  // Called by the addon, where a throw would have nowhere to go: it ends the loading instead.
  const report = (stage: string, loaded: number, total: number) => {
    if (signal.aborted) return;
    try {
      onProgress?.({ stage, loaded, total });
    } catch (error) {
      failed.abort(error);
    }
  };
  try {
    return await nativeWork(addon, signal, async cancel => {
      owned.model = await addon.loadModel(native, cancel, onProgress ? report : null);
      return owned.model;
    });
  } finally {
    unlink();
  }
}

function composeParts(addon: LoadedAddon['addon'], model: NativeModel, visionPath: string): ModelParts {
  const images = new ImageProcessor(model.info);
  const instructions = new QFormerTokenizer(model.qformerVocabulary, model.info.qformerTokenizer);
  let identity: Promise<VisionIdentity> | undefined;
  return {
    addon,
    model,
    prepareImage: (image, signal) => images.process(image, signal),
    qformerIds: text => instructions.encode(text),
    tokenizer: tokenizerOf(model),
    visionIdentity: () => {
      identity ??= visionIdentityOf(addon, visionPath);
      return identity;
    },
  };
}
