import type { OptionRule } from '../generation/option-rules.js';
import type { KvCacheType, NativeLoadOptions } from '../native/addon.js';
import { checkNamed, signalRule } from './ask-options.js';

export interface LoadProgress {
  /** What is being loaded: 'vision encoder', 'Q-Former' or 'language model', in this order. */
  readonly stage: string;
  /** Bytes of this stage's weights. */
  readonly loaded: number;
  readonly total: number;
}

/** One line of the engine's log. */
export interface EngineLogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
}

export interface LoadOptions {
  /** 'auto' (default: the best there is), 'cpu', 'cuda', 'metal', 'vulkan' or a device name such as 'CUDA0'. */
  device?: string;
  /** Layers of the language model on the GPU; -1 = all (default). Without a GPU it has no effect. */
  gpuLayers?: number;
  /** Compute threads, 0..512; 0 (default) = the physical cores that this process may use. */
  threads?: number;
  /**
   * Tokens that the KV cache holds, of all concurrent calls together. 0 (default) = as many as 320 MiB hold (640 of
   * Vicuna-7B in F16): at most the training context for each of `maxBatch` sequences (T5, OPT: 2048 in all), at least 512 of it. Beams share what they have in
   * common; a search that runs out of context ends with `CONTEXT_LENGTH_EXCEEDED`.
   */
  contextSize?: number;
  /** Sequences that may grow at the same time, 1..64: a call takes one, or one for each beam; further calls wait. Default 16. */
  maxBatch?: number;
  /** Element type of the KV cache: 'f32', 'f16' or 'q8_0'. 'auto' (default) = 'f16', but 'f32' for T5, whose values can be too large for F16. */
  kvCacheType?: KvCacheType;
  /**
   * Bytes that the vision encoder's results may take for pictures that were asked about (1.4 MB each for ViT-g): another question on the same picture then
   * starts with the Q-Former. Pictures are told apart by their pixels. 0 = off. Default 256 MiB.
   */
  imageCache?: number;
  /** Aborts loading; `load` rejects with its reason. */
  signal?: AbortSignal;
  /** Told often how far loading is; not waited for. A throw ends the loading, and `load` rejects with it. */
  onProgress?: (progress: LoadProgress) => void;
  /** The engine's log lines while this model lives (the engine is shared: lines of other models come too). Default: silent. */
  onLog?: (line: EngineLogLine) => void;
}

const integer = (least: number, most: number): OptionRule => ({
  expected: `an integer from ${least} to ${most}`,
  allows: value => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
});
const aFunction: OptionRule = { expected: 'a function', allows: value => typeof value === 'function' };
const KV_CACHE_TYPES: readonly unknown[] = ['auto', 'f32', 'f16', 'q8_0'] satisfies KvCacheType[];

const LOAD_RULES: Readonly<Record<keyof LoadOptions, OptionRule>> = {
  device: { expected: 'the name of a device', allows: value => typeof value === 'string' && value !== '' },
  gpuLayers: integer(-1, 65_535),
  threads: integer(0, 512),
  contextSize: integer(0, 2 ** 24),
  maxBatch: integer(1, 64),
  kvCacheType: { expected: "'auto', 'f32', 'f16' or 'q8_0'", allows: value => KV_CACHE_TYPES.includes(value) },
  imageCache: integer(0, Number.MAX_SAFE_INTEGER),
  signal: signalRule,
  onProgress: aFunction,
  onLog: aFunction,
};

/** Options of loading a vision encoder or a Q-Former alone; the others are about the language model. */
export type StageLoadOptions = Pick<LoadOptions, 'device' | 'threads' | 'signal' | 'onProgress' | 'onLog'>;

const { device, threads, signal, onProgress, onLog } = LOAD_RULES;
const STAGE_RULES: Readonly<Record<keyof StageLoadOptions, OptionRule>> = {
  device,
  threads,
  signal,
  onProgress,
  onLog,
};

/** @throws OPTION_INVALID, OPTION_UNKNOWN */
export const validateLoadOptions = (options: LoadOptions): LoadOptions => checkNamed(options, LOAD_RULES);

/** @throws OPTION_INVALID, OPTION_UNKNOWN */
export const validateStageOptions = (options: StageLoadOptions): StageLoadOptions => checkNamed(options, STAGE_RULES);

/** Bytes. */
export const imageCacheOf = ({ imageCache = 256 * 2 ** 20 }: LoadOptions): number => imageCache;

/** What of the files is loaded. */
export type LoadedFiles = Pick<NativeLoadOptions, 'visionPath' | 'languageModelPath' | 'visionEncoder' | 'qformer'>;

/** Fills in the defaults. */
export const nativeLoadOptions = (options: LoadOptions, files: LoadedFiles): NativeLoadOptions => ({
  ...files,
  device: options.device ?? 'auto',
  gpuLayers: options.gpuLayers ?? -1,
  threads: options.threads ?? 0,
  contextSize: options.contextSize ?? 0,
  maxSequences: options.maxBatch ?? 16,
  kvCacheType: options.kvCacheType ?? 'auto',
});
