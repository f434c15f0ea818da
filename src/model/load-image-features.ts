import { readFile, stat } from 'node:fs/promises';
import { createError } from '../errors.js';
import { shown } from '../generation/validate-options.js';
import { ownFeatures } from './engine-stages.js';
import { decodeFeatures, largestFile, type SavedFeatures } from './features-file.js';
import type { ImageFeatures } from './image-features.js';
import type { Engine } from './loaded-model.js';
import type { VisionIdentity } from './vision-identity.js';

/** The name of a vision encoder with the beginning of its digest: names alone may be equal. */
const described = ({ name, digest }: VisionIdentity): string =>
  `${name === '' ? 'a model without a name' : shown(name)} (${Buffer.from(digest).toString('hex', 0, 4)})`;

/** @throws IMAGE_NOT_FOUND, IMAGE_FEATURES_*, MODEL_FILE_* */
export async function loadImageFeatures(engine: Engine, source: string | Uint8Array): Promise<ImageFeatures> {
  const { visionTokens, visionHiddenSize } = engine.model.info;
  const shape = [visionTokens, visionHiddenSize] as const;
  const saved =
    typeof source === 'string'
      ? decodeFeatures(await readAtMost(source, largestFile(shape)), source)
      : decodeFeatures(bytesOf(source), 'the value');
  await checkVision(engine, saved);
  if (String(saved.shape) !== String(shape) || !saved.data.every(Number.isFinite))
    throw createError('IMAGE_FEATURES_INVALID', `these image features are not ${shape.join(' x ')} finite numbers`);
  return ownFeatures(engine, saved.data);
}

function bytesOf(source: unknown): Uint8Array {
  // Not instanceof: bytes may come from another realm (Electron, Jest).
  if (Object.prototype.toString.call(source) === '[object Uint8Array]') return source as Uint8Array;
  throw createError('IMAGE_INPUT_INVALID', `saved image features are a path or their bytes, but are ${shown(source)}`);
}

async function readAtMost(path: string, most: number): Promise<Uint8Array> {
  const unreadable = (cause: unknown): never => {
    throw createError('IMAGE_NOT_FOUND', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  };
  const found = await stat(path).catch(unreadable);
  if (!found.isFile()) unreadable(new Error('it is no file'));
  if (found.size > most)
    throw createError(
      'IMAGE_FEATURES_INVALID',
      `${path} has ${found.size} bytes, but image features of this model have at most ${most}`,
    );
  return readFile(path).catch(unreadable);
}

async function checkVision({ owner }: Engine, saved: SavedFeatures): Promise<void> {
  const own = await owner.visionIdentity();
  if (Buffer.compare(own.digest, saved.vision.digest) === 0) return;
  throw createError(
    'IMAGE_FEATURES_MISMATCH',
    `these image features are of the vision encoder of ${described(saved.vision)}, but this model has that of ${described(own)}: encode the picture again`,
  );
}
