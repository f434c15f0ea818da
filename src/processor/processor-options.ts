import { OptionError } from '../errors.js';
import { boolean, type OptionRule } from '../generation/option-rules.js';
import { checkOption, checkOptionsObject, shown, unknownOption } from '../generation/validate-options.js';
import { signalRule } from '../model/ask-options.js';
import type { ImageInput } from './image-input.js';

/** Which sequences are padded, and how far. */
export type Padding = boolean | 'longest' | 'max_length' | 'do_not_pad';
/** Which sequences are cut. With one text per row, `'longest_first'`, `'only_first'` and `true` are the same. */
export type Truncation = boolean | 'longest_first' | 'only_first' | 'do_not_truncate';

/** How texts become rows of equal length; HF's names in camelCase, HF's meaning. Each tokenizer pads and cuts at its own side. */
export interface TextOptions {
  /** `true`, `'longest'`: to the longest of the batch. `'max_length'`: to `maxLength`, or the tokenizer's `modelMaxLength`. Default: false. */
  readonly padding?: Padding;
  /**
   * Cuts to `maxLength`, or the tokenizer's `modelMaxLength`; special tokens stay. Where neither is known, nothing is cut.
   * Default: false; but as in HF, `maxLength` without `padding` and `truncation` cuts.
   */
  readonly truncation?: Truncation;
  /** Tokens, special ones included. As in HF, of no effect with `padding: true` and no truncation. */
  readonly maxLength?: number;
  /** The padded length is rounded up to a multiple of this. As in HF, of no effect without padding. */
  readonly padToMultipleOf?: number;
  /** BOS, EOS, [CLS] and [SEP], as each tokenizer has them. Default: true. */
  readonly addSpecialTokens?: boolean;
}

/** What is done to pictures; defaults are the checkpoint's. HF's names in camelCase, HF's order: resize, rescale, normalize. */
export interface ImageOptions {
  readonly doResize?: boolean;
  /** Pixels; the aspect is not kept. */
  readonly size?: { readonly height: number; readonly width: number };
  /** Pillow's filter: bicubic is the only one that there is. */
  readonly resample?: 3 | 'bicubic';
  /** Multiplies the values 0..255 by `rescaleFactor`. */
  readonly doRescale?: boolean;
  readonly rescaleFactor?: number;
  /**
   * Subtracts `imageMean`, divides by `imageStd`. Without rescaling that is done in float32, as in later versions: 4.34 rounds mean and std to bytes there.
   */
  readonly doNormalize?: boolean;
  /** One number, or one for each channel. */
  readonly imageMean?: number | readonly number[];
  readonly imageStd?: number | readonly number[];
  /** false refuses pictures that are not RGB, which HF's processor cannot handle either; and TIFF, of which it is not known here. */
  readonly doConvertRgb?: boolean;
}

/** Arguments of `InstructBlipProcessor.process`. */
export interface ProcessOptions extends TextOptions, ImageOptions {
  /** A picture or a batch of them. */
  readonly images?: ImageInput | readonly ImageInput[];
  /** A question or a batch of them. */
  readonly text?: string | readonly string[];
  /** Ends the reading and fetching of pictures. */
  readonly signal?: AbortSignal;
}

const count = (name: string): OptionRule => ({
  expected: `a whole number of ${name} from 1`,
  allows: value => Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= 0x7fffffff,
});
const oneOf = (...values: readonly unknown[]): OptionRule => ({
  expected: values
    .map(shown)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1'),
  allows: value => values.includes(value),
});

/** Finite in float32, in which pixels are computed. */
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(Math.fround(value));
const perChannel = (expected: string, allows: (value: number) => boolean): OptionRule => ({
  expected: `${expected}, or an array of 3 of them`,
  allows: value => {
    const list = Array.isArray(value) ? value : [value, value, value];
    return list.length === 3 && list.every(each => isNumber(each) && allows(each));
  },
});

/** The longest side of a picture that is asked for: twice this, squared, is the bound on pictures that are read. */
const LONGEST_SIDE = 8192;
const isSide = (value: unknown): boolean =>
  Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= LONGEST_SIDE;

