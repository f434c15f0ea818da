import type { RowSource } from '../src/convert/row-source.js';
import { type Random, seededRandom } from '../src/generation/random.js';
import { blockLength, rowByteLength, type TensorType } from '../src/gguf/tensor-types.js';
import type { NativeAddon } from '../src/native/addon.js';
import { nativeWork } from '../src/native/native-call.js';

/** Distinct rows that are made of each kind; all other rows are rotations of them. */
const BLOCK_ROWS = 256;
/** At least so many values in a block: rows of a convolution's kernel are short. */
const BLOCK_VALUES = 1 << 16;

/** Normally distributed numbers (Box and Muller). */
function normal(random: Random, center: number, deviation: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return center + deviation * radius * Math.cos(2 * Math.PI * random());
}

export interface NoiseKind {
  readonly type: TensorType;
  readonly rowLength: number;
  readonly center: number;
  readonly deviation: number;
}

interface NoiseBlock {
  readonly bytes: Uint8Array;
  readonly rows: number;
}

/**
 * Makes tensors of noise at the speed of a copy. For each kind of row a few hundred are really drawn and encoded. A tensor's rows are these in random order,
 * each rotated by a random number of whole quantization blocks: with rows of 4096 values in Q4_K that is 4096 different rows from 256.
 */
export class NoiseBank {
  private readonly blocks = new Map<string, Promise<NoiseBlock>>();

  constructor(
    private readonly addon: Pick<NativeAddon, 'CancelToken' | 'quantizeRows'>,
    private readonly seed: number,
    private readonly signal?: AbortSignal,
  ) {}

  /** Rows of a tensor; `tensor` is its number, so that no two tensors are alike. */
  rows(kind: NoiseKind, rows: number, tensor: number): RowSource {
    const { type, rowLength } = kind;
    const read = async (first: number, count: number) =>
      rotatedRows(await this.block(kind), kind, count, seededRandom(this.seed + tensor * 2 ** 32 + first));
    return { type, rows, rowLength, rowMultiple: 1, read };
  }

  private block(kind: NoiseKind): Promise<NoiseBlock> {
    const key = Object.values(kind).join(' ');
    const known = this.blocks.get(key) ?? this.makeBlock(kind);
    this.blocks.set(key, known);
    return known;
  }

  private async makeBlock({ type, rowLength, center, deviation }: NoiseKind): Promise<NoiseBlock> {
    const random = seededRandom(this.seed);
    const rows = Math.max(BLOCK_ROWS, Math.ceil(BLOCK_VALUES / rowLength));
    const values = Float32Array.from({ length: rows * rowLength }, () => normal(random, center, deviation));
    if (type === 'f32') return { bytes: new Uint8Array(values.buffer), rows };
    const bytes = await nativeWork(this.addon, this.signal, cancel =>
      this.addon.quantizeRows(type, values, rowLength, cancel),
    );
    return { bytes, rows };
  }
}

function rotatedRows(block: NoiseBlock, { type, rowLength }: NoiseKind, count: number, random: Random): Uint8Array {
  const rowBytes = rowByteLength(type, rowLength);
  const steps = rowLength / blockLength(type);
  const stepBytes = rowBytes / steps;
  const result = new Uint8Array(count * rowBytes);
  for (let at = 0; at < result.length; at += rowBytes) {
    const start = Math.floor(random() * block.rows) * rowBytes;
    const middle = start + Math.floor(random() * steps) * stepBytes;
    const end = start + rowBytes;
    result.set(block.bytes.subarray(middle, end), at);
    result.set(block.bytes.subarray(start, middle), at + end - middle);
  }
  return result;
}
