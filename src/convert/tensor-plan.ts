import { createError } from '../errors.js';
import type { TensorType } from '../gguf/tensor-types.js';
import type { CheckpointFiles, CheckpointTensor } from './checkpoint-files.js';
import { constantRows, fileRows, permutedRows, type RowSource } from './row-source.js';
import { FLOAT_TYPES } from './safetensors-header.js';
import type { TensorRule } from './tensor-rules.js';

/** A tensor ready to be written. */
export interface PlannedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
  readonly rows: RowSource;
}

const product = (shape: readonly number[]): number => shape.reduce((total, length) => total * length, 1);
const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((length, i) => length === b[i]);

const findTensor = ({ source, aliases = [] }: TensorRule, files: CheckpointFiles): CheckpointTensor | undefined => {
  const name = [source, ...aliases].findLast(candidate => files.get(candidate));
  return name === undefined ? undefined : files.get(name);
};

function openRows(rule: TensorRule, files: CheckpointFiles): RowSource {
  const rowLength = rule.shape.at(-1)!;
  const rows = product(rule.shape.slice(0, -1));
  if (rule.constant !== undefined) return constantRows(rule.constant, rows, rowLength);
  const tensor = findTensor(rule, files)!;
  const expected = rule.sourceShape ?? rule.shape;
  if (!sameShape(tensor.shape, expected)) {
    throw createError(
      'CHECKPOINT_TENSOR_INVALID',
      `tensor ${tensor.name} has shape [${tensor.shape.join(', ')}]; config.json says [${expected.join(', ')}]`,
    );
  }
  const type = FLOAT_TYPES[tensor.dtype];
  if (!type) {
    throw createError(
      'CHECKPOINT_TENSOR_INVALID',
      `tensor ${tensor.name} has dtype ${tensor.dtype}; only F32, F16 and BF16 checkpoints can be converted`,
    );
  }
  if (!rule.permuteHeads) return fileRows(tensor, type, rows, rowLength);
  if (rule.shape.length > 1) return permutedRows(fileRows(tensor, type, rows, rowLength), rule.permuteHeads);
  return permutedRows(fileRows(tensor, type, rowLength, 1), rule.permuteHeads);
}

/** Names that the checkpoint lacks, all of them. @throws CHECKPOINT_TENSOR_MISSING */
function checkPresent(rules: readonly TensorRule[], files: CheckpointFiles): void {
  const missing = rules
    .filter(rule => rule.constant === undefined && !findTensor(rule, files))
    .map(rule => rule.source);
  if (missing.length === 0) return;
  const packed = files.names.find(name => /\.(qweight|qzeros|SCB|weight_format|absmax)$/.test(name));
  if (packed) {
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `the checkpoint's weights are already quantized (tensor ${packed}). Convert the original fp32, fp16 or bf16 checkpoint and choose a quantized type there`,
    );
  }
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
  throw createError('CHECKPOINT_TENSOR_MISSING', `the checkpoint lacks ${missing.slice(0, 5).join(', ')}${more}`);
}

/**
 * Finds every tensor of `rules` in the checkpoint, checks its shape and dtype, and gives it the type that `typeOf` says.
 * @throws CHECKPOINT_TENSOR_MISSING, CHECKPOINT_TENSOR_INVALID, CHECKPOINT_UNSUPPORTED
 */
export function planTensors(
  rules: readonly TensorRule[],
  files: CheckpointFiles,
  typeOf: (rule: TensorRule) => TensorType,
): PlannedTensor[] {
  checkPresent(rules, files);
  return rules.map(rule => ({ name: rule.name, shape: rule.shape, type: typeOf(rule), rows: openRows(rule, files) }));
}

/** Tensors that old checkpoints carry and no model needs: constants, and T5's position bias of a cross-attention, which has none. */
const HARMLESS =
  /(\.position_ids|\.rotary_emb\.inv_freq|^language_model\.model\.decoder\.version|\.EncDecAttention\.relative_attention_bias\.weight)$/;

/** A weight that no rule reads would change the answers if the model has it: refuse instead of dropping it. @throws CHECKPOINT_UNSUPPORTED */
export function checkAllUsed(rules: readonly TensorRule[], files: CheckpointFiles): void {
  const read = rules.filter(({ constant }) => constant === undefined);
  const used = new Set(read.flatMap(({ source, aliases = [] }) => [source, ...aliases]));
  const unknown = files.names.filter(name => !used.has(name) && !HARMLESS.test(name));
  if (unknown.length === 0) return;
  throw createError(
    'CHECKPOINT_UNSUPPORTED',
    `the checkpoint has ${unknown.length} tensors that an InstructBLIP of its config.json has not, e.g. ${unknown.slice(0, 3).join(', ')}`,
  );
}