export const TEXT_RULES: Readonly<Record<keyof TextOptions, OptionRule>> = {
  padding: oneOf(true, false, 'longest', 'max_length', 'do_not_pad'),
  truncation: oneOf(true, false, 'longest_first', 'only_first', 'do_not_truncate'),
  maxLength: count('tokens'),
  padToMultipleOf: count('tokens'),
  addSpecialTokens: boolean,
};

export const IMAGE_RULES: Readonly<Record<keyof ImageOptions, OptionRule>> = {
  doResize: boolean,
  size: {
    expected: `{ height, width } with whole numbers from 1 to ${LONGEST_SIDE}`,
    allows: value => {
      if (typeof value !== 'object' || value === null || Object.keys(value).sort().join() !== 'height,width')
        return false;
      return Object.values(value).every(isSide);
    },
  },
  resample: oneOf(3, 'bicubic'),
  doRescale: boolean,
  rescaleFactor: { expected: 'a number', allows: isNumber },
  doNormalize: boolean,
  imageMean: perChannel('a number', () => true),
  imageStd: perChannel('a number above 0', value => Math.fround(value) > 0),
  doConvertRgb: boolean,
};

export const CALL_RULES: Readonly<Record<'signal', OptionRule>> = { signal: signalRule };

/** Values and options of HF's processor that this one does not have. */
const UNSUPPORTED_VALUES: Readonly<Record<string, { readonly values: readonly unknown[]; readonly why: string }>> = {
  truncation: { values: ['only_second'], why: 'cuts the second of two texts, and there is one' },
  resample: {
    values: [0, 1, 2, 4, 5, 'nearest', 'lanczos', 'bilinear', 'box', 'hamming'],
    why: "is a filter that this package does not have; use 'bicubic'",
  },
};
const HF_ONLY: readonly string[] = [
  'stride',
  'returnAttentionMask',
  'returnOverflowingTokens',
  'returnSpecialTokensMask',
  'returnOffsetsMapping',
  'returnTokenTypeIds',
  'returnLength',
  'returnTensors',
  'verbose',
  'textPair',
  'textTarget',
  'isSplitIntoWords',
  'dataFormat',
  'inputDataFormat',
];

/**
 * Checks names and values and returns the options that are set; `undefined` means not set.
 * @throws OPTION_INVALID, OPTION_UNKNOWN, OPTION_UNSUPPORTED
 */
export function checkOptions<Options extends object>(
  options: unknown,
  rules: Readonly<Partial<Record<string, OptionRule>>>,
  alsoKnown: readonly string[] = [],
): Options {
  checkOptionsObject(options);
  const known = [...Object.keys(rules), ...alsoKnown];
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (HF_ONLY.includes(name))
      throw unsupported(name, value, 'is an option of transformers that this package does not have; leave it out');
    if (!known.includes(name)) throw unknownOption(name, known);
    if (value === undefined || alsoKnown.includes(name)) continue;
    const without = UNSUPPORTED_VALUES[name];
    if (without?.values.includes(value)) throw unsupported(name, value, without.why);
    checkOption(name, value, rules[name] as OptionRule);
    result[name] = value;
  }
  return result as Options;
}

const unsupported = (name: string, value: unknown, why: string): OptionError =>
  new OptionError('OPTION_UNSUPPORTED', `${name} = ${shown(value)} ${why}`);

/** @throws OPTION_INVALID */
export function checkTexts(text: unknown): readonly string[] {
  const texts = Array.isArray(text) ? text : [text];
  const wrong = texts.findIndex(each => typeof each !== 'string');
  if (texts.length === 0 || wrong >= 0) {
    const found =
      Array.isArray(text) && texts.length > 0 ? `element ${wrong} is ${shown(texts[wrong])}` : `it is ${shown(text)}`;
    throw new OptionError('OPTION_INVALID', `text must be a string or a non-empty array of strings, but ${found}`);
  }
  return texts;
}

/** A picture or several. What each is, is seen when it is read. @throws OPTION_INVALID */
export function checkImages(images: unknown): readonly ImageInput[] {
  if (!Array.isArray(images)) return [images as ImageInput];
  if (images.length > 0) return [...images];
  throw new OptionError('OPTION_INVALID', 'images must be a picture or a non-empty array of pictures, but is []');
}
