import { join } from 'node:path';
import { readOptional } from '../convert/json-fields.js';
import { writeWholeFile } from '../convert/output-files.js';
import { ConfigError, createError } from '../errors.js';
import { shown } from '../generation/validate-options.js';
import { parsePythonJson } from './parse-python-json.js';
import { Dict } from './python-json.js';

const FILE_NAME = 'config.json';
/** `model_type` of a model that has parts. */
const WHOLE = 'instructblip';

/** What is read: a class of configurations. */
export interface ConfigSource {
  readonly name: string;
  readonly modelType: string;
  /** The name of the part in a whole model's JSON. */
  readonly place?: string;
}

/** @throws OPTION_INVALID */
function checkPath(path: unknown): void {
  if (typeof path !== 'string' || path === '')
    throw createError('OPTION_INVALID', `folder must be a path, but is ${shown(path)}`);
}

async function readBytes(path: string): Promise<Buffer> {
  const bytes = (await readOptional(join(path, FILE_NAME))) ?? (path.endsWith('.json') && (await readOptional(path)));
  if (bytes) return bytes;
  throw createError(
    'CHECKPOINT_NOT_FOUND',
    `${path} holds no ${FILE_NAME}: give a checkpoint's folder in transformers' layout`,
  );
}

/** UTF-8 without a byte order mark, as Python wants it: with one it is not JSON. */
const decode = (bytes: Buffer): string => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

function parse(path: string, bytes: Buffer): Dict {
  let value: unknown;
  try {
    value = parsePythonJson(decode(bytes));
  } catch (error) {
    throw createError('CHECKPOINT_INVALID', `${path}: ${FILE_NAME} is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (value instanceof Dict) return value;
  throw createError('CHECKPOINT_INVALID', `${path}: ${FILE_NAME} does not hold a JSON object`);
}

/** The JSON of a class, or its part of a whole model's. @throws OPTION_INVALID, CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CONFIG_INVALID */
export async function readConfigJson(path: string, { name, modelType, place }: ConfigSource): Promise<Dict> {
  checkPath(path);
  const whole = parse(path, await readBytes(path));
  if (place === undefined || modelType === WHOLE || whole.get('model_type') !== WHOLE) return whole;
  const part = whole.get(place);
  if (part instanceof Dict) return part;
  throw new ConfigError('CONFIG_INVALID', `${path}: ${FILE_NAME} holds no object ${place} to make a ${name} from`);
}

/** @throws OPTION_INVALID, OUTPUT_WRITE_FAILED */
export async function saveConfigText(folder: string, text: string): Promise<void> {
  checkPath(folder);
  const bytes = Buffer.from(text, 'utf8');
  await writeWholeFile(join(folder, FILE_NAME), bytes);
}
