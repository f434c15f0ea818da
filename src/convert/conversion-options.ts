import { createError } from '../errors.js';
import { aText, boolean, type OptionRule } from '../generation/option-rules.js';
import { checkNamed, signalRule } from '../model/ask-options.js';

/** How far a conversion is. */
export interface ConversionProgress {
  /** Which file is being written. */
  readonly stage: 'vision' | 'language-model';
  /** Bytes written so far, of all files together. */
  readonly loaded: number;
  /** Bytes that will be written. */
  readonly total: number;
}

/** Options that every conversion has. */
export interface ConversionOptions {
  /** Replace files that exist. Default false. */
  readonly force?: boolean;
  /** Stops the work; nothing is left behind, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called often, after each piece written. */
  readonly onProgress?: (progress: ConversionProgress) => void;
}

const COMMON_RULES: Readonly<Record<keyof ConversionOptions, OptionRule>> = {
  force: boolean,
  signal: signalRule,
  onProgress: { expected: 'a function', allows: value => typeof value === 'function' },
};

/**
 * Checks the options of a conversion: the common ones and `texts`, whose values are checked further by whoever reads them.
 * @throws OPTION_INVALID, OPTION_UNKNOWN
 */
export function checkConversionOptions(options: ConversionOptions, texts: readonly string[]): void {
  checkNamed(options, { ...Object.fromEntries(texts.map(name => [name, aText])), ...COMMON_RULES });
}

/** @throws OPTION_INVALID */
export function checkPath(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '')
    throw createError('OPTION_INVALID', `${what} must be a path, not ${JSON.stringify(value)}`);
  return value;
}
