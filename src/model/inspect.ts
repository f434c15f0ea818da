import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createError, isErrorCode } from '../errors.js';
import type { NativeAddon, NativeGgufFile, NativeGgufValue } from '../native/addon.js';
import { loadAddon } from '../native/load-addon.js';
import { nativeCall } from '../native/native-call.js';
import { graphCodec, wordPieceCodec } from '../processor/text-codec.js';

/** Metadata value in plain JavaScript; long arrays (vocabularies) are given by their length. */
export type InspectedValue =
  | string
  | number
  | boolean
  | readonly (string | number | boolean)[]
  | { readonly length: number };

export interface InspectedTensor {
  readonly name: string;
  /** ggml's type name. */
  readonly type: string;
  /** PyTorch order, outermost first. */
  readonly shape: readonly number[];
  readonly byteLength: number;
}

export interface InspectedFile {
  readonly path: string;
  readonly role: 'vision' | 'language-model' | 'other';
  /** Bytes. */
  readonly size: number;
  readonly metadata: Readonly<Record<string, InspectedValue>>;
  readonly tensors: readonly InspectedTensor[];
  readonly parameters: number;
}

export interface Inspection {
  readonly files: readonly InspectedFile[];
  /** Whether this package can run it: for a pair of files; null for a file alone, which may fit a partner or not. */
  readonly runnable: boolean | null;
  /** Why not, with the error's code. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

const LONGEST_ARRAY = 16;

/**
 * What is in a GGUF file or a model folder, and whether this package can run it. Reads no weights.
 * @throws `MODEL_NOT_FOUND`, `MODEL_FILE_*` when a file cannot be read as GGUF
 */
export async function inspectModel(path: string): Promise<Inspection> {
  const found = await stat(path).catch(cause => {
    throw createError('MODEL_NOT_FOUND', `there is no file or folder ${path}`, { cause });
  });
  const { addon } = loadAddon();
  if (!found.isDirectory()) return { files: [inspectFile(addon, path)], runnable: null, problem: null };
  const names = (await readdir(path)).filter(name => name.toLowerCase().endsWith('.gguf')).sort();
  if (names.length === 0) throw createError('MODEL_NOT_FOUND', `${path} has no .gguf file`);
  const files = names.map(name => inspectFile(addon, join(path, name)));
  const problem = problemOf(addon, files);
  return { files, runnable: problem === null, problem };
}

function problemOf(addon: NativeAddon, files: readonly InspectedFile[]): Inspection['problem'] {
  const [vision, ...moreVision] = files.filter(file => file.role === 'vision');
  const [language, ...moreLanguage] = files.filter(file => file.role === 'language-model');
  if (!vision || !language)
    return { code: 'MODEL_NOT_FOUND', message: 'the folder needs one vision and one language model file' };
  if (moreVision.length + moreLanguage.length > 0) {
    return { code: 'MODEL_FOLDER_AMBIGUOUS', message: 'the folder has more than one vision or language model file' };
  }
  try {
    checkPair(addon, vision.path, language.path);
    return null;
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (isErrorCode(code)) return { code, message };
    throw error;
  }
}

/** All that loading checks before it reads weights: the tokenizers that run here look at their own part of the files. @throws MODEL_* */
function checkPair(addon: NativeAddon, visionPath: string, languageModelPath: string): void {
  const { info, qformerVocabulary } = nativeCall(() => addon.readPair(visionPath, languageModelPath));
  wordPieceCodec(qformerVocabulary, info.qformerTokenizer);
  if (info.languageModel === 'llama') return;
  const { languageVocabulary } = nativeCall(() => addon.openVocabulary(languageModelPath));
  if (languageVocabulary) graphCodec(languageVocabulary);
}

function inspectFile(addon: NativeAddon, path: string): InspectedFile {
  const file = nativeCall(() => addon.readGguf(path));
  const metadata = Object.fromEntries(file.metadata.map(({ key, value }) => [key, plainValue(value)]));
  return {
    path,
    role: roleOf(file),
    size: file.fileSize,
    metadata,
    tensors: file.tensors.map(({ name, type, shape, byteLength }) => ({ name, type, shape, byteLength })),
    parameters: file.tensors.reduce(
      (sum, tensor) => sum + tensor.shape.reduce((product, side) => product * side, 1),
      0,
    ),
  };
}

function roleOf(file: NativeGgufFile): InspectedFile['role'] {
  const metadata = (key: string) => file.metadata.find(entry => entry.key === key)?.value;
  if (metadata('general.architecture') === 'clip') return 'vision';
  return metadata('tokenizer.ggml.model') === undefined ? 'other' : 'language-model';
}

function plainValue(value: NativeGgufValue): InspectedValue {
  if (typeof value !== 'object') return value;
  return value.length > LONGEST_ARRAY ? { length: value.length } : Array.from<string | number | boolean>(value);
}
