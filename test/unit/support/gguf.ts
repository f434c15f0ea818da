import { readFileSync } from 'node:fs';

/** A GGUF file as a test sees it: read by a second, simple reader, so that writer and native reader cannot agree on a mistake. */
export interface TestGguf {
  readonly metadata: ReadonlyMap<string, unknown>;
  /** By name: ggml type number, PyTorch-order shape, bytes. */
  readonly tensors: ReadonlyMap<string, { type: number; shape: number[]; bytes: Buffer; offset: number }>;
}

const ROW_BYTES: Readonly<Record<number, [number, number]>> = {
  0: [1, 4],
  1: [1, 2],
  30: [1, 2],
  2: [32, 18],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
};

class Reader {
  private at = 0;
  constructor(private readonly buffer: Buffer) {}

  get position(): number {
    return this.at;
  }

  bytes(count: number): Buffer {
    this.at += count;
    return this.buffer.subarray(this.at - count, this.at);
  }
  u32 = () => this.bytes(4).readUInt32LE();
  u64 = () => Number(this.bytes(8).readBigUInt64LE());
  string = () => this.bytes(this.u64()).toString('utf8');

  value(type: number): unknown {
    if (type === 0) return this.bytes(1).readUInt8();
    if (type === 4) return this.u32();
    if (type === 5) return this.bytes(4).readInt32LE();
    if (type === 6) return this.bytes(4).readFloatLE();
    if (type === 7) return this.bytes(1).readUInt8() === 1;
    if (type === 8) return this.string();
    if (type === 12) return this.bytes(8).readDoubleLE();
    if (type !== 9) throw new Error(`value type ${type}`);
    const element = this.u32();
    return Array.from({ length: this.u64() }, () => this.value(element));
  }
}

export function readTestGguf(path: string): TestGguf {
  const buffer = readFileSync(path);
  const reader = new Reader(buffer);
  if (reader.bytes(4).toString() !== 'GGUF' || reader.u32() !== 3) throw new Error('not GGUF 3');
  const tensorCount = reader.u64();
  const metadata = new Map(Array.from({ length: reader.u64() }, () => [reader.string(), reader.value(reader.u32())]));
  const infos = Array.from({ length: tensorCount }, () => {
    const name = reader.string();
    const shape = Array.from({ length: reader.u32() }, () => reader.u64()).reverse();
    return { name, shape, type: reader.u32(), offset: reader.u64() };
  });
  const start = Math.ceil(reader.position / 32) * 32;
  const tensors = new Map(
    infos.map(({ name, shape, type, offset }) => {
      const [block, size] = ROW_BYTES[type]!;
      const length = (shape.reduce((product, dim) => product * dim, 1) / block) * size;
      const bytes = buffer.subarray(start + offset, start + offset + length);
      if (bytes.length !== length || offset % 32 !== 0)
        throw new Error(`tensor ${name} is outside of the file or unaligned`);
      return [name, { type, shape, bytes, offset }];
    }),
  );
  return { metadata, tensors };
}

/** Values of an F32 tensor. */
export function floatsOf(gguf: TestGguf, name: string): Float32Array {
  const { bytes, type } = gguf.tensors.get(name)!;
  if (type !== 0) throw new Error(`${name} is not F32`);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
