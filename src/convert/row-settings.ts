import { join } from 'node:path';
import { createError } from '../errors.js';
import { bool, type GgufEntry, string, u32 } from '../gguf/gguf-header.js';
import type { NativeGgufFile } from '../native/addon.js';
import { Fields, isObject, readJson } from './json-fields.js';
import type { TextConfig } from './text-config.js';

export type Side = 'left' | 'right';

/** How a tokenizer pads and cuts rows, and cleans up text: what its own files say, and GGUF files of convert keep. */
export interface RowSettings {
  readonly paddingSide: Side;
  readonly truncationSide: Side;
  /** Tokens; Infinity = unknown. */
  readonly modelMaxLength: number;
  readonly cleanUpTokenizationSpaces: boolean;
}

/** transformers' way to say that a tokenizer has no longest length is 1e30. */
const LARGEST_LENGTH = 1e20;
const MOST_TOKENS = 0x7fffffff;
const isSide = (value: unknown): value is Side => value === 'left' || value === 'right';

/** Where a `tokenizer.json` that was saved with padding or truncation has it, in capitals. */
function directionOf(part: unknown): Side | undefined {
  const direction = isObject(part) ? String(part.direction).toLowerCase() : undefined;
  return isSide(direction) ? direction : undefined;
}

function readLength(fields: Fields): number {
  const length = fields.object.model_max_length;
  if (typeof length !== 'number' || length > LARGEST_LENGTH) return Number.POSITIVE_INFINITY;
  return fields.count('model_max_length', 1);
}

async function readRows(folder: string, defaults: RowSettings): Promise<RowSettings> {
  const config = new Fields('tokenizer_config.json', (await readJson(join(folder, 'tokenizer_config.json'))) ?? {});
  const tokenizer = (await readJson(join(folder, 'tokenizer.json'))) ?? {};
  const side = (name: string, otherwise: Side): Side => {
    const value = config.string(name, otherwise);
    return isSide(value) ? value : config.fail(name, "'left' or 'right'");
  };
  return {
    paddingSide: side('padding_side', directionOf(tokenizer.padding) ?? defaults.paddingSide),
    truncationSide: side('truncation_side', directionOf(tokenizer.truncation) ?? defaults.truncationSide),
    modelMaxLength: readLength(config),
    cleanUpTokenizationSpaces: config.bool('clean_up_tokenization_spaces', defaults.cleanUpTokenizationSpaces),
  };
}

const HF_DEFAULTS: RowSettings = {
  paddingSide: 'right',
  truncationSide: 'right',
  modelMaxLength: Number.POSITIVE_INFINITY,
  cleanUpTokenizationSpaces: true,
};

/** The language model's: LLaMA's own class pads left and does not clean up. @throws CHECKPOINT_INVALID */
export async function readLanguageRows(folder: string, kind: TextConfig['type']): Promise<RowSettings> {
  const config = await readJson(join(folder, 'tokenizer_config.json'));
  const isLlama = kind === 'llama' && !String(config?.tokenizer_class).startsWith('PreTrained');
  const ofLlama = { ...HF_DEFAULTS, paddingSide: 'left', cleanUpTokenizationSpaces: false } as const;
  return readRows(folder, isLlama ? ofLlama : HF_DEFAULTS);
}

/** @param checkpoint the folder that `qformer_tokenizer` is in @throws CHECKPOINT_INVALID */
export function readQFormerRows(checkpoint: string): Promise<RowSettings> {
  return readRows(join(checkpoint, 'qformer_tokenizer'), HF_DEFAULTS);
}

const LANGUAGE_ROOT = 'instructblip.text.tokenizer';
const QFORMER_ROOT = 'instructblip.qformer.tokenizer';

/** The keys of docs/gguf.md that keep them. */
export function rowsMetadata(language: RowSettings, qformer: RowSettings): GgufEntry[] {
  const entries = (root: string, { paddingSide, truncationSide, modelMaxLength }: RowSettings): GgufEntry[] => [
    string(`${root}.padding_side`, paddingSide),
    string(`${root}.truncation_side`, truncationSide),
    u32(`${root}.model_max_length`, Number.isFinite(modelMaxLength) ? modelMaxLength : 0),
  ];
  return [
    ...entries(LANGUAGE_ROOT, language),
    ...entries(QFORMER_ROOT, qformer),
    bool(`${QFORMER_ROOT}.clean_up_tokenization_spaces`, qformer.cleanUpTokenizationSpaces),
  ];
}

/** What a file keeps; `defaults` where it has no such keys. @throws MODEL_FILE_KEY_INVALID */
function keptRows(path: string, file: NativeGgufFile, root: string, defaults: RowSettings): RowSettings {
  const get = <T>(name: string, expected: string, allows: (value: unknown) => value is T, otherwise: T): T => {
    const entry = file.metadata.find(({ key }) => key === `${root}.${name}`);
    if (!entry) return otherwise;
    if (allows(entry.value)) return entry.value;
    throw createError('MODEL_FILE_KEY_INVALID', `key '${root}.${name}' of ${path} must be ${expected}`);
  };
  const isLength = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MOST_TOKENS;
  const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
  const length = get('model_max_length', 'a number of tokens', isLength, defaults.modelMaxLength);
  return {
    paddingSide: get('padding_side', "'left' or 'right'", isSide, defaults.paddingSide),
    truncationSide: get('truncation_side', "'left' or 'right'", isSide, defaults.truncationSide),
    modelMaxLength: length === 0 ? Number.POSITIVE_INFINITY : length,
    cleanUpTokenizationSpaces: get(
      'clean_up_tokenization_spaces',
      'true or false',
      isBoolean,
      defaults.cleanUpTokenizationSpaces,
    ),
  };
}

/** Those of a vision file, by tokenizer. @throws MODEL_FILE_KEY_INVALID */
export function rowsOfFile(
  path: string,
  file: NativeGgufFile,
  defaults: { readonly language: RowSettings; readonly qformer: RowSettings },
): { language: RowSettings; qformer: RowSettings } {
  return {
    language: keptRows(path, file, LANGUAGE_ROOT, defaults.language),
    qformer: keptRows(path, file, QFORMER_ROOT, defaults.qformer),
  };
}
