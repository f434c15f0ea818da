/** What a configuration is made from: values by their JSON names, out of a constructor's argument or out of JSON. */
import { ConfigError } from '../errors.js';
import { nearestName, shown } from '../generation/validate-options.js';
import { type Fail, type FieldTable, jsonName, labelIds } from './fields.js';
import { Dict, fromPlain, IntDict, isPlainObject, toPlain } from './python-json.js';

/** A class of configurations, as its parts need to know it. */
export type PartClass = new (init: never) => object;

/** One class: what it has and how its values follow from each other. */
export interface ConfigSpec<Type extends string = string> {
  readonly modelType: Type;
  /** Common and own fields. */
  readonly fields: FieldTable;
  /** Second names of fields, in JSON: T5's `hidden_size` is `d_model`. They win, as in transformers, where they are set last. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Fields that are configurations themselves: the class for a model type. */
  readonly parts?: Readonly<Record<string, (modelType: unknown) => PartClass>>;
  /** Fills in what follows from values that are given, or from the parts. */
  readonly derive?: (given: Dict, parts: Record<string, object>) => void;
  /** Rules between fields. */
  readonly check?: (values: Readonly<Record<string, unknown>>, fail: Fail) => void;
}

/** The values that an instance was made from: `with` and the parts begin with them, so that derived values follow. */
export const GIVEN = new WeakMap<object, Dict>();

/** JSON names that say nothing about the model; transformers drops them as well. */
const DROPPED = ['transformers_version', '_commit_hash', '_auto_class', '_flash_attn_2_enabled', 'xla_device'];
/** More labels than any classifier has; a damaged number would fill the memory. */
const MOST_LABELS = 1_000_000;

export const invalid = (message: string): ConfigError => new ConfigError('CONFIG_INVALID', message);

/** "hiddenSize (hidden_size)": both names, as a reader may have either before him. */
const bothNames = (name: string, json: string): string => (name === json ? name : `${name} (${json})`);

/** @throws CONFIG_INVALID with class, names, value and rule */
export function failField(className: string, name: string, json: string, value: unknown, rule: string): never {
  throw invalid(`${className}: ${bothNames(name, json)} is ${shown(value)}; it must be ${rule}`);
}

