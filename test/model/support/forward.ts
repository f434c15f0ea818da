import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Tensor } from '../../../src/tensor.js';
import type { StoredTensor } from './parity.js';

/** A tensor of forward.py. */
export interface StoredOutput extends StoredTensor {
  /** Product with numbers that `spread` makes. */
  readonly dot: number;
}
export type StoredOutputs = Readonly<Record<string, StoredOutput>>;
type Ids = number[][];

export interface VisionCase {
  readonly dims: number[];
  readonly outputs: StoredOutputs;
}
export interface QFormerCase {
  readonly name: string;
  readonly inputIds: Ids | null;
  /** Q + T. */
  readonly rows: number;
  readonly masks: boolean;
  /** false: the model's own, or none where there is only text. */
  readonly queryEmbeds: boolean;
  readonly outputs: StoredOutputs;
}
export interface ModelCase {
  readonly name: string;
  readonly pictures: number[];
  readonly ids: Record<string, Ids>;
  readonly labels: Ids;
  readonly labelled: StoredOutputs;
  readonly outputs: StoredOutputs;
}
export interface ForwardReference {
  readonly weightsSha256: string;
  readonly vision: VisionCase[];
  readonly qformer: QFormerCase[];
  readonly model: ModelCase[];
}

/** What test/reference/forward.py writes, by checkpoint. */
export const readForward = (): Readonly<Record<string, ForwardReference>> =>
  JSON.parse(gunzipSync(readFileSync('test/fixtures/parity/forward.json.gz')).toString()).checkpoints;

/** Numbers in -1..1 that forward.py makes as well. */
const spread = (i: number): number => (Math.imul(i, 0x9e3779b1) >>> 0) / 2 ** 31 - 1;

export const randomTensor = (dims: readonly number[]): Tensor<Float32Array> => {
  const size = dims.reduce((product, length) => product * length, 1);
  return new Tensor(
    Float32Array.from({ length: size }, (_, i) => 2 * spread(i)),
    dims,
  );
};

export const ints = (rows: Ids): Tensor<Int32Array> =>
  new Tensor(Int32Array.from(rows.flat()), [rows.length, rows[0]!.length]);

/** All ones but the second value of the first row and the last of the last. */
export const maskWithHoles = (batch: number, length: number): Tensor<Int32Array> => {
  const data = new Int32Array(batch * length).fill(1);
  data[1] = 0;
  data[data.length - 1] = 0;
  return new Tensor(data, [batch, length]);
};

/** Every tensor of nested outputs, by its path; a number counts as a tensor without dimensions. */
export function flatten(outputs: unknown, prefix = ''): Record<string, Tensor<Float32Array>> {
  if (outputs instanceof Tensor) return { [prefix]: outputs as Tensor<Float32Array> };
  if (typeof outputs === 'number') return { [prefix]: new Tensor(Float32Array.of(outputs), []) };
  const inner = Object.entries(outputs as object).map(([name, value]) =>
    flatten(value, prefix === '' ? name : `${prefix}.${name}`),
  );
  return Object.assign({}, ...inner);
}

/** Largest error relative to the reference's scale: of the values that it keeps, of the norm, and of the product with `spread`. */
function errorOf({ data }: Tensor<Float32Array>, wanted: StoredOutput): number {
  const expected = new Float32Array(Uint8Array.from(Buffer.from(wanted.data, 'base64')).buffer);
  let [difference, squares, dot] = [0, 0, 0];
  for (const [i, value] of expected.entries()) {
    const distance = Math.abs(data[i * wanted.every]! - value);
    if (!(distance <= difference)) difference = distance;
  }
  for (const [i, value] of data.entries()) {
    squares += value * value;
    dot += value * spread(i);
  }
  const errors = [
    difference / wanted.largest,
    Math.abs(Math.sqrt(squares) - wanted.norm) / wanted.norm,
    Math.abs(dot - wanted.dot) / wanted.norm,
  ];
  return errors.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...errors);
}

/** Names, shapes and numbers of all outputs: what differs, and the largest error. */
export function compare(outputs: unknown, wanted: StoredOutputs): { names: string[]; shapes: unknown; worst: number } {
  const found = flatten(outputs);
  const names = Object.keys(wanted).sort();
  const shapes = Object.fromEntries(names.map(name => [name, found[name]?.dims]));
  const worst = Math.max(...names.map(name => (found[name] ? errorOf(found[name], wanted[name]!) : 0)));
  return { names: Object.keys(found).sort(), shapes, worst };
}

export const shapesOf = (wanted: StoredOutputs): unknown =>
  Object.fromEntries(Object.entries(wanted).map(([name, { shape }]) => [name, shape]));

/** Every name and shape is the reference's, and every number within `tolerance`. */
export function expectOutputs(outputs: unknown, wanted: StoredOutputs, tolerance: number): void {
  const { names, shapes, worst } = compare(outputs, wanted);
  expect(names).toEqual(Object.keys(wanted).sort());
  expect(shapes).toEqual(shapesOf(wanted));
  expect(worst).toBeLessThan(tolerance);
}
