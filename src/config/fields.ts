/** What a table of fields is made of: one line per field says its kind and its default; names in JSON follow from the name. */
import { Dict, floatOf, fromPlain, IntDict, type JsonObject, type PythonValue } from './python-json.js';

/** One field of a configuration with values of type V. */
export interface Field<V> {
  /** What its value must be, in words: "… must be <rule>". */
  readonly rule: string;
  /** undefined = the field is not there unless it is given. */
  readonly default: PythonValue | undefined;
  readonly allows: (value: unknown) => value is V;
  /** Where JavaScript's value is not enough to know Python's (1 or 1.0). */
  readonly toPython?: (value: unknown, where: string) => PythonValue;
  /** One form for what can be written in several. */
  readonly normalize?: (value: PythonValue) => PythonValue;
  /** Name in JSON, where it is not simply the snake_case one. */
  readonly json?: string;
}

/** A field that follows from others and cannot be given. */
export interface DerivedField<V> extends Field<V> {
  readonly derived: string;
}

export type FieldTable = Readonly<Record<string, Field<unknown>>>;
/** Holds for every table, also for one that is an interface. */
export type TableOf<Table> = Readonly<Record<keyof Table, Field<unknown>>>;

/** The properties of an instance. */
export type FieldValues<Table> = { readonly [Name in keyof Table]: Table[Name] extends Field<infer V> ? V : never };

/** What a constructor takes: every field that is not derived, all optional. */
export type FieldInit<Table> = {
  readonly [Name in keyof Table as Table[Name] extends DerivedField<unknown> ? never : Name]?:
    | (Table[Name] extends Field<infer V> ? V : never)
    | undefined;
};

/** `hiddenSize` is `hidden_size`; `id2label` stays. */
export const jsonName = (name: string, field: Field<unknown>): string =>
  field.json ?? name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);

const field = <V>(
  rule: string,
  fallback: PythonValue | undefined,
  allows: (value: unknown) => boolean,
  conversions: Pick<Field<V>, 'toPython' | 'normalize'> = {},
): Field<V> => ({ rule, default: fallback, allows: allows as Field<V>['allows'], ...conversions });

