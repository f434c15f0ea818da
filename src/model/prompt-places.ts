import { OptionError } from '../errors.js';
import type { OptionRule } from '../generation/option-rules.js';
import { shown } from '../generation/validate-options.js';
import { joinOcrTokens } from '../prompts.js';

const PLACE = '{}';

export const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(text => typeof text === 'string');

export const texts: OptionRule = { expected: 'an array of texts', allows: isTexts };

/** How many `{}` a prompt has. */
export const countPlaces = (prompt: string): number => prompt.split(PLACE).length - 1;

/**
 * Puts one value into each `{}` of a prompt, in their order. Other braces are text.
 * @throws OPTION_INVALID when there are not as many; `name` is what the values are called
 */
export function fillPlaces(prompt: string, values: readonly string[], name: string): string {
  const parts = prompt.split(PLACE);
  if (parts.length - 1 !== values.length) {
    throw new OptionError(
      'OPTION_INVALID',
      `${name}: there ${values.length === 1 ? 'is 1 text' : `are ${values.length} texts`} for the ${parts.length - 1} places {} of the prompt ${shown(prompt)}`,
    );
  }
  return parts.map((part, i) => part + (values[i] ?? '')).join('');
}

/** LAVIS' `ocr_tokens` in a question. @throws OPTION_INVALID unless it has one `{}` */
export const withOcrTokens = (question: string, ocrTokens: readonly string[]): string =>
  fillPlaces(question, [joinOcrTokens(ocrTokens)], 'ocrTokens');
