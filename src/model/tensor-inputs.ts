/** Checks of tensors that come from a caller. Each throws OPTION_INVALID naming the tensor, before any work. */
import { invalidOption } from '../errors.js';
import { shown } from '../generation/validate-options.js';
import type { Tensor, TensorData } from '../tensor.js';

export const shapeOf = (dims: readonly number[]): string => `[${dims.join(', ')}]`;

export const FLOATS = '[object Float32Array]';
export const INTS = '[object Int32Array]';

/** Typed arrays of other realms (Electron, Jest) are no instances. `kind`: FLOATS or INTS. */
export function tensor<Data extends TensorData>(
  value: Tensor<Data> | undefined,
  name: string,
  kind: string,
): Tensor<Data> {
  const { dims, data } = (value ?? {}) as Partial<Tensor<Data>>;
  const sound =
    Array.isArray(dims) &&
    Object.prototype.toString.call(data) === kind &&
    dims.reduce((product: number, length: number) => product * length, 1) === data?.length;
  if (!sound) throw invalidOption(`${name} must be a Tensor of ${kind.slice(8, -1)}, but is ${shown(value)}`);
  return value as Tensor<Data>;
}

/** Row `i` of a tensor whose first dimension is the batch: a view. */
export const rowOf = <Data extends TensorData>({ dims, data }: Tensor<Data>, i: number): Data => {
  const size = data.length / (dims[0] as number);
  return data.subarray(i * size, (i + 1) * size) as Data;
};

const NONE = new Int32Array(0);
/** As the engine has it: empty = there is none. */
export const rowOrNone = (given: Tensor<Int32Array> | undefined, i: number): Int32Array =>
  given ? rowOf(given, i) : NONE;

/** Of these sizes; `null` = any from 1 on. */
export function checkDims({ dims }: Tensor, name: string, sizes: readonly (number | null)[], names: string): void {
  const fits =
    dims.length === sizes.length && sizes.every((size, i) => (size ?? Math.max(1, dims[i] ?? 0)) === dims[i]);
  if (!fits) throw invalidOption(`${name} must be ${names}, but is ${shapeOf(dims)}`);
}

export function checkFinite({ data }: Tensor<Float32Array>, name: string): void {
  const at = data.findIndex(value => !Number.isFinite(value));
  if (at >= 0) throw invalidOption(`${name} has ${data[at]} at ${at}: every value must be a finite number`);
}

export function checkIds({ data }: Tensor<Int32Array>, name: string, vocabularySize: number): void {
  const outside = data.find(id => id < 0 || id >= vocabularySize);
  if (outside !== undefined)
    throw invalidOption(`${name} has the id ${outside}, but the vocabulary has ${vocabularySize} tokens`);
}

/** A mask of 0 and 1 in which every row of the batch leaves something to see. undefined = all 1. */
export function maskOf(
  given: Tensor<Int32Array> | undefined,
  name: string,
  sizes: readonly [number, number],
  of: string,
): Tensor<Int32Array> | undefined {
  if (given === undefined) return undefined;
  const mask = tensor(given, name, INTS);
  if (String(mask.dims) !== String(sizes))
    throw invalidOption(`${name} must be ${shapeOf(sizes)}, as ${of}, but is ${shapeOf(mask.dims)}`);
  if (mask.data.some(value => value !== 0 && value !== 1)) throw invalidOption(`${name} must be of 0 and 1`);
  for (let row = 0; row < sizes[0]; row++)
    if (!rowOf(mask, row).includes(1)) throw invalidOption(`row ${row} of ${name} hides everything`);
  return mask;
}
