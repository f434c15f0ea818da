import type { GeneratedToken } from '../generation/answer-writer.js';
import type { GenerateOptions } from '../generation/generate-options.js';
import { boolean, type OptionRule } from '../generation/option-rules.js';
import {
  checkOption,
  checkOptionsObject,
  unknownOption,
  validateGenerateOptions,
} from '../generation/validate-options.js';
import { texts } from './prompt-places.js';

/** Options of `ask` and `stream`: all generate options and how the answer is delivered. */
export interface AskOptions extends GenerateOptions {
  /** Aborts the call in any phase; it rejects with the signal's reason. No token is delivered after that. */
  signal?: AbortSignal;
  /** With `signal`: resolve with what there is and `finishReason: 'abort'` instead of rejecting. Default false. */
  stopOnAbort?: boolean;
  /** Pieces of text as they become certain; they join to `answer.text`. A promise is waited for (back-pressure); a throw rejects the call and stops it. */
  onText?: (text: string) => unknown;
  /** Each token as it is chosen, before its text is delivered. Waited for like `onText`. */
  onToken?: (token: GeneratedToken) => unknown;
  /** Texts that OCR found in the picture: the first 30, joined by commas, stand in the question's one `{}` (LAVIS' `ocr_tokens`). */
  ocrTokens?: readonly string[];
}

const aFunction: OptionRule = { expected: 'a function', allows: value => typeof value === 'function' };
export const signalRule: OptionRule = {
  expected: 'an AbortSignal',
  // Not instanceof: a signal may come from another realm (Electron, Jest).
  allows: value =>
    typeof (value as AbortSignal | null)?.aborted === 'boolean' &&
    typeof (value as AbortSignal).addEventListener === 'function',
};
const DELIVERY_RULES: Readonly<Record<string, OptionRule>> = {
  signal: signalRule,
  stopOnAbort: boolean,
  onText: aFunction,
  onToken: aFunction,
  ocrTokens: texts,
};

/** The delivery half of the options. */
export type DeliveryOptions = Pick<AskOptions, 'signal' | 'stopOnAbort' | 'onText' | 'onToken' | 'ocrTokens'>;

/** Checks every option and parts them. @throws OPTION_INVALID, OPTION_UNKNOWN, OPTION_UNSUPPORTED */
export function validateAskOptions(options: object): { delivery: DeliveryOptions; generate: GenerateOptions } {
  const generate = validateGenerateOptions(options, Object.keys(DELIVERY_RULES));
  return { delivery: checkNamed(options, DELIVERY_RULES, true), generate };
}

/**
 * Checks the options that `rules` name and returns those that are set.
 * @throws OPTION_INVALID; OPTION_UNKNOWN for other names unless `others`
 */
export function checkNamed<T extends object>(
  options: T,
  rules: Readonly<Record<string, OptionRule>>,
  others = false,
): T {
  checkOptionsObject(options);
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) {
      if (others) continue;
      throw unknownOption(name, Object.keys(rules));
    }
    if (value === undefined) continue;
    checkOption(name, value, rule);
    result[name] = value;
  }
  return result as T;
}
