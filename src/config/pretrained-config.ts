/** What all configuration classes share: building, checking, JSON both ways, folders. A class itself is a table of fields and a few rules (`configClass`). */

import { shown } from '../generation/validate-options.js';
import { COMMON_FIELDS, type CommonFields } from './common-fields.js';
import { type ConfigSource, readConfigJson, saveConfigText } from './config-files.js';
import { type Field, type FieldInit, type FieldTable, type FieldValues, jsonName, type TableOf } from './fields.js';
import {
  type ConfigSpec,
  deriveCommon,
  failField,
  GIVEN,
  givenByInit,
  givenByJson,
  invalid,
  mergeGiven,
  snakeCase,
} from './given-values.js';
import { parsePythonJson } from './parse-python-json.js';
import { Dict, fromPlain, type JsonObject, type PythonValue, pythonEquals, toPlain } from './python-json.js';
import { sortedKeys, writePythonJson } from './write-python-json.js';

/** The format that is written is that of this version of transformers, which writes its own number. */
const FORMAT_VERSION = '4.34.0';

/** Values of transformers' `PretrainedConfig()`: what is equal to these is not written, unless the class has another default. */
const COMMON_DEFAULTS = (() => {
  const values = new Dict(
    Object.entries(COMMON_FIELDS).map(([name, field]) => [jsonName(name, field), field.default!]),
  );
  deriveCommon('PretrainedConfig', values);
  return values;
})();

type ConfigConstructor<Config> = new (...args: never[]) => Config;

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const element of Object.values(value)) frozen(element);
  return Object.freeze(value);
}

function parseText(className: string, text: string): PythonValue {
  try {
    return parsePythonJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`${className}: the text is not JSON: ${error.message}`);
    throw error;
  }
}

/** Base of all configurations: values that never change, with transformers' names, defaults and JSON. */
export abstract class PretrainedConfig<Init = object> {
  /** Fields of the JSON that this class does not know, by their names there. They are kept and written. */
  declare readonly extra: JsonObject;
  readonly #spec: ConfigSpec;
  /** All that is written, by JSON name, without the parts. */
  readonly #values: Dict;
  readonly #parts: ReadonlyMap<string, PretrainedConfig>;

  /** @internal */
  protected constructor(spec: ConfigSpec, init: unknown) {
    this.#spec = spec;
    const className = this.constructor.name;
    const given = init instanceof Dict ? givenByJson(className, spec, init) : givenByInit(className, spec, init);
    GIVEN.set(this, given);
    const rest = new Dict(given);
    const parts = this.#buildParts(rest);
    deriveCommon(className, rest);
    spec.derive?.(rest, parts);
    this.#values = this.#takeFields(rest);
    this.#parts = new Map(Object.entries(parts).map(([name, part]) => [snakeCase(name), part]));
    const fields = Object.entries(spec.fields).map(([name, field]) => [name, this.#values.get(jsonName(name, field))]);
    const plain = fields.map(([name, value]) => [name, value === undefined ? value : toPlain(value as PythonValue)]);
    const values = frozen(Object.fromEntries(plain) as Record<string, unknown>);
    for (const [name, value] of rest) this.#values.set(name, value);
    Object.assign(this, { modelType: spec.modelType }, parts, values, { extra: frozen(toPlain(rest)) });
    spec.check?.({ ...values, ...parts }, (name, rule) => this.#fail(name, values[name], rule));
    if (!(init instanceof Dict)) this.#checkDerived(init as object, values);
    Object.freeze(this);
  }

  #fail(name: string, value: unknown, rule: string): never {
    const field = this.#spec.fields[name];
    return failField(this.constructor.name, name, field ? jsonName(name, field) : snakeCase(name), value, rule);
  }

  /** Takes the parts out of `rest`. */
  #buildParts(rest: Dict): Record<string, PretrainedConfig> {
    const parts: Record<string, PretrainedConfig> = {};
    for (const [name, classOf] of Object.entries(this.#spec.parts ?? {})) {
      const value = rest.get(snakeCase(name)) ?? new Dict();
      rest.delete(snakeCase(name));
      if (!(value instanceof Dict)) return this.#fail(name, toPlain(value), 'an object of fields');
      parts[name] = new (classOf(value.get('model_type')))(value as never) as PretrainedConfig;
    }
    return parts;
  }

  /** Takes the fields out of `rest`, checked, with defaults where there is none. */
  #takeFields(rest: Dict): Dict {
    const values = new Dict();
    for (const [name, field] of Object.entries(this.#spec.fields)) {
      const json = jsonName(name, field);
      const given = rest.has(json) ? rest.get(json) : field.default;
      rest.delete(json);
      if (given === undefined) continue;
      const value = field.normalize ? field.normalize(given) : given;
      const plain = toPlain(value);
      if (!field.allows(plain)) this.#fail(name, plain, field.rule);
      values.set(json, value);
    }
    return values;
  }

  /** A derived value may be given, so that `{ ...config }` can be, but not another one: it would be lost without a word. */
  #checkDerived(init: object, values: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(init)) {
      const field = this.#spec.fields[name];
      if (value === undefined || !field || !('derived' in field) || Object.is(value, values[name])) continue;
      this.#fail(name, value, `${String(values[name])}, or left out: it is ${field.derived}`);
    }
  }

