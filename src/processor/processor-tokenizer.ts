import type { Side } from '../convert/row-settings.js';
import { OptionError } from '../errors.js';
import { cleanUpSpaces } from '../generation/clean-up-spaces.js';
import { boolean } from '../generation/option-rules.js';
import { shown } from '../generation/validate-options.js';
import { Tensor } from '../tensor.js';
import { type EncodedRows, layOutRows, planRows, type RowRules } from './batch-encoding.js';
import { checkOptions, checkTexts, TEXT_RULES, type TextOptions } from './processor-options.js';
import type { TextCodec } from './text-codec.js';

/** Options of `decode`; HF's names in camelCase. */
export interface DecodeOptions {
  /** Leaves out BOS, EOS, padding, … Default: false. */
  readonly skipSpecialTokens?: boolean;
  /** ` .` becomes `.` and the like. Default: the tokenizer's `cleanUpTokenizationSpaces`. */
  readonly cleanUpTokenizationSpaces?: boolean;
}

/** Ids of one text. */
export type TokenIds = number | readonly number[] | Int32Array | Tensor<Int32Array>;
/** Ids of several texts: a list, or a tensor [B,T]. */
export type TokenIdBatch = readonly (readonly number[] | Int32Array)[] | Tensor<Int32Array>;

const DECODE_RULES = { skipSpecialTokens: boolean, cleanUpTokenizationSpaces: boolean };
/** Of int32, as they are in tensors. */
const LARGEST_ID = 0x7fffffff;
const ENCODE_RULES = { addSpecialTokens: boolean };

/** One of a processor's two tokenizers. Text in the shape of special tokens becomes those tokens, as in HF. */
export class ProcessorTokenizer {
  readonly #codec: TextCodec;
  readonly #rules: RowRules;
  /** Default of `decode`'s option. */
  readonly cleanUpTokenizationSpaces: boolean;

  /** @internal */
  constructor(codec: TextCodec, rules: RowRules, cleanUpTokenizationSpaces: boolean) {
    this.#codec = codec;
    this.#rules = rules;
    this.cleanUpTokenizationSpaces = cleanUpTokenizationSpaces;
  }

  /** Where padding goes. LLaMA: left, T5, OPT and the Q-Former: right. */
  get paddingSide(): Side {
    return this.#rules.paddingSide;
  }

  /** Which end of a text is cut off. On the hub: left. */
  get truncationSide(): Side {
    return this.#rules.truncationSide;
  }

  /** What `padding: 'max_length'` and `truncation` take without `maxLength`; Infinity = unknown. */
  get modelMaxLength(): number {
    return this.#rules.modelMaxLength;
  }

  /** null = none: then it cannot pad. */
  get padTokenId(): number | null {
    return this.#rules.padTokenId < 0 ? null : this.#rules.padTokenId;
  }

  /** Tokens have ids below this; a model may have more rows. */
  get vocabularySize(): number {
    return this.#codec.vocabularySize;
  }

  /**
   * Ids of one text, neither cut nor padded.
   * @throws OPTION_INVALID, OPTION_UNKNOWN
   */
  encode(text: string, options: { readonly addSpecialTokens?: boolean } = {}): number[] {
    const { addSpecialTokens = true } = checkOptions<{ addSpecialTokens?: boolean }>(options, ENCODE_RULES);
    if (typeof text !== 'string')
      throw new OptionError('OPTION_INVALID', `text must be a string, but is ${shown(text)}`);
    const ids = Array.from(this.#codec.encode(text));
    return addSpecialTokens ? [...this.#rules.front, ...ids, ...this.#rules.behind] : ids;
  }

  /**
   * Ids and mask of one or several texts; HF: `tokenizer(text, …)`.
   * @returns [B,T] each
   * @throws OPTION_INVALID, OPTION_UNKNOWN, OPTION_UNSUPPORTED
   */
  encodeBatch(text: string | readonly string[], options: TextOptions = {}): EncodedRows {
    const valid = checkOptions<TextOptions>(options, TEXT_RULES);
    return this.planBatch(valid)(checkTexts(text));
  }

  /** @internal Checks valid options against this tokenizer; the work comes with the call of what it returns. */
  planBatch(options: TextOptions): (texts: readonly string[]) => EncodedRows {
    const plan = planRows(this.#rules, options);
    return texts =>
      layOutRows(
        texts.map(text => this.#codec.encode(text)),
        plan,
        this.#rules,
      );
  }

  /**
   * Text of ids. Ids that have no token are left out, as in HF.
   * @throws OPTION_INVALID, OPTION_UNKNOWN
   */
  decode(ids: TokenIds, options: DecodeOptions = {}): string {
    return this.#decode(this.#checkIds('ids', idsOf(ids)), checkOptions<DecodeOptions>(options, DECODE_RULES));
  }

  /**
   * Text of each row.
   * @throws OPTION_INVALID, OPTION_UNKNOWN
   */
  batchDecode(sequences: TokenIdBatch, options: DecodeOptions = {}): string[] {
    const valid = checkOptions<DecodeOptions>(options, DECODE_RULES);
    const rows = rowsOf(sequences).map((row, i) => this.#checkIds(`row ${i} of sequences`, row));
    return rows.map(row => this.#decode(row, valid));
  }

  #decode(ids: readonly number[], options: DecodeOptions): string {
    const { skipSpecialTokens = false, cleanUpTokenizationSpaces = this.cleanUpTokenizationSpaces } = options;
    const text = this.#codec.decode(ids, skipSpecialTokens);
    return cleanUpTokenizationSpaces ? cleanUpSpaces(text) : text;
  }

  /** Those that may have a token. */
  #checkIds(name: string, ids: ArrayLike<unknown> | undefined): number[] {
    if (ids === undefined)
      throw new OptionError('OPTION_INVALID', `${name} must be token ids: an array, an Int32Array or a tensor`);
    const found = Array.from(ids, id => {
      if (Number.isInteger(id) && Number(id) >= 0 && Number(id) <= LARGEST_ID) return id as number;
      throw new OptionError('OPTION_INVALID', `${name} must be whole numbers from 0, but one is ${shown(id)}`);
    });
    return found.filter(id => id < this.vocabularySize);
  }
}

const isIds = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || Object.prototype.toString.call(value) === '[object Int32Array]';

function idsOf(ids: unknown): ArrayLike<unknown> | undefined {
  if (typeof ids === 'number') return [ids];
  if (ids instanceof Tensor) return ids.dims.length <= 1 ? idsOf(ids.data) : undefined;
  return isIds(ids) ? ids : undefined;
}

function rowsOf(sequences: unknown): (ArrayLike<unknown> | undefined)[] {
  if (sequences instanceof Tensor && sequences.dims.length === 2 && isIds(sequences.data)) {
    const [rows, length] = sequences.dims as [number, number];
    const data = sequences.data as Int32Array;
    return Array.from({ length: rows }, (_, i) => data.subarray(i * length, (i + 1) * length));
  }
  if (Array.isArray(sequences)) return sequences.map(row => (isIds(row) ? row : undefined));
  throw new OptionError(
    'OPTION_INVALID',
    `sequences must be an array of arrays of ids or a tensor [B,T] of them, but is ${shown(sequences)}`,
  );
}