const isWhole = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;
const isReal = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isListOf = (value: unknown, allows: (element: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(allows);
const isMap = (value: unknown, allows: (element: unknown) => boolean): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(allows);
const isTokenId = (value: unknown): boolean => isWhole(value, -1);
const orNull = (allows: (value: unknown) => boolean) => (value: unknown) => value === null || allows(value);

const realToPython = (value: unknown, where: string): PythonValue =>
  isReal(value) ? floatOf(value) : fromPlain(value, where);
const real = (rule: string, fallback: number, allows: (value: number) => boolean): Field<number> =>
  field(rule, floatOf(fallback), value => isReal(value) && allows(value), { toPython: realToPython });

/** A dimension: at least 1. */
export const size = (fallback: number): Field<number> =>
  field('a whole number from 1 on', fallback, value => isWhole(value, 1));
/** A number of things, 0 included. */
export const count = (fallback: number): Field<number> =>
  field('a whole number from 0 on', fallback, value => isWhole(value, 0));
export const countOrNull: Field<number | null> = field(
  'a whole number from 0 on, or null',
  null,
  orNull(value => isWhole(value, 0)),
);
/** A float of any size. */
export const number = (fallback: number): Field<number> => real('a finite number', fallback, () => true);
export const positive = (fallback: number): Field<number> => real('a number above 0', fallback, value => value > 0);
/** An epsilon or a deviation: 0 is possible. */
export const notNegative = (fallback: number): Field<number> =>
  real('a number from 0 on', fallback, value => value >= 0);
/** A probability. */
export const rate = (fallback: number): Field<number> =>
  real('a number from 0 to 1', fallback, value => value >= 0 && value <= 1);
export const flag = (fallback: boolean): Field<boolean> =>
  field('true or false', fallback, value => typeof value === 'boolean');
export const text = (fallback: string): Field<string> => field('a text', fallback, isText);
export const textOrNull = (fallback: string | null): Field<string | null> =>
  field('a text or null', fallback, orNull(isText));
export const textsOrNull: Field<readonly string[] | null> = field(
  'a list of texts, or null',
  null,
  orNull(value => isListOf(value, isText)),
);

/** An id of the vocabulary; null = none, and so is -1, by old custom. */
export const tokenId = (fallback: number | null): Field<number | null> =>
  field('a token id, -1 or null', fallback, orNull(isTokenId));
export const tokenIdOrIds = (fallback: number | null): Field<number | readonly number[] | null> =>
  field(
    'a token id, a list of them, -1 or null',
    fallback,
    orNull(value => isTokenId(value) || isListOf(value, isTokenId)),
  );
export const tokenIdsOrNull: Field<readonly number[] | null> = field(
  'a list of token ids, or null',
  null,
  orNull(value => isListOf(value, isTokenId)),
);
export const tokenSequencesOrNull: Field<readonly (readonly number[])[] | null> = field(
  'a list of lists of token ids, or null',
  null,
  orNull(value => isListOf(value, sequence => isListOf(sequence, isTokenId))),
);
export const stopRule: Field<boolean | 'never'> = field(
  "true, false or 'never'",
  false,
  value => typeof value === 'boolean' || value === 'never',
);
export const decay: Field<readonly [start: number, factor: number] | null> = field(
  'a pair of start (a whole number) and factor, or null',
  null,
  orNull(value => Array.isArray(value) && value.length === 2 && isWhole(value[0], 0) && isReal(value[1])),
  {
    toPython: (value, where) =>
      Array.isArray(value)
        ? value.map((element: unknown, i) => (i === 1 ? realToPython : fromPlain)(element, where))
        : fromPlain(value, where),
  },
);
export const objectOrNull: Field<JsonObject | null> = field(
  'an object or null',
  null,
  orNull(value => isMap(value, () => true)),
);
/** One of a few texts, or null. */
export const choiceOrNull = <T extends string>(...choices: readonly T[]): Field<T | null> =>
  field(
    `${choices.map(choice => `'${choice}'`).join(', ')} or null`,
    null,
    orNull(value => choices.includes(value as T)),
  );

const isInt = (key: string): boolean => /^-?[0-9]+$/.test(key);
const isIntMap = (value: unknown, allows: (element: unknown) => boolean): boolean =>
  isMap(value, allows) && Object.keys(value as object).every(isInt);
/** Python reads such keys by `int`: '007' is 7. */
const withIntKeys = (value: PythonValue): PythonValue =>
  value instanceof Map && [...value.keys()].every(isInt)
    ? new IntDict([...value].map(([key, element]) => [String(BigInt(key)), element]))
    : value;
/** Without labels there are numbered ones: no default here. */
export const labels: Field<Readonly<Record<number, string>>> = field(
  'an object from whole numbers to texts',
  null,
  value => isIntMap(value, isText),
  { normalize: withIntKeys },
);
export const labelIds: Field<Readonly<Record<string, number>> | null> = field(
  'an object from texts to whole numbers, or null',
  null,
  orNull(value => isMap(value, element => isWhole(element, Number.MIN_SAFE_INTEGER))),
);
export const prunedHeads: Field<Readonly<Record<number, readonly number[]>>> = field(
  'an object from layers to lists of heads',
  new IntDict(),
  value => isIntMap(value, heads => isListOf(heads, head => isWhole(head, 0))),
  { normalize: withIntKeys },
);

/** How LLaMA's positions are stretched beyond the length of its training. */
export interface RopeScaling {
  readonly type: 'linear' | 'dynamic';
  /** Above 1. */
  readonly factor: number;
}
const isRopeScaling = (value: unknown): boolean => {
  if (!isMap(value, () => true) || Object.keys(value as object).length !== 2) return false;
  const { type, factor } = value as Partial<RopeScaling>;
  return (type === 'linear' || type === 'dynamic') && isReal(factor) && factor > 1;
};
/** transformers refuses an int, which JavaScript cannot tell from a float: 2 is written as 2.0. */
const withFloatFactor = (value: PythonValue): PythonValue => {
  const factor = value instanceof Map ? value.get('factor') : undefined;
  if (!(value instanceof Map) || typeof factor !== 'number') return value;
  return new Dict([...value]).set('factor', floatOf(factor));
};
export const ropeScaling: Field<RopeScaling | null> = field(
  "an object { type: 'linear' or 'dynamic', factor: a number above 1 } and nothing else, or null",
  null,
  orNull(isRopeScaling),
  { normalize: withFloatFactor },
);

/** PyTorch's types of numbers, by its second names. */
const DTYPE_NAMES: Readonly<Record<string, string>> = {
  half: 'float16',
  float: 'float32',
  double: 'float64',
  short: 'int16',
  int: 'int32',
  long: 'int64',
  cfloat: 'complex64',
  cdouble: 'complex128',
};
const DTYPES = [...Object.values(DTYPE_NAMES), 'bfloat16', 'int8', 'uint8', 'bool'];
export const dtypeOrNull: Field<string | null> = field(
  `a type of PyTorch (${DTYPES.join(', ')}) or null`,
  null,
  orNull(value => DTYPES.includes(value as string)),
  {
    normalize: value => (typeof value === 'string' && Object.hasOwn(DTYPE_NAMES, value) ? DTYPE_NAMES[value]! : value),
  },
);

/** A field that others decide; `how` says which. */
export const derived = <V>(base: Field<V>, how: string): DerivedField<V> => ({ ...base, derived: how });
/** A field that is only there when it is given. */
export const optional = <V>(base: Field<V>): Field<V | undefined> => ({
  ...base,
  default: undefined,
  allows: (value): value is V | undefined => value === undefined || base.allows(value),
});
/** Another name in JSON. */
export const named = <V>(json: string, base: Field<V>): Field<V> => ({ ...base, json });

/** `fail(name, rule)` throws. */
export type Fail = (name: string, rule: string) => never;

/** The heads share the width evenly. */
export function checkHeads(values: Readonly<Record<string, unknown>>, fail: Fail): void {
  const { hiddenSize, numAttentionHeads } = values;
  if (Number(hiddenSize) % Number(numAttentionHeads) !== 0)
    fail('numAttentionHeads', `a divisor of hiddenSize (${hiddenSize})`);
}
