/**
 * Every error that this package throws. One base class with a stable `code`; few subclasses, by what the caller can do about it.
 * The table of codes with remedies is docs/errors.md; a test holds both together.
 */

/** The stable codes, by the class that carries them. */
export const ERROR_CODES = {
  OptionError: ['OPTION_INVALID', 'OPTION_UNKNOWN', 'OPTION_UNSUPPORTED'],
  ConfigError: ['CONFIG_INVALID', 'CONFIG_UNSUPPORTED'],
  ImageError: [
    'IMAGE_INPUT_INVALID',
    'IMAGE_NOT_FOUND',
    'IMAGE_FETCH_FAILED',
    'IMAGE_FORMAT_UNSUPPORTED',
    'IMAGE_CORRUPT',
    'IMAGE_TOO_LARGE',
    'IMAGE_FEATURES_INVALID',
    'IMAGE_FEATURES_MISMATCH',
  ],
  ModelFileError: [
    'MODEL_NOT_FOUND',
    'MODEL_FOLDER_AMBIGUOUS',
    'MODEL_FILE_UNREADABLE',
    'MODEL_FILE_NOT_GGUF',
    'MODEL_FILE_CORRUPT',
    'MODEL_FILE_KEY_MISSING',
    'MODEL_FILE_KEY_INVALID',
    'MODEL_FILE_TENSOR_MISSING',
    'MODEL_FILE_TENSOR_INVALID',
    'MODEL_FILE_UNSUPPORTED',
    'MODEL_PAIR_MISMATCH',
    'CHECKPOINT_NOT_FOUND',
    'CHECKPOINT_INVALID',
    'CHECKPOINT_UNSUPPORTED',
    'CHECKPOINT_TENSOR_MISSING',
    'CHECKPOINT_TENSOR_INVALID',
    'OUTPUT_EXISTS',
    'OUTPUT_WRITE_FAILED',
  ],
  ContextLengthError: ['CONTEXT_LENGTH_EXCEEDED'],
  OutOfMemoryError: ['OUT_OF_MEMORY'],
  DeviceError: ['DEVICE_NOT_FOUND', 'DEVICE_FAILED', 'ENGINE_NOT_BUILT', 'ENGINE_CLASH', 'ENGINE_LOAD_FAILED'],
  DisposedError: ['DISPOSED'],
} as const;

type Codes = typeof ERROR_CODES;
/** Any stable error code of this package. */
export type ErrorCode = Codes[keyof Codes][number];

/** Base of every error of this package. Test `error.code`, not the message. */
export class InstructBlipError extends Error {
  /** Stable, UPPER_SNAKE. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An option has the wrong type, range or combination, is unknown, or is one that we do not have. */
export class OptionError extends InstructBlipError {}
/** A configuration value is missing or impossible. */
export class ConfigError extends InstructBlipError {}
/** A picture cannot be had, decoded, or is over a limit. */
export class ImageError extends InstructBlipError {}
/** A model file or checkpoint is missing, damaged, unsupported, or does not fit its partner. */
export class ModelFileError extends InstructBlipError {}
/** Prompt and answer do not fit the model's or the cache's context. */
export class ContextLengthError extends InstructBlipError {}
/** Memory for weights, cache or computation could not be had. */
export class OutOfMemoryError extends InstructBlipError {}
/** The engine or a device cannot be used. */
export class DeviceError extends InstructBlipError {}
/** The object was disposed. */
export class DisposedError extends InstructBlipError {}

type Constructor = new (code: ErrorCode, message: string, options?: { cause?: unknown }) => InstructBlipError;

const CLASSES: Record<keyof Codes, Constructor> = {
  OptionError,
  ConfigError,
  ImageError,
  ModelFileError,
  ContextLengthError,
  OutOfMemoryError,
  DeviceError,
  DisposedError,
};

const CLASS_BY_CODE = new Map<string, Constructor>(
  Object.entries(ERROR_CODES).flatMap(([name, codes]) =>
    codes.map((code): [string, Constructor] => [code, CLASSES[name as keyof Codes]]),
  ),
);

/** Whether `value` is one of the stable codes. */
export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && CLASS_BY_CODE.has(value);

/** The typed error for a code: the one place that knows which class carries which code. */
export function createError(code: ErrorCode, message: string, options?: { cause?: unknown }): InstructBlipError {
  const ErrorClass = CLASS_BY_CODE.get(code) as Constructor;
  return new ErrorClass(code, message, options);
}

/** The error of an option or argument that is not what it has to be. */
export const invalidOption = (problem: string): OptionError => new OptionError('OPTION_INVALID', problem);
