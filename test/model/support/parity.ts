import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type ConvertOptions, convert } from '../../../src/convert/convert.js';
import type { NativeLoadOptions, NativeModel, NativeSession } from '../../../src/native/addon.js';
import { loadAddon } from '../../../src/native/load-addon.js';
import { ImageProcessor } from '../../../src/processor/image-processor.js';
import { writeParityCheckpoint } from '../../unit/support/parity-checkpoint.js';
import type { ParityRecipe } from '../../unit/support/parity-recipes.js';
import { PARITY_PICTURES, randomPicture } from '../../unit/support/pictures.js';

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
  /** The ids as text; of models with a graph of their own. */
  readonly text?: string;
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
  /** Of models with a graph of their own; picture and question are those of `trace`. */
  readonly language?: {
    readonly tensors: Record<string, StoredTensor>;
    /** T5: largest magnitude inside and behind any feed-forward. */
    readonly largestInFeedForward?: number;
    /** Logits in front of each token of an answer that is given, and behind the last; `best`: their largest. */
    readonly forced: { tokens: number[]; best: number[]; logits: StoredTensor };
  };
}

/** The pair that the reference's traces are of. */
export function tracedPair({ trace, pairs }: Reference): ReferencePair {
  return pairs.find(({ picture, question }) => picture === trace.picture && question === trace.question)!;
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
  /** In the hub's layout. */
  readonly checkpoint = join(this.#folder, 'checkpoint');
  readonly weightsSha256: string;

  constructor(recipe: ParityRecipe) {
    writeParityCheckpoint(this.checkpoint, recipe);
    const shards = readdirSync(this.checkpoint).filter(name => name.endsWith('.safetensors'));
    this.weightsSha256 = sha256(...shards.sort().map(name => readFileSync(join(this.checkpoint, name))));
  }

  /** GGUF files of the given types. */
  async convert(languageModelType: ConvertOptions['languageModelType'], visionType: ConvertOptions['visionType']) {
    const out = mkdtempSync(join(this.#folder, 'gguf-'));
    const { visionPath, languageModelPath } = await convert(this.checkpoint, out, {
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

/** Pixels of each of the pictures, as the model of these files wants them. */
export async function parityPixels(files: Parameters<typeof loadNative>[0]): Promise<Float32Array[]> {
  const native = await loadNative(files);
  const images = new ImageProcessor(native.info);
  const { signal } = new AbortController();
  try {
    return await Promise.all(PARITY_PICTURES.map(each => images.process(randomPicture(each), signal)));
  } finally {
    await native.dispose();
  }
}

/** Soft tokens of a pair of the reference. */
export async function softTokensOf(
  model: NativeModel,
  { picture, qformerIds }: Pick<ReferencePair, 'picture' | 'qformerIds'>,
): Promise<Float32Array> {
  const images = new ImageProcessor(model.info);
  const pixels = await images.process(randomPicture(PARITY_PICTURES[picture]!), new AbortController().signal);
  const features = await model.encodeImage(pixels, cancelToken());
  return model.queryImage(features, Int32Array.from(qformerIds), cancelToken());
}

/** A session for the length of `work`. */
export async function withSession<T>(
  model: NativeModel,
  cells: number,
  sequences: number,
  work: (session: NativeSession) => Promise<T>,
): Promise<T> {
  const session = model.createSession(cells, sequences);
  try {
    return await work(session);
  } finally {
    session.dispose();
  }
}

/** What an answer starts with: the decoder's first id, if there is a decoder. */
export const startOf = ({ info }: NativeModel): number[] =>
  info.decoderStartTokenId < 0 ? [] : [info.decoderStartTokenId];

/** Cells of a prompt with its soft tokens. */
export const promptCells = (model: NativeModel, softTokens: Float32Array, ids: readonly number[]): number =>
  softTokens.length / model.info.languageHiddenSize + ids.length + startOf(model).length;

/** Row `i` of logits of several sequences. */
export const rowOf = ({ info }: NativeModel, logits: Float32Array, i: number): Float32Array =>
  logits.subarray(i * info.vocabularySize, (i + 1) * info.vocabularySize);

/** Logits behind [soft tokens][ids] and the answer's beginning, computed in one piece. */
export const logitsBehind = (
  model: NativeModel,
  softTokens: Float32Array,
  ids: readonly number[],
  answer: readonly number[] = [],
): Promise<Float32Array> =>
  withSession(model, promptCells(model, softTokens, ids) + answer.length, 1, session =>
    session.prefill(softTokens, Int32Array.from(ids), Int32Array.from([...startOf(model), ...answer]), cancelToken()),
  );
