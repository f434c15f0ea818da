import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createError } from '../errors.js';

/** A JSON object of unknown content. */
export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Text of a file, or undefined where there is none. @throws CHECKPOINT_INVALID when it cannot be read */
export async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw createError('CHECKPOINT_INVALID', `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** A JSON object from a file, or undefined where there is none. @throws CHECKPOINT_INVALID */
export async function readJson(path: string): Promise<JsonObject | undefined> {
  const bytes = await readOptional(path);
  if (!bytes) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw createError('CHECKPOINT_INVALID', `${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (!isObject(value)) throw createError('CHECKPOINT_INVALID', `${path} does not hold a JSON object`);
  return value;
}

/** Reads fields of one JSON object; a field of a wrong type or range throws CHECKPOINT_INVALID naming it. A missing or null field has the default. */
export class Fields {
  constructor(
    readonly where: string,
    readonly object: JsonObject,
  ) {}

  static of(path: string, object: JsonObject): Fields {
    return new Fields(basename(path), object);
  }

  private get(name: string): unknown {
    return this.object[name] ?? undefined;
  }

  fail(name: string, requirement: string): never {
    const value = JSON.stringify(this.object[name]);
    throw createError('CHECKPOINT_INVALID', `${this.where}: ${name} is ${value}; it must be ${requirement}`);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** A positive integer of at most `most`. */
  count(name: string, fallback: number, most = 0x7fffffff): number {
    const value = this.get(name) ?? fallback;
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most)
      this.fail(name, most === 0x7fffffff ? 'a positive whole number' : `a whole number from 1 to ${most}`);
    return value as number;
  }

  positive(name: string, fallback: number): number {
    const value = this.get(name) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) this.fail(name, 'a positive number');
    return value;
  }

  /** Of a norm: as an F32, as the file has it. */
  epsilon(name: string, fallback: number): number {
    const value = this.get(name) ?? fallback;
    if (typeof value !== 'number' || !(Math.fround(value) > 0 && value <= 1))
      this.fail(name, 'a number above 0 (as F32), at most 1');
    return value;
  }

  bool(name: string, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value !== 'boolean') this.fail(name, 'true or false');
    return value;
  }

  string(name: string, fallback: string): string {
    const value = this.get(name) ?? fallback;
    if (typeof value !== 'string') this.fail(name, 'a string');
    return value;
  }

  /** A token id; -1 = none. */
  tokenId(name: string, fallback: number): number {
    const value = name in this.object ? (this.object[name] ?? -1) : fallback;
    if (!Number.isInteger(value) || (value as number) < -1 || (value as number) > 0x7fffffff)
      this.fail(name, 'a token id');
    return value as number;
  }

  /** One token id or a list of them; null = none. */
  tokenIds(name: string, fallback: readonly number[]): readonly number[] {
    const value = name in this.object ? this.object[name] : fallback;
    const list = value === null ? [] : Array.isArray(value) ? value : [value];
    if (!list.every(id => Number.isInteger(id) && id >= -1 && id <= 0x7fffffff)) this.fail(name, 'token ids');
    return (list as number[]).filter(id => id >= 0);
  }

  /** Three numbers; one number stands for all three. */
  triple(name: string, fallback: readonly number[]): readonly number[] {
    const value = this.get(name) ?? fallback;
    const list = Array.isArray(value) ? value : [value, value, value];
    if (list.length !== 3 || !list.every(number => typeof number === 'number' && Number.isFinite(Math.fround(number))))
      this.fail(name, 'three numbers');
    return list as number[];
  }

  child(name: string): Fields {
    const value = this.get(name) ?? {};
    if (!isObject(value)) this.fail(name, 'an object');
    return new Fields(`${this.where}: ${name}`, value);
  }
}

/** @throws CHECKPOINT_UNSUPPORTED for another activation than the only one that the graph has, which is also the default */
export function checkActivation(fields: Fields, name: string, only: string): void {
  const activation = fields.string(name, only);
  if (activation !== only)
    throw createError(
      'CHECKPOINT_UNSUPPORTED',
      `${fields.where}: ${name} is '${activation}'; only '${only}' is supported`,
    );
}

/** @throws CHECKPOINT_INVALID when the heads do not share the hidden size evenly */
export function checkHeads(fields: Fields, hiddenSize: number, heads: number): void {
  if (hiddenSize % heads !== 0) fields.fail('num_attention_heads', `a divisor of hidden_size (${hiddenSize})`);
}