  /** Number of labels of a classifier. */
  get numLabels(): number {
    return Object.keys((this as unknown as { id2label: object }).id2label).length;
  }

  /**
   * A new configuration with these fields changed. What was not given when this one was made follows anew: `numKeyValueHeads` follows `numAttentionHeads`.
   * @throws ConfigError
   */
  with(changes: Init): this {
    const second = givenByInit(this.constructor.name, this.#spec, changes);
    const replacesExtra = (changes as { extra?: unknown }).extra !== undefined;
    return this.#create(mergeGiven(this.#spec, GIVEN.get(this)!, second, replacesExtra));
  }

  #create(given: Dict): this {
    return new (this.constructor as new (init: Dict) => this)(given);
  }

  #all(): Dict {
    const parts = [...this.#parts].map(([name, part]): [string, PythonValue] => [name, part.#all()]);
    return new Dict([...this.#values, ...parts, ['model_type', this.#spec.modelType]]);
  }

  /** transformers' `to_diff_dict`: what differs from `PretrainedConfig()` or from the class's own default. */
  #difference(): Dict {
    const own = this.#create(new Dict()).#all();
    const isDefault = (name: string, value: PythonValue): boolean =>
      COMMON_DEFAULTS.has(name) &&
      pythonEquals(value, COMMON_DEFAULTS.get(name)!) &&
      (!own.has(name) || pythonEquals(value, own.get(name)!));
    const result = new Dict();
    for (const [name, value] of this.#all()) {
      const part = this.#parts.get(name);
      if (part) result.set(name, part.#differenceInside(own.get(name) as Dict));
      else if (!isDefault(name, value)) result.set(name, value);
    }
    return result.set('transformers_version', FORMAT_VERSION);
  }

  /** As a part: what differs from the part that the whole has by default, or from this class's default. */
  #differenceInside(usual: Dict): Dict {
    const own = this.#create(new Dict()).#all();
    const same = (defaults: Dict, name: string, value: PythonValue): boolean =>
      defaults.has(name) && pythonEquals(value, defaults.get(name)!);
    const differs = ([name, value]: [string, PythonValue]) =>
      name === 'model_type' || !same(usual, name, value) || !same(own, name, value);
    return new Dict([...this.#all()].filter(differs));
  }

  #sorted(dict: Dict): JsonObject {
    return toPlain(new Dict(sortedKeys(dict).map(name => [name, dict.get(name)!]))) as JsonObject;
  }

  /** What differs from the defaults, by JSON names: the object of transformers' `to_json_string()`. JSON.stringify calls it. */
  toJSON(): JsonObject {
    return this.#sorted(this.#difference());
  }

  /** All values by JSON names: transformers' `to_dict()`. */
  toDict(): JsonObject {
    return this.#sorted(this.#all().set('transformers_version', FORMAT_VERSION));
  }

  /**
   * The text of `config.json`, byte for byte as transformers 4.34 writes it (`to_json_string`), with its version number: that is the format.
   * @param options.useDiff false = all values, those that are defaults too
   */
  toJsonString(options: { readonly useDiff?: boolean } = {}): string {
    const all = () => this.#all().set('transformers_version', FORMAT_VERSION);
    return `${writePythonJson(options.useDiff === false ? all() : this.#difference())}\n`;
  }

  /** Writes `config.json` into a folder, which is made where there is none: complete or not at all. @throws OUTPUT_WRITE_FAILED */
  async savePretrained(folder: string): Promise<void> {
    await saveConfigText(folder, this.toJsonString());
  }

  /**
   * Reads JSON of transformers: text, or an object. Text is better where it is to be written again: it still tells 1 from 1.0.
   * @throws ConfigError
   */
  static fromJSON<Config>(this: ConfigConstructor<Config>, json: string | object): Config {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on
    const Class = this as unknown as (new (init: Dict) => Config) & ConfigSource;
    const value = typeof json === 'string' ? parseText(Class.name, json) : fromPlain(json, Class.name);
    if (value instanceof Dict) return new Class(value);
    throw invalid(`${Class.name} is read from a JSON object, but got ${shown(toPlain(value))}`);
  }

  /**
   * Reads `config.json` of a folder, or the file itself. The configuration of a part is also found in that of the whole model.
   * @throws ConfigError; CHECKPOINT_NOT_FOUND and CHECKPOINT_INVALID when there is no such file or it is not JSON
   */
  static async fromPretrained<Config>(this: ConfigConstructor<Config>, folder: string): Promise<Config> {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on
    const Class = this as unknown as (new (init: Dict) => Config) & ConfigSource;
    return new Class(await readConfigJson(folder, Class));
  }
}

/** What every constructor takes besides fields. */
export interface OtherInit {
  /** Makes `id2label` and `label2id`. */
  readonly numLabels?: number | undefined;
  /** Fields that the class does not know, by their JSON names. */
  readonly extra?: JsonObject | undefined;
}

/** What a constructor takes: fields, the number of labels as a short form, and fields that the class does not know. */
export type ConfigInit<Table> = Omit<FieldInit<CommonFields>, keyof Table> & FieldInit<Table> & OtherInit;

/** The properties of an instance. */
export type ConfigValues<Type extends string, Table> = Omit<FieldValues<CommonFields>, keyof Table> &
  FieldValues<Table> & {
    /** The kind of configuration, `model_type` in JSON. */
    readonly modelType: Type;
  };

/** The constructor that `configClass` makes. */
export interface ConfigClass<Type extends string, Init, Values> {
  new (init?: Init & { readonly modelType?: Type | undefined }): PretrainedConfig<Init> & Values;
  fromJSON: typeof PretrainedConfig.fromJSON;
  fromPretrained: typeof PretrainedConfig.fromPretrained;
  /** `model_type` in JSON. */
  readonly modelType: Type;
}

/**
 * A class from a table of fields.
 * @param place the name of this part in a whole model's JSON
 */
export function configClass<Type extends string, Table extends TableOf<Table>, Parts = unknown, InitParts = unknown>(
  spec: Omit<ConfigSpec<Type>, 'fields'> & { readonly fields: Table; readonly place?: string },
): ConfigClass<Type, ConfigInit<Table> & InitParts, ConfigValues<Type, Table> & Parts> {
  const fields = Object.entries<Field<unknown>>({ ...COMMON_FIELDS, ...spec.fields });
  const named = fields.map(([name, field]) => [name, { ...field, json: jsonName(name, field) }]);
  const complete: ConfigSpec<Type> = { ...spec, fields: Object.fromEntries(named) as FieldTable };
  class Config extends PretrainedConfig {
    static readonly modelType = spec.modelType;
    /** @internal */
    static readonly place = spec.place;
    constructor(init: unknown = {}) {
      super(complete, init);
    }
  }
  return Config as unknown as ConfigClass<Type, ConfigInit<Table> & InitParts, ConfigValues<Type, Table> & Parts>;
}
