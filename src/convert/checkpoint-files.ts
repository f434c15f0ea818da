import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createError } from '../errors.js';
import { isObject, readJson } from './json-fields.js';
import { MAX_HEADER_BYTES, parseSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.js';

/** A tensor of the checkpoint and the open file that holds it. */
export interface CheckpointTensor extends SafetensorsEntry {
  readonly file: FileHandle;
  readonly path: string;
}

const unreadable = (path: string, cause: unknown): Error =>
  createError('CHECKPOINT_INVALID', `${path} cannot be read: ${(cause as Error).message}`, { cause });

/** Fills `target` from `position`. @throws CHECKPOINT_INVALID when the file ends before or cannot be read */
export async function readFully(file: FileHandle, path: string, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done).catch(error => {
      throw unreadable(path, error);
    });
    if (bytesRead === 0)
      throw createError('CHECKPOINT_INVALID', `${path} ends at ${position + done}: download it again`);
    done += bytesRead;
  }
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsEntry[]> {
  const { size } = await file.stat();
  const prefix = Buffer.alloc(8);
  if (size < 8) throw createError('CHECKPOINT_INVALID', `${path} is not a safetensors file: it has ${size} bytes`);
  await readFully(file, path, prefix, 0);
  const length = prefix.readBigUInt64LE();
  if (length > BigInt(Math.min(size - 8, MAX_HEADER_BYTES))) {
    throw createError(
      'CHECKPOINT_INVALID',
      `${path} is not a safetensors file or is truncated: its header would have ${length} bytes, the file has ${size}. Git LFS pointers must be downloaded (git lfs pull)`,
    );
  }
  const json = Buffer.alloc(Number(length));
  await readFully(file, path, json, 8);
  return parseSafetensorsHeader(basename(path), json, size);
}

/** Names of the weight files, as HF looks for them: the single file first, then the index. */
async function weightFiles(folder: string): Promise<{ files: string[]; index?: Readonly<Record<string, string>> }> {
  const names = new Set(await readdir(folder));
  if (names.has('model.safetensors')) return { files: ['model.safetensors'] };
  const indexName = 'model.safetensors.index.json';
  if (!names.has(indexName)) throw missingWeights(folder, [...names]);
  const map = (await readJson(join(folder, indexName)))?.weight_map;
  if (!isObject(map) || !Object.values(map).every(file => typeof file === 'string' && /^[^/\\]+$/.test(file)))
    throw createError('CHECKPOINT_INVALID', `${indexName} has no weight_map of file names`);
  const index = map as Record<string, string>;
  const files = [...new Set(Object.values(index))].sort();
  const missing = files.filter(file => !names.has(file));
  if (missing.length > 0) {
    throw createError(
      'CHECKPOINT_NOT_FOUND',
      `${folder} lacks ${missing.length} of ${files.length} weight files: ${missing.join(', ')}; download them`,
    );
  }
  return { files, index };
}

function missingWeights(folder: string, names: readonly string[]): Error {
  const pickles = names.filter(name => /\.(bin|pth?|ckpt)$/.test(name));
  if (pickles.length > 0) {
    return createError(
      'CHECKPOINT_UNSUPPORTED',
      `${folder} has its weights only as ${pickles[0]}: such files are Python programs (pickle) and are not read. Download the *.safetensors files of the checkpoint, or save it again with save_pretrained(folder, safe_serialization=True)`,
    );
  }
  const shards = names.filter(name => name.endsWith('.safetensors'));
  const hint = shards.length > 0 ? ` (${shards.join(', ')} without model.safetensors.index.json)` : '';
  return createError('CHECKPOINT_NOT_FOUND', `${folder} holds no model.safetensors${hint}: download the weights`);
}

/** The weights of a hub-layout folder: one file or shards with an index, headers checked, tensors by name. Owns the open files. */
export class CheckpointFiles {
  private constructor(
    private readonly files: readonly FileHandle[],
    private readonly tensors: ReadonlyMap<string, CheckpointTensor>,
  ) {}

  /** @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED, CHECKPOINT_TENSOR_INVALID, CHECKPOINT_TENSOR_MISSING */
  static async open(folder: string): Promise<CheckpointFiles> {
    const { files: names, index } = await weightFiles(folder);
    const files: FileHandle[] = [];
    try {
      const tensors = new Map<string, CheckpointTensor>();
      for (const name of names) {
        const path = join(folder, name);
        const file = await open(path, 'r').catch(error => {
          throw unreadable(path, error);
        });
        files.push(file);
        for (const entry of await readHeader(file, path)) {
          // A tensor in two shards: the index decides, as in HF.
          if (index && index[entry.name] !== name) continue;
          tensors.set(entry.name, { ...entry, file, path });
        }
      }
      const absent = Object.keys(index ?? {}).filter(name => !tensors.has(name));
      if (absent.length > 0) {
        const holder = index?.[absent[0]!];
        throw createError(
          'CHECKPOINT_TENSOR_MISSING',
          `${absent.length} tensors of the index are not in their files, e.g. ${absent[0]} in ${holder}`,
        );
      }
      return new CheckpointFiles(files, tensors);
    } catch (error) {
      await Promise.all(files.map(file => file.close()));
      throw error;
    }
  }

  get(name: string): CheckpointTensor | undefined {
    return this.tensors.get(name);
  }

  get names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map(file => file.close()));
  }
}
