import { createError } from '../errors.js';

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

/** @throws OPTION_UNKNOWN for a name that is not among `known` */
export function checkOptionNames(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw createError('OPTION_UNKNOWN', `there is no option '${name}'; the options are ${known.join(', ')}`);
  }
}

/** @throws OPTION_INVALID */
export function checkPath(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '')
    throw createError('OPTION_INVALID', `${what} must be a path, not ${JSON.stringify(value)}`);
  return value;
}
