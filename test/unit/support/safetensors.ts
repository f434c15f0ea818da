import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Dtype = 'F32' | 'F16' | 'BF16' | 'I64';

export interface TestTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** F16 bits of the nearest number that F16 holds, for magnitudes below 65520. */
function halfBits(value: number): number {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (magnitude < 2 ** -14) return sign | Math.round(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  // A fraction that rounds up to 1024 carries into the exponent.
  return sign | (((exponent + 15) << 10) + Math.round((magnitude / 2 ** exponent - 1) * 1024));
}

function bfloatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
}

export function encode(values: Float32Array, dtype: Dtype): Buffer {
  if (dtype === 'F32') return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (dtype === 'I64') return Buffer.from(BigInt64Array.from(values, value => BigInt(Math.round(value))).buffer);
  return Buffer.from(Uint16Array.from(values, dtype === 'F16' ? halfBits : bfloatBits).buffer);
}

/** The bytes of a safetensors file; `change` may damage the header before it is written. */
export function safetensors(
  tensors: ReadonlyMap<string, TestTensor>,
  dtype: Dtype | ((name: string) => Dtype),
  change: (header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>) => void = () => {},
): Buffer {
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }> = {};
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    const type = typeof dtype === 'function' ? dtype(name) : dtype;
    const bytes = encode(values, type);
    header[name] = { dtype: type, shape: [...shape], data_offsets: [offset, offset + bytes.length] };
    parts.push(bytes);
    offset += bytes.length;
  }
  change(header);
  const json = Buffer.from(JSON.stringify({ __metadata__: { format: 'pt' }, ...header }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...parts]);
}

/** Writes the tensors in `count` shards with an index, dealt out in turn. */
export function writeShards(
  folder: string,
  tensors: ReadonlyMap<string, TestTensor>,
  dtype: Dtype,
  count: number,
): void {
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < count; shard++) {
    const file = `model-${String(shard + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.safetensors`;
    const mine = new Map([...tensors].filter((_, i) => i % count === shard));
    for (const name of mine.keys()) weightMap[name] = file;
    writeFileSync(join(folder, file), safetensors(mine, dtype));
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: weightMap }));
}
