import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { createError } from '../errors.js';
import type { NativeAddon, NativeGgufTensor } from '../native/addon.js';
import { nativeCall } from '../native/native-call.js';

/** Which vision encoder it is that made the features of a picture. */
export interface VisionIdentity {
  /** `general.name` of its file, for messages. */
  readonly name: string;
  /** SHA-256, 32 bytes: see `visionIdentityOf`. */
  readonly digest: Uint8Array;
}

const KEYS = /^(clip\.vision\.|instructblip\.(vision|image)\.)/;
/** Says what the language model wants, not what the vision encoder does. */
const OTHER_KEY = 'clip.vision.projection_dim';
const TENSORS = /^v\.(?!proj_)/;
/** Bytes that are read at the beginning, in the middle and at the end of each tensor. */
const SAMPLE = 64;

/**
 * Names the vision encoder in a file by what makes its features: a hash of its configuration and of how pictures are prepared, of the names, types and shapes of
 * its weights, and of three samples of 64 bytes from each of them (reading all would take as long as encoding a picture). Two models that have the same vision
 * encoder in the same types have the same identity, whatever their Q-Former and language model. Weights that differ somewhere else only go unnoticed.
 * @throws MODEL_FILE_*
 */
export async function visionIdentityOf(addon: Pick<NativeAddon, 'readGguf'>, path: string): Promise<VisionIdentity> {
  const { metadata, tensors } = nativeCall(() => addon.readGguf(path));
  const hash = createHash('sha256');
  const keys = metadata.filter(({ key }) => KEYS.test(key) && key !== OTHER_KEY);
  const entries = keys.map(({ key, type, value }) => [key, type, typeof value === 'object' ? [...value] : value]);
  const weights = tensors.filter(({ name }) => TENSORS.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  hash.update(JSON.stringify([entries.sort(byFirst), weights.map(({ name, type, shape }) => [name, type, shape])]));
  const file = await open(path).catch(cause => {
    throw createError('MODEL_FILE_UNREADABLE', `${path} cannot be opened again`, { cause });
  });
  try {
    for (const tensor of weights) for await (const sample of samplesOf(file, tensor)) hash.update(sample);
  } finally {
    await file.close();
  }
  const name = metadata.find(({ key }) => key === 'general.name')?.value;
  return { name: typeof name === 'string' ? name : '', digest: hash.digest() };
}

const byFirst = ([a]: readonly unknown[], [b]: readonly unknown[]): number => (String(a) < String(b) ? -1 : 1);

async function* samplesOf(file: FileHandle, { offset, byteLength }: NativeGgufTensor): AsyncGenerator<Uint8Array> {
  const size = Math.min(SAMPLE, byteLength);
  for (const start of [0, Math.floor((byteLength - size) / 2), byteLength - size]) {
    const sample = Buffer.alloc(size);
    await file.read(sample, 0, size, offset + start);
    yield sample;
  }
}
