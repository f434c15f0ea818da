import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createError, OptionError } from '../errors.js';
import { shown } from '../generation/validate-options.js';

/** Where a model is: a folder with one `mmproj-*.gguf` and one other `*.gguf`, or the two files. */
export type ModelSource = string | { readonly vision: string; readonly languageModel: string };

export interface ModelFiles {
  readonly visionPath: string;
  readonly languageModelPath: string;
}

/** Where a vision encoder or Q-Former is: a folder with one `mmproj-*.gguf`, or that file. */
export type VisionSource = string | { readonly vision: string };

/** The path of the `mmproj-*.gguf`. @throws MODEL_NOT_FOUND, MODEL_FOLDER_AMBIGUOUS, OPTION_INVALID */
export async function findVisionFile(source: VisionSource): Promise<string> {
  if (typeof source === 'string' && source !== '') {
    const { vision, found } = await listFolder(source);
    return join(source, onlyFile(source, vision, VISION_FILE, found, '{ vision }'));
  }
  const { vision } = (source ?? {}) as { vision?: unknown };
  if (typeof vision !== 'string')
    throw new OptionError(
      'OPTION_INVALID',
      `a vision model is a folder or { vision } with the path of a file, but is ${shown(source)}`,
    );
  await checkFile(vision);
  return vision;
}

/** @throws MODEL_NOT_FOUND, MODEL_FOLDER_AMBIGUOUS, OPTION_INVALID */
export async function findModelFiles(source: ModelSource): Promise<ModelFiles> {
  if (typeof source === 'string' && source !== '') return findInFolder(source);
  const pair = source as { vision?: unknown; languageModel?: unknown } | null;
  if (typeof pair?.vision === 'string' && typeof pair.languageModel === 'string') {
    await Promise.all([checkFile(pair.vision), checkFile(pair.languageModel)]);
    return { visionPath: pair.vision, languageModelPath: pair.languageModel };
  }
  throw new OptionError(
    'OPTION_INVALID',
    `a model is a folder or { vision, languageModel } with the paths of two files, but is ${shown(source)}`,
  );
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isFile(),
    () => false,
  );

async function checkFile(path: string): Promise<void> {
  if (!(await isFile(path))) throw createError('MODEL_NOT_FOUND', `there is no model file ${path}`);
}

const VISION_FILE = 'mmproj-*.gguf file';
const LANGUAGE_FILE = 'language model (a .gguf file without mmproj- in front)';

interface FolderFiles {
  readonly vision: readonly string[];
  readonly language: readonly string[];
  /** In words. */
  readonly found: string;
}

async function listFolder(folder: string): Promise<FolderFiles> {
  if (await isFile(folder)) {
    throw createError(
      'MODEL_NOT_FOUND',
      `${folder} is a file: give the folder that holds it and its partner, or { vision, languageModel }`,
    );
  }
  const entries = await readdir(folder).catch(cause => {
    throw createError('MODEL_NOT_FOUND', `there is no model folder ${folder}`, { cause });
  });
  const files = entries.filter(name => name.toLowerCase().endsWith('.gguf')).sort();
  return {
    vision: files.filter(name => name.startsWith('mmproj-')),
    language: files.filter(name => !name.startsWith('mmproj-')),
    found: files.length > 0 ? `it has ${files.join(', ')}` : 'it has no .gguf file',
  };
}

function onlyFile(folder: string, files: readonly string[], kind: string, found: string, remedy: string): string {
  if (files.length === 0)
    throw createError('MODEL_NOT_FOUND', `${folder} has no ${kind}; ${found}. \`instructblip convert\` makes both`);
  if (files.length > 1)
    throw createError(
      'MODEL_FOLDER_AMBIGUOUS',
      `${folder} has more than one model; ${found}. Name what is meant: ${remedy}`,
    );
  return files[0] as string;
}

async function findInFolder(folder: string): Promise<ModelFiles> {
  const { vision, language, found } = await listFolder(folder);
  // What is missing comes before what is too much.
  const named = (files: readonly string[], kind: string) =>
    onlyFile(folder, files, kind, found, '{ vision, languageModel }');
  if (language.length === 0 && vision.length > 0) named(language, LANGUAGE_FILE);
  return {
    visionPath: join(folder, named(vision, VISION_FILE)),
    languageModelPath: join(folder, named(language, LANGUAGE_FILE)),
  };
}
