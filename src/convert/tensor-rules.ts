/**
 * What decides the type of a tensor in the file: `exact` is always F32 (biases, norms, positions), `convolution` never quantized,
 * `matrix` has the file's type.
 */
export type TensorRole = 'exact' | 'convolution' | 'matrix';

/** One tensor of a GGUF file and where it comes from in the checkpoint. */
export interface TensorRule {
  /** Name in the GGUF. */
  readonly name: string;
  /** Shape in the GGUF, PyTorch order. */
  readonly shape: readonly number[];
  readonly role: TensorRole;
  /** HF name. */
  readonly source: string;
  /** Other names of the same weights, in the order of HF's modules: each is loaded over those before, so the last that is there counts. */
  readonly aliases?: readonly string[];
  /** HF's shape where it differs (leading ones). */
  readonly sourceShape?: readonly number[];
  /** Head size of a q or k projection, whose rows llama.cpp orders differently. */
  readonly permuteHeads?: number;
  /** The checkpoint is configured not to have it: this number everywhere. */
  readonly constant?: number;
}

/** `<name>.weight` [rows, columns]. */
export const matrix = (name: string, source: string, rows: number, columns: number): TensorRule => ({
  name: `${name}.weight`,
  shape: [rows, columns],
  role: 'matrix',
  source: `${source}.weight`,
});

/** A bias or the weight of a norm, under its whole name. */
export const vector = (name: string, source: string, size: number): TensorRule => ({
  name,
  shape: [size],
  role: 'exact',
  source,
});

/** Weight [outputs, inputs] and bias [outputs]. */
export const linear = (name: string, source: string, outputs: number, inputs: number): TensorRule[] => [
  matrix(name, source, outputs, inputs),
  vector(`${name}.bias`, `${source}.bias`, outputs),
];

/** Weight and bias [size] of a layer norm. */
export const norm = (name: string, source: string, size: number): TensorRule[] => [
  vector(`${name}.weight`, `${source}.weight`, size),
  vector(`${name}.bias`, `${source}.bias`, size),
];

/**
 * Token embedding and head [vocabulary, hidden]. When they are tied there is one matrix, which checkpoints store under either name or both.
 * @param names of the embedding, in the order of HF's modules
 */
export function embeddings(
  names: readonly [string, ...string[]],
  config: { readonly vocabSize: number; readonly hiddenSize: number; readonly tied: boolean },
): [TensorRule, ...TensorRule[]] {
  const { vocabSize: V, hiddenSize: D, tied } = config;
  const [first, ...others] = names;
  const head = matrix('output', 'language_model.lm_head', V, D);
  const aliases = [...others.map(name => `${name}.weight`), ...(tied ? [head.source] : [])];
  const embedding = { ...matrix('token_embd', first, V, D), aliases };
  return tied ? [embedding] : [embedding, head];
}
