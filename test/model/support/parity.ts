import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type ConvertOptions, convert } from '../../../src/convert/convert.js';
import type { NativeLoadOptions, NativeModel } from '../../../src/native/addon.js';
import { loadAddon } from '../../../src/native/load-addon.js';
import { writeParityCheckpoint } from '../../unit/support/parity-checkpoint.js';
import type { ParityRecipe } from '../../unit/support/parity-recipes.js';

/** A tensor of the reference: whole, or every n-th value. */
export interface StoredTensor {
  readonly shape: number[];
  readonly every: number;
  readonly largest: number;
  readonly norm: number;
  /** float32, base64. */
  readonly data: string;
}

export interface ReferencePair {
  readonly picture: number;
  readonly question: string;
  readonly inputIds: number[];
  readonly qformerIds: number[];
  readonly qformer: StoredTensor;
  readonly softTokens: StoredTensor;
  readonly logits: StoredTensor;
  readonly ids: number[];
  /** Smallest distance between the two best logits of any step. */
  readonly margin: number;
  /** Steps at which it was below 1e-4. */
  readonly nearTies: number[];
}

/** What test/reference/stages.py writes. */
export interface Reference {
  readonly seed: number;
  readonly weightsSha256: string;
  readonly pictures: { rgbSha256: string; pixelsSha256: string; features: StoredTensor }[];
  readonly trace: { picture: number; question: string; tensors: Record<string, StoredTensor> };
  readonly pairs: ReferencePair[];
  readonly texts: { inputIds: number[]; logits: StoredTensor }[];
}

export const readReference = (name: string): Reference =>
  JSON.parse(gunzipSync(readFileSync(join(process.cwd(), 'test/fixtures/parity', `${name}.json.gz`))).toString());

export const sha256 = (...parts: readonly Uint8Array[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

export const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Largest difference, relative to the reference's scale; of the sampled values and of the norm of all. */
export function relativeError(actual: Float32Array, { shape, every, largest, norm, data }: StoredTensor): number {
  const size = shape.reduce((product, length) => product * length, 1);
  if (actual.length !== size) throw new Error(`${actual.length} values, the reference has [${shape}]`);
  const expected = new Float32Array(Uint8Array.from(Buffer.from(data, 'base64')).buffer);
  let difference = 0;
  for (const [i, value] of expected.entries()) {
    const distance = Math.abs(actual[i * every]! - value);
    // NaN must not pass.
    if (!(distance <= difference)) difference = distance;
  }
  const squares = actual.reduce((sum, value) => sum + value * value, 0);
  return Math.max(difference / largest, Math.abs(Math.sqrt(squares) - norm) / norm);
}

/** Of two whole tensors: largest difference over the second's largest magnitude. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`);
  let [difference, largest] = [0, 0];
  for (const [i, value] of expected.entries()) {
    const distance = Math.abs(actual[i]! - value);
    if (!(distance <= difference)) difference = distance;
    largest = Math.max(largest, Math.abs(value));
  }
  return difference / largest;
}

export const argmax = (row: Float32Array): number => row.reduce((best, value, i) => (value > row[best]! ? i : best), 0);

/** The checkpoint of a recipe in a temporary folder, converted as often as wanted; `dispose` removes all. */
export class ParityFiles {
  readonly #folder = mkdtempSync(join(tmpdir(), 'instructblip-parity-'));
  readonly #checkpoint = join(this.#folder, 'checkpoint');
  readonly weightsSha256: string;

  constructor(recipe: ParityRecipe) {
    writeParityCheckpoint(this.#checkpoint, recipe);
    const shards = readdirSync(this.#checkpoint).filter(name => name.endsWith('.safetensors'));
    this.weightsSha256 = sha256(...shards.sort().map(name => readFileSync(join(this.#checkpoint, name))));
  }

  /** GGUF files of the given types. */
  async convert(languageModelType: ConvertOptions['languageModelType'], visionType: ConvertOptions['visionType']) {
    const out = mkdtempSync(join(this.#folder, 'gguf-'));
    const { visionPath, languageModelPath } = await convert(this.#checkpoint, out, {
      name: 'parity',
      languageModelType: languageModelType!,
      visionType: visionType!,
    });
    return { folder: out, visionPath, languageModelPath };
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export const cancelToken = () => new (loadAddon().addon.CancelToken)();

/** The pair on the CPU with an F32 cache, without the façade. One thread: threads that wait for each other make tiny models slow on a busy machine. */
export function loadNative(
  { visionPath, languageModelPath }: { visionPath: string; languageModelPath: string },
  options: Partial<NativeLoadOptions> = {},
): Promise<NativeModel> {
  const defaults = {
    device: 'cpu',
    gpuLayers: 0,
    threads: 1,
    contextSize: 0,
    maxSequences: 8,
    kvCacheType: 'f32',
  } as const;
  return loadAddon().addon.loadModel({ visionPath, languageModelPath, ...defaults, ...options }, cancelToken(), null);
}
