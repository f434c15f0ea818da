import { type Command, Option } from 'commander';
import { demoModelFolder, type ModelSource } from '../index.js';

export interface ModelFlags {
  readonly model?: string;
  readonly vision?: string;
  readonly languageModel?: string;
}

/** Which model a command runs: a folder, or two files. */
export const modelOptions = {
  folder: () =>
    new Option('--model <folder>', 'folder with the two GGUF files (default: the demo model of the package)'),
  vision: () => new Option('--vision <file>', 'the mmproj file, in place of a folder').conflicts('model'),
  languageModel: () =>
    new Option('--language-model <file>', 'the language model, in place of a folder').conflicts('model'),
};

/** One file without the other is a usage error. */
export function modelOf({ model, vision, languageModel }: ModelFlags, command: Command): ModelSource {
  if (vision !== undefined && languageModel !== undefined) return { vision, languageModel };
  if (vision !== undefined || languageModel !== undefined)
    command.error('error: --vision and --language-model go together: give both files of a model');
  return model ?? demoModelFolder();
}
