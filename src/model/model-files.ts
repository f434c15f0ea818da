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

async function findInFolder(folder: string): Promise<ModelFiles> {
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
  const vision = files.filter(name => name.startsWith('mmproj-'));
  const language = files.filter(name => !name.startsWith('mmproj-'));
  const found = files.length > 0 ? `it has ${files.join(', ')}` : 'it has no .gguf file';
  if (vision.length === 0 || language.length === 0) {
    const missing =
      vision.length === 0 ? 'mmproj-*.gguf file' : 'language model (a .gguf file without mmproj- in front)';
    throw createError('MODEL_NOT_FOUND', `${folder} has no ${missing}; ${found}. \`instructblip convert\` makes both`);
  }
  if (vision.length > 1 || language.length > 1) {
    throw createError(
      'MODEL_FOLDER_AMBIGUOUS',
      `${folder} has more than one model; ${found}. Name the two files: { vision, languageModel }`,
    );
  }
  return { visionPath: join(folder, vision[0] as string), languageModelPath: join(folder, language[0] as string) };
}
