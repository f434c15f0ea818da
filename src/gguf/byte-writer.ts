import type { GgufValueType } from '../native/addon.js';

const SCALAR_BYTES = { u8: 1, i8: 1, bool: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, u64: 8, i64: 8, f64: 8 } as const;

/** A growing little-endian buffer. */
export class ByteWriter {
  private buffer = Buffer.alloc(1 << 16);
  private length = 0;

  /** Makes room. It may replace `buffer`, so it comes before `buffer` is looked at. */
  private take(size: number): number {
    if (this.length + size > this.buffer.length) {
      const larger = Buffer.alloc(Math.max(this.buffer.length * 2, this.length + size));
      this.buffer.copy(larger);
      this.buffer = larger;
    }
    const at = this.length;
    this.length += size;
    return at;
  }

  u32(value: number): void {
    const at = this.take(4);
    this.buffer.writeUInt32LE(value, at);
  }

  u64(value: number): void {
    const at = this.take(8);
    this.buffer.writeBigUInt64LE(BigInt(value), at);
  }

  string(value: string): void {
    const size = Buffer.byteLength(value);
    this.u64(size);
    const at = this.take(size);
    this.buffer.write(value, at);
  }

  bytes(value: Uint8Array): void {
    const at = this.take(value.length);
    this.buffer.set(value, at);
  }

  scalar(type: GgufValueType, value: string | number | boolean): void {
    if (type === 'string') {
      this.string(String(value));
      return;
    }
    const at = this.take(SCALAR_BYTES[type as keyof typeof SCALAR_BYTES]);
    const buffer = this.buffer;
    const number = Number(value);
    if (type === 'u8' || type === 'bool') buffer.writeUInt8(number, at);
    else if (type === 'i8') buffer.writeInt8(number, at);
    else if (type === 'u16') buffer.writeUInt16LE(number, at);
    else if (type === 'i16') buffer.writeInt16LE(number, at);
    else if (type === 'u32') buffer.writeUInt32LE(number, at);
    else if (type === 'i32') buffer.writeInt32LE(number, at);
    else if (type === 'f32') buffer.writeFloatLE(number, at);
    else if (type === 'u64') buffer.writeBigUInt64LE(BigInt(number), at);
    else if (type === 'i64') buffer.writeBigInt64LE(BigInt(number), at);
    else buffer.writeDoubleLE(number, at);
  }

  finish(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  get size(): number {
    return this.length;
  }
}
