import { OptionError } from '../../../errors.js';
import { shown } from '../../validate-options.js';

/** A schema within the whole: an object, and where it stands (`#/properties/name`). */
export interface SchemaNode {
  readonly pointer: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** Schemas that hold together: none says more than their sum. */
export type Conjunction = readonly SchemaNode[];

export const TYPES = ['null', 'boolean', 'string', 'number', 'integer', 'array', 'object'] as const;
export type JsonType = (typeof TYPES)[number];

/** Keywords by the type that they are about. */
export const KEYWORDS_OF_TYPES: Readonly<Partial<Record<JsonType, readonly string[]>>> = {
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems'],
};
const ANY_TYPE = ['type', 'enum', 'const', '$ref', 'allOf', 'anyOf', 'oneOf'];
/** Keywords that say nothing of what is allowed. */
const ANNOTATIONS = [
  '$schema',
  '$id',
  'id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'example',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
];
const KNOWN = new Set([...ANY_TYPE, ...ANNOTATIONS, ...Object.values(KEYWORDS_OF_TYPES).flat()]);
/** Keywords that are not supported, with the value that asks for nothing. */
const NEUTRAL: Readonly<Record<string, unknown>> = { uniqueItems: false, minProperties: 0, nullable: false };
/** Alternatives that `anyOf` and `allOf` may multiply to. */
const MOST_ALTERNATIVES = 1000;
const DEEPEST = 100;

const pathOf = (pointer: string, ...keys: readonly (string | number)[]): string =>
  [pointer, ...keys.map(key => String(key).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `pointer` and keys below it name the place. */
export const invalidSchema = (problem: string, pointer: string, ...keys: readonly (string | number)[]): OptionError =>
  new OptionError('OPTION_INVALID', `jsonSchema ${pathOf(pointer, ...keys)} ${problem}`);
export const unsupportedSchema = (
  problem: string,
  pointer: string,
  ...keys: readonly (string | number)[]
): OptionError => new OptionError('OPTION_UNSUPPORTED', `jsonSchema ${pathOf(pointer, ...keys)} ${problem}`);

/** Reads the parts of a schema; each is one object, however often it is asked for. */
export class SchemaNodes {
  readonly #root: unknown;
  readonly #nodes = new Map<string, SchemaNode>();

  constructor(root: unknown) {
    this.#root = root;
  }

  get root(): SchemaNode {
    return this.#node('#', this.#root);
  }

  /** The schema below `node`. */
  child({ pointer, schema }: SchemaNode, ...keys: readonly (string | number)[]): SchemaNode {
    const value = keys.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], schema);
    return this.#node(pathOf(pointer, ...keys), value);
  }

  /** Without `$ref`, `allOf`, `anyOf` and `oneOf`: a value is allowed when it is by one of these conjunctions. */
  alternatives(nodes: Conjunction): Conjunction[] {
    return this.#product(nodes.map(node => this.#alternativesOf(node, [])));
  }

  #alternativesOf(node: SchemaNode, path: readonly SchemaNode[]): Conjunction[] {
    const { pointer, schema } = node;
    if (path.includes(node)) throw invalidSchema('refers to itself', pointer);
    const inside = [...path, node];
    const all: Conjunction[][] = [[[node]]];
    if (schema.$ref !== undefined) all.push(this.#alternativesOf(this.#referred(node), inside));
    for (const each of this.#listed(node, 'allOf')) all.push(this.#alternativesOf(each, inside));
    for (const keyword of ['anyOf', 'oneOf']) {
      const options = this.#listed(node, keyword);
      if (options.length > 0) all.push(options.flatMap(option => this.#alternativesOf(option, inside)));
    }
    return this.#product(all, pointer);
  }

  #product(factors: readonly (readonly Conjunction[])[], pointer = '#'): Conjunction[] {
    let products: Conjunction[] = [[]];
    for (const factor of factors) {
      products = products.flatMap(product => factor.map(more => [...new Set([...product, ...more])]));
      if (products.length > MOST_ALTERNATIVES)
        throw unsupportedSchema(`has more than ${MOST_ALTERNATIVES} combinations of alternatives`, pointer);
    }
    return products;
  }

  #listed(node: SchemaNode, keyword: string): SchemaNode[] {
    const list = node.schema[keyword];
    if (list === undefined) return [];
    if (!Array.isArray(list) || list.length === 0)
      throw invalidSchema(`must be a list of schemas, but is ${shown(list)}`, node.pointer, keyword);
    return list.map((_, i) => this.child(node, keyword, i));
  }

  #referred({ pointer, schema }: SchemaNode): SchemaNode {
    const { $ref } = schema;
    if (typeof $ref !== 'string') throw invalidSchema(`must be a text, but is ${shown($ref)}`, pointer, '$ref');
    if ($ref !== '#' && !$ref.startsWith('#/'))
      throw unsupportedSchema(
        `is ${shown($ref)}: only references within the schema (#/...) are supported`,
        pointer,
        '$ref',
      );
    const keys = $ref.split('/').slice(1).map(unescaped);
    let value = this.#root;
    for (const key of keys) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key))
        throw invalidSchema(`refers to ${shown($ref)}, which is not there`, pointer, '$ref');
      value = (value as Record<string, unknown>)[key];
    }
    return this.#node(pathOf('#', ...keys), value);
  }

  #node(pointer: string, value: unknown): SchemaNode {
    const known = this.#nodes.get(pointer);
    if (known) return known;
    if (pointer.split('/').length > 2 * DEEPEST)
      throw unsupportedSchema(`is nested more than ${DEEPEST} deep`, pointer);
    const node = { pointer, schema: schemaOf(value, pointer) };
    for (const [keyword, given] of Object.entries(node.schema)) checkKeyword(keyword, given, pointer);
    this.#nodes.set(pointer, node);
    return node;
  }
}

function unescaped(key: string): string {
  let text = key;
  try {
    text = decodeURIComponent(key);
  } catch {
    // A % that stands for itself.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** `true` allows everything and `false` nothing. */
function schemaOf(value: unknown, pointer: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'boolean') return value ? {} : { enum: [] };
  if (isObject(value)) return value;
  throw invalidSchema(`must be a schema (an object, true or false), but is ${shown(value)}`, pointer);
}

function checkKeyword(keyword: string, value: unknown, pointer: string): void {
  if (KNOWN.has(keyword) || keyword.startsWith('x-')) return;
  if (Object.hasOwn(NEUTRAL, keyword) && NEUTRAL[keyword] === value) return;
  throw unsupportedSchema('is not supported; see docs/constrained-output.md for what is', pointer, keyword);
}

/** The keyword's values, each with the schema that it is of; those that `allows` refuses are invalid. */
export function valuesOf<T>(
  nodes: Conjunction,
  keyword: string,
  expected: string,
  allows: (value: unknown) => value is T,
): { readonly value: T; readonly node: SchemaNode }[] {
  return nodes.flatMap(node => {
    const value = node.schema[keyword];
    if (value === undefined) return [];
    if (!allows(value)) throw invalidSchema(`must be ${expected}, but is ${shown(value)}`, node.pointer, keyword);
    return [{ value, node }];
  });
}

export const isText = (value: unknown): value is string => typeof value === 'string';
export const isNumber = (value: unknown): value is number => typeof value === 'number';
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
export const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
export const isTextList = (value: unknown): value is readonly string[] => isList(value) && value.every(isText);
