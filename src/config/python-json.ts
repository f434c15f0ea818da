/**
 * JSON as Python's `json` knows it. Python tells 1 from 1.0 and has whole numbers of any size, so a file that is read and written again must keep both,
 * or it is not the file that transformers would write.
 */
import { ConfigError } from '../errors.js';

/** A JSON value of unknown content. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** A JSON object of unknown content. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** A float without a fraction. Every other JavaScript number says by its value whether it is an int or a float. */
export class Float {
  constructor(readonly value: number) {}
}

/** A dict; its keys are strings. */
export class Dict extends Map<string, PythonValue> {}
/** A dict whose keys are ints: JSON has them as strings, but they sort as numbers. */
export class IntDict extends Dict {}

export type PythonValue = null | boolean | number | bigint | Float | string | readonly PythonValue[] | Dict;

/** Deeper is a loop or an attack. */
const MOST_LEVELS = 100;

const deep = (where: string): ConfigError =>
  new ConfigError('CONFIG_INVALID', `${where} is nested in itself, or deeper than ${MOST_LEVELS} levels`);

/** @throws CONFIG_INVALID at more than the levels that are allowed */
export function checkLevel(level: number, where: string): void {
  if (level > MOST_LEVELS) throw deep(where);
}

/** JavaScript's view. */
export function toPlain(value: PythonValue): JsonValue {
  if (value instanceof Float) return value.value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, element]) => [key, toPlain(element)]));
  if (Array.isArray(value)) return value.map(toPlain);
  return value as null | boolean | number | string;
}

const notJson = (where: string): ConfigError =>
  new ConfigError('CONFIG_INVALID', `${where} holds a value that JSON does not have (a function, a symbol, a class)`);

/** No instance of a class. A plain object of another realm (a worker, a test's sandbox) has another Object.prototype, but that one has no prototype either. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Properties that are undefined are not there; an object with `toJSON` stands for what that returns. */
function dictOf(object: object, where: string, level: number): PythonValue {
  if ('toJSON' in object && typeof object.toJSON === 'function')
    return fromPlain(object.toJSON() as unknown, where, level + 1);
  if (!isPlainObject(object)) throw notJson(where);
  const entries = Object.entries(object).filter(([, element]) => element !== undefined);
  return new Dict(entries.map(([key, element]) => [key, fromPlain(element, `${where}.${key}`, level + 1)]));
}

/** Whole numbers become ints. @throws CONFIG_INVALID for what is not JSON, naming the place */
export function fromPlain(value: unknown, where: string, level = 0): PythonValue {
  checkLevel(level, where);
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value;
  if (Array.isArray(value)) return value.map((element, i) => fromPlain(element, `${where}[${i}]`, level + 1));
  if (typeof value === 'object') return dictOf(value, where, level);
  throw notJson(where);
}

/** A number as Python's `float`. */
export const floatOf = (value: number): number | Float => (Number.isInteger(value) ? new Float(value) : value);

const numberOf = (value: PythonValue): number | bigint | undefined => {
  if (value instanceof Float) return value.value;
  if (typeof value === 'boolean') return Number(value);
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined;
};

const dictsEqual = (a: Dict, b: Dict): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.has(key) && pythonEquals(value, b.get(key)!));

/** Python's `==`: 1 == 1.0 == True; NaN equals nothing. */
export function pythonEquals(a: PythonValue, b: PythonValue): boolean {
  const [x, y] = [numberOf(a), numberOf(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: a number may equal a bigint
  if (x !== undefined && y !== undefined) return x == y;
  if (a instanceof Map && b instanceof Map) return dictsEqual(a, b);
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((element, i) => pythonEquals(element, b[i]));
  return a === b;
}
