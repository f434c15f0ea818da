import type { RowSettings, Side } from '../convert/row-settings.js';
import { invalidOption } from '../errors.js';
import { Tensor } from '../tensor.js';
import type { TextOptions } from './processor-options.js';

/** What a tokenizer does to the ends of rows. */
export interface RowRules extends Omit<RowSettings, 'cleanUpTokenizationSpaces'> {
  /** For messages. */
  readonly name: string;
  /** -1 = none. */
  readonly padTokenId: number;
  /** Special tokens in front of a text and behind it. */
  readonly front: readonly number[];
  readonly behind: readonly number[];
}

/** What the options come to for one tokenizer. */
export interface RowPlan {
  /** Tokens that a text may keep; Infinity = all. */
  readonly textLength: number;
  readonly front: readonly number[];
  readonly behind: readonly number[];
  /** Length to pad to: 0 = no padding, 'longest' = that of the batch. */
  readonly padTo: number | 'longest';
  readonly multiple: number;
}

const NONE: readonly number[] = [];

const isPadding = ({ padding = false }: TextOptions): boolean => padding !== false && padding !== 'do_not_pad';

/** HF cuts when `maxLength` is given and neither padding nor truncation is. */
function isTruncation({ padding = false, truncation, maxLength }: TextOptions): boolean {
  if (truncation === undefined) return maxLength !== undefined && padding === false;
  return truncation !== false && truncation !== 'do_not_truncate';
}

/**
 * Mirrors `_get_padding_truncation_strategies` of transformers 4.34.
 * @throws OPTION_INVALID for options that contradict each other or the tokenizer
 */
export function planRows(rules: RowRules, options: TextOptions): RowPlan {
  const { addSpecialTokens = true, padToMultipleOf: multiple = 1 } = options;
  const maxLength = options.maxLength ?? rules.modelMaxLength;
  const known = Number.isFinite(maxLength);
  // Without a length to pad or to cut to, HF does neither.
  const padding = isPadding(options) && (known || options.padding !== 'max_length');
  const cuts = known && isTruncation(options);
  const front = addSpecialTokens ? rules.front : NONE;
  const behind = addSpecialTokens ? rules.behind : NONE;
  const special = front.length + behind.length;
  if (padding && rules.padTokenId < 0)
    throw invalidOption(
      `padding is ${String(options.padding)}, but the ${rules.name} has no padding token: give one text at a time`,
    );
  if (cuts && maxLength < special)
    throw invalidOption(`maxLength is ${maxLength}, but the ${rules.name} adds ${special} special tokens to each text`);
  if (cuts && padding && maxLength % multiple !== 0)
    throw invalidOption(
      `with truncation and padding, maxLength (${maxLength} for the ${rules.name}) must be a multiple of padToMultipleOf (${multiple})`,
    );
  const padTo = !padding ? 0 : options.padding === 'max_length' ? maxLength : 'longest';
  return { textLength: cuts ? maxLength - special : Number.POSITIVE_INFINITY, front, behind, padTo, multiple };
}

function cut(ids: ArrayLike<number>, length: number, side: Side): number[] {
  const list = Array.from(ids);
  if (list.length <= length) return list;
  return side === 'left' ? list.slice(list.length - length) : list.slice(0, length);
}

function paddedLength(rows: readonly (readonly number[])[], { padTo, multiple }: RowPlan): number {
  if (padTo === 0) return 0;
  const length = padTo === 'longest' ? Math.max(...rows.map(row => row.length)) : padTo;
  return Math.ceil(length / multiple) * multiple;
}

export interface EncodedRows {
  /** [B,T] */
  readonly inputIds: Tensor<Int32Array>;
  /** `[B,T]`: 1 = token, 0 = padding. */
  readonly attentionMask: Tensor<Int32Array>;
}

/**
 * Ids of texts, not yet cut → rows of one length.
 * @throws OPTION_INVALID when the lengths differ
 */
export function layOutRows(texts: readonly ArrayLike<number>[], plan: RowPlan, rules: RowRules): EncodedRows {
  const rows = texts.map(ids => [...plan.front, ...cut(ids, plan.textLength, rules.truncationSide), ...plan.behind]);
  const shortest = Math.min(...rows.map(row => row.length));
  const longest = Math.max(...rows.map(row => row.length));
  const padded = paddedLength(rows, plan);
  const length = Math.max(longest, padded);
  if (Math.max(shortest, padded) !== length) {
    throw invalidOption(
      `the texts have ${shortest} to ${longest} tokens (${rules.name}), which is no tensor: padding: true fills the shorter ones up, truncation: true with maxLength cuts the longer ones`,
    );
  }
  const inputIds = new Int32Array(rows.length * length).fill(rules.padTokenId);
  const attentionMask = new Int32Array(rows.length * length);
  for (const [i, row] of rows.entries()) {
    const start = i * length + (rules.paddingSide === 'left' ? length - row.length : 0);
    inputIds.set(row, start);
    attentionMask.fill(1, start, start + row.length);
  }
  const dims = [rows.length, length];
  return { inputIds: new Tensor(inputIds, dims), attentionMask: new Tensor(attentionMask, dims) };
}
