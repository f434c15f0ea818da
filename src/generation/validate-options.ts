import { inspect } from 'node:util';
import { OptionError } from '../errors.js';
import type { GenerateOptions } from './generate-options.js';
import { GENERATE_OPTIONS, HF_ONLY_OPTIONS, OPTION_RULES, type OptionRule } from './option-rules.js';

/** A value as it may stand in a message. */
export const shown = (value: unknown): string => {
  const text = inspect(value, {
    depth: 1,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 8,
    maxStringLength: 60,
  });
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
};

/** @throws OPTION_INVALID */
export function checkOption(name: string, value: unknown, rule: OptionRule): void {
  if (!rule.allows(value)) {
    throw new OptionError('OPTION_INVALID', `${name} must be ${rule.expected}, but is ${shown(value)}`);
  }
}

/** Levenshtein distance, for "did you mean". */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** The known name that is closest to what was written; snake_case counts as its camelCase. */
export function nearestName(written: string, known: readonly string[]): string {
  const plain = (name: string) => name.replaceAll(/[_-]/g, '').toLowerCase();
  const ranked = known.map(name => ({ name, far: distance(plain(written), plain(name)) }));
  return ranked.reduce((best, candidate) => (candidate.far < best.far ? candidate : best)).name;
}

/** @throws OPTION_UNKNOWN with the nearest of `known` */
export function unknownOption(name: string, known: readonly string[]): OptionError {
  return new OptionError(
    'OPTION_UNKNOWN',
    `there is no option ${shown(name)}; did you mean '${nearestName(name, known)}'?`,
  );
}

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws OPTION_INVALID unless `options` is an object */
export function checkOptionsObject(options: unknown): asserts options is Record<string, unknown> {
  if (!isPlainObject(options)) {
    throw new OptionError('OPTION_INVALID', `options must be an object, but is ${shown(options)}`);
  }
}

/**
 * Checks names and values and returns the options that are set; `undefined` means not set. `alsoKnown` are names that the caller handles itself.
 * @throws OPTION_INVALID, OPTION_UNKNOWN, OPTION_UNSUPPORTED
 */
export function validateGenerateOptions(options: object, alsoKnown: readonly string[] = []): GenerateOptions {
  checkOptionsObject(options);
  const known = [...Object.keys(OPTION_RULES), ...Object.keys(GENERATE_OPTIONS), ...alsoKnown];
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (alsoKnown.includes(name) || (value === undefined && known.includes(name))) continue;
    if (Object.hasOwn(OPTION_RULES, name)) {
      checkOption(name, value, OPTION_RULES[name as keyof GenerateOptions]);
      result[name] = value;
    } else if (Object.hasOwn(GENERATE_OPTIONS, name)) {
      if (value !== GENERATE_OPTIONS[name])
        throw unsupported(name, value, 'is an option of InstructBlipForConditionalGeneration.generate only');
    } else if (HF_ONLY_OPTIONS.includes(name)) {
      throw unsupported(name, value, 'is an option of transformers that this package does not have');
    } else {
      throw unknownOption(name, known);
    }
  }
  return result as GenerateOptions;
}

const unsupported = (name: string, value: unknown, why: string): OptionError =>
  new OptionError('OPTION_UNSUPPORTED', `${name} = ${shown(value)} ${why}; leave it out`);
