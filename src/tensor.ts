import { OptionError } from './errors.js';

/** Numbers of a tensor. Ids and masks are int32 (HF: int64), all else float32. */
export type TensorData = Float32Array | Int32Array;

/** A tensor as nested arrays; a number when it has no dimensions. */
export type NestedNumbers = number | NestedNumbers[];

/** Numbers in a shape, row-major (the last dimension is contiguous). */
export class Tensor<Data extends TensorData = TensorData> {
  readonly data: Data;
  readonly dims: readonly number[];

  /**
   * @param data kept, not copied
   * @param dims outermost first, as PyTorch's shape
   * @throws OPTION_INVALID when they do not fit each other
   */
  constructor(data: Data, dims: readonly number[]) {
    const kind = Object.prototype.toString.call(data);
    if (kind !== '[object Float32Array]' && kind !== '[object Int32Array]')
      throw new OptionError('OPTION_INVALID', 'data of a tensor must be a Float32Array or an Int32Array');
    const isShape = Array.isArray(dims) && dims.every(length => Number.isSafeInteger(length) && length >= 0);
    if (!isShape) throw new OptionError('OPTION_INVALID', 'dims of a tensor must be an array of whole numbers from 0');
    const size = dims.reduce((product, length) => product * length, 1);
    if (size !== data.length)
      throw new OptionError(
        'OPTION_INVALID',
        `a tensor of [${dims.join(', ')}] has ${size} values, but data has ${data.length}`,
      );
    this.data = data;
    this.dims = [...dims];
  }

  /** Nested arrays, as PyTorch's `tolist()`. */
  tolist(): NestedNumbers {
    return this.#nested(0, 0, this.data.length);
  }

  #nested(level: number, start: number, size: number): NestedNumbers {
    const length = this.dims[level];
    if (length === undefined) return this.data[start] as number;
    if (level === this.dims.length - 1) return Array.from<number>(this.data.subarray(start, start + length));
    const step = length === 0 ? 0 : size / length;
    return Array.from({ length }, (_, i) => this.#nested(level + 1, start + i * step, step));
  }
}

/** One behind the other; where there is only one, itself. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  const whole = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
