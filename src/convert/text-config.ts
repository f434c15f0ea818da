import { createError } from '../errors.js';
import type { Fields } from './json-fields.js';
import type { LlamaConfig } from './llama-config.js';
import type { OptConfig } from './opt-config.js';
import type { T5Config } from './t5-config.js';

/** HF `text_config`, by its `model_type`. */
export type TextConfig = LlamaConfig | T5Config | OptConfig;
export type TextType = TextConfig['type'];

/** What every language model has. */
export interface CommonTextConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** The head is the token embedding: no `output.weight`. */
  readonly tied: boolean;
  /** -1 = none. HF generates with the inner language model's defaults, which come from here. */
  readonly bosTokenId: number;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number;
  /** -1 = decoder-only. */
  readonly decoderStartTokenId: number;
}

/** What llama.cpp can run; far above any model. Without a bound, a damaged number would ask for billions of tensors. */
export const MOST_LAYERS = 512;
/** What the own graphs run: `limits` of native/core/config-limits.h. */
export const MOST_OWN_LAYERS = 256;
export const MOST_POSITIONS = 2 ** 20;

/** The activations that the graphs have, by HF's names. gelu_new, gelu_fast, … are one function, the tanh approximation, and differ in rounding only. */
const ACTIVATIONS = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_new',
  gelu_fast: 'gelu_new',
  gelu_accurate: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
} as const;
export type Activation = (typeof ACTIVATIONS)[keyof typeof ACTIVATIONS];

/** @throws CHECKPOINT_UNSUPPORTED naming the field */
export function activationOf(fields: Fields, field: string, name: string): Activation {
  if (Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name as keyof typeof ACTIVATIONS];
  throw createError(
    'CHECKPOINT_UNSUPPORTED',
    `${fields.where}: ${field} is '${name}'; supported are ${Object.keys(ACTIVATIONS).join(', ')}`,
  );
}
