import type { NativeLoadOptions, NativeModel } from '../native/addon.js';
import type { LoadedAddon } from '../native/load-addon.js';
import { loadAddon } from '../native/load-addon.js';
import { nativeWork } from '../native/native-call.js';
import { ImageProcessor } from '../processor/image-processor.js';
import { QFormerTokenizer } from '../processor/qformer-tokenizer.js';
import { tokenizerOf } from '../processor/tokenizer-of-model.js';
import { listenToEngineLog } from './engine-log.js';
import { linkSignals } from './linked-signal.js';
import { imageCacheOf, type LoadOptions, nativeLoadOptions, validateLoadOptions } from './load-options.js';
import type { ModelLimits } from './loaded-model.js';
import { findModelFiles, type ModelSource } from './model-files.js';
import type { ModelParts } from './model-parts.js';
import { type VisionIdentity, visionIdentityOf } from './vision-identity.js';

export interface LoadedParts {
  readonly parts: ModelParts;
  readonly limits: ModelLimits;
}

/** Validates, finds the files, opens the engine, loads the weights, and puts the parts together. */
export async function loadParts(source: ModelSource, options: LoadOptions): Promise<LoadedParts> {
  const valid = validateLoadOptions(options);
  valid.signal?.throwIfAborted();
  const files = await findModelFiles(source);
  valid.signal?.throwIfAborted();
  const { addon } = loadAddon();
  const stopListening = valid.onLog ? listenToEngineLog(addon, valid.onLog) : () => {};
  const native = nativeLoadOptions(valid, files);
  const owned: Owned = {};
  try {
    const model = await loadModel(addon, native, valid, owned);
    const limits = { sequences: native.maxSequences, imageCache: imageCacheOf(valid), release: stopListening };
    return { parts: composeParts(addon, model, files.visionPath), limits };
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