const camelCase = (json: string): string => json.replace(/(?!^)_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Reads one constructor's argument. */
class InitReader {
  readonly given = new Dict();

  constructor(
    private readonly className: string,
    private readonly spec: ConfigSpec,
  ) {}

  /** @throws CONFIG_INVALID for a name that there is not */
  read(name: string, value: unknown): void {
    const field = this.spec.fields[name];
    const alias = Object.keys(this.spec.aliases ?? {}).find(json => camelCase(json) === name);
    if (field && Object.hasOwn(this.spec.fields, name)) {
      this.given.set(jsonName(name, field), (field.toPython ?? fromPlain)(value, `${this.className}: ${name}`));
    } else if (alias !== undefined) this.given.set(alias, fromPlain(value, `${this.className}: ${name}`));
    else if (this.spec.parts && Object.hasOwn(this.spec.parts, name)) this.readPart(name, value);
    else if (name === 'modelType') this.readModelType(value);
    else if (name === 'numLabels') this.given.set('num_labels', fromPlain(value, `${this.className}: ${name}`));
    else if (name === 'extra') this.readExtra(value);
    else this.failUnknown(name);
  }

  private readModelType(value: unknown): void {
    const { modelType } = this.spec;
    if (value !== modelType) failField(this.className, 'modelType', 'model_type', value, `'${modelType}'`);
  }

  private readPart(name: string, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      failField(this.className, name, snakeCase(name), value, 'a configuration, or an object of its fields');
    const Part = this.spec.parts![name]!((value as { modelType?: unknown }).modelType);
    const given = GIVEN.get(value instanceof Part ? value : new Part(value as never))!;
    const modelType = (value as { modelType?: string }).modelType;
    this.given.set(snakeCase(name), modelType === undefined ? given : new Dict([...given, ['model_type', modelType]]));
  }

  /** Names that this class does not know; for those that it does, there are fields. */
  private readExtra(value: unknown): void {
    const extra = fromPlain(value, `${this.className}: extra`);
    if (!(extra instanceof Dict)) failField(this.className, 'extra', 'extra', value, 'an object');
    for (const [json, element] of extra) {
      if (isKnown(this.spec, json) || DROPPED.includes(json))
        throw invalid(
          `${this.className}: extra holds ${json}, which is no unknown field; give it as ${camelCase(json)}`,
        );
      this.given.set(json, element);
    }
  }

  private failUnknown(name: string): never {
    const known = [...Object.keys(this.spec.fields), ...Object.keys(this.spec.parts ?? {})];
    throw invalid(
      `${this.className} has no field ${shown(name)}; did you mean '${nearestName(name, known)}'? A field that this class does not know can stand in extra, by its JSON name`,
    );
  }
}

export const snakeCase = (name: string): string =>
  jsonName(name, { rule: '', default: null, allows: (_): _ is null => true });

/** Whether the class has a meaning for this JSON name. */
function isKnown(spec: ConfigSpec, json: string): boolean {
  return (
    Object.entries(spec.fields).some(([name, field]) => jsonName(name, field) === json) ||
    Object.keys(spec.parts ?? {}).some(name => snakeCase(name) === json) ||
    Object.hasOwn(spec.aliases ?? {}, json) ||
    ['model_type', 'num_labels', 'name_or_path'].includes(json)
  );
}

/** @throws CONFIG_INVALID */
export function givenByInit(className: string, spec: ConfigSpec, init: unknown): Dict {
  if (!isPlainObject(init) && !(typeof init === 'object' && init !== null && GIVEN.has(init)))
    throw invalid(`${className} takes an object of its fields, but got ${shown(init)}`);
  const reader = new InitReader(className, spec);
  for (const [name, value] of Object.entries(init)) if (value !== undefined) reader.read(name, value);
  return reader.given;
}

/** @throws CONFIG_UNSUPPORTED when it is of another model type */
export function givenByJson(className: string, spec: ConfigSpec, json: Dict): Dict {
  const type = json.get('model_type');
  if (type !== undefined && type !== spec.modelType)
    throw new ConfigError(
      'CONFIG_UNSUPPORTED',
      `model_type is ${shown(toPlain(type))}; ${className} describes '${spec.modelType}'`,
    );
  return new Dict([...json].filter(([name]) => name !== 'model_type' && !DROPPED.includes(name)));
}

/** The first values with the second on top. A value under another name, and labels that no longer fit their number, give way. */
export function mergeGiven(spec: ConfigSpec, first: Dict, second: Dict, replacesExtra: boolean): Dict {
  const merged = new Dict([...first].filter(([json]) => !replacesExtra || isKnown(spec, json)));
  for (const [alias, json] of Object.entries(spec.aliases ?? {})) if (second.has(json)) merged.delete(alias);
  if (second.has('num_labels')) for (const json of ['id2label', 'label2id']) merged.delete(json);
  return new Dict([...merged, ...second]);
}

/** Numbered labels where none are given, as transformers makes them. */
function deriveLabels(className: string, given: Dict): void {
  const labels = given.get('num_labels') ?? 2;
  given.delete('num_labels');
  if ((given.get('id2label') ?? null) !== null) return;
  if (!Number.isInteger(labels) || (labels as number) < 0 || (labels as number) > MOST_LABELS)
    failField(className, 'numLabels', 'num_labels', toPlain(labels), `a whole number from 0 to ${MOST_LABELS}`);
  const ids = given.get('label2id') ?? null;
  if (ids !== null && !(ids instanceof Dict)) failField(className, 'label2id', 'label2id', toPlain(ids), labelIds.rule);
  const numbers = Array.from({ length: labels as number }, (_, i) => i);
  given.set('id2label', new IntDict(numbers.map(i => [String(i), `LABEL_${i}`])));
  given.set('label2id', new Dict(numbers.map(i => [`LABEL_${i}`, i])));
}

/** What follows in every class. */
export function deriveCommon(className: string, given: Dict): void {
  const name = given.get('name_or_path');
  given.delete('name_or_path');
  if (name !== undefined && !given.has('_name_or_path')) given.set('_name_or_path', name);
  deriveLabels(className, given);
}
