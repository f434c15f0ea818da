import { OptionError } from '../../../errors.js';
import { choice, type Expression, type GrammarRules, literal, ROOT, rule } from '../expression.js';
import { arrayOf } from './json-arrays.js';
import { objectOf } from './json-objects.js';
import { numberOf, stringOf } from './json-scalars.js';
import { ANY_RULES, anyValue, BOOLEAN, NULL } from './json-text.js';
import {
  type Conjunction,
  invalidSchema,
  isList,
  type JsonType,
  KEYWORDS_OF_TYPES,
  SchemaNodes,
  TYPES,
  unsupportedSchema,
  valuesOf,
} from './schema-nodes.js';

/** What the makers of objects and arrays need of the whole. */
export interface SchemaGrammar {
  readonly nodes: SchemaNodes;
  /** Values that all of `nodes` allow. */
  valueOf(nodes: Conjunction): Expression;
  /** `expression` as a rule of its own, where it is used more than once. */
  named(expression: Expression): Expression;
}

/**
 * JSON schema → grammar. Every value that the grammar allows is valid by the schema, apart from `oneOf`, which is taken for `anyOf`; but not every valid one is
 * allowed: docs/constrained-output.md.
 * @throws OPTION_INVALID, OPTION_UNSUPPORTED with the place in the schema
 */
export function jsonSchemaGrammar(schema: Readonly<Record<string, unknown>>): GrammarRules {
  return new SchemaConverter(asJson(schema)).convert();
}

/** Drops what JSON does not have, as `toJSON` of schema builders expects. */
function asJson(schema: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(schema));
  } catch (cause) {
    throw new OptionError('OPTION_INVALID', 'jsonSchema must be JSON, but cannot be written as such', { cause });
  }
}

/** Equal for equal values, whatever the order of keys. */
function canonical(value: unknown): string {
  if (isList(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join()}}`;
}

const isType = (value: unknown): value is JsonType => (TYPES as readonly unknown[]).includes(value);
const isTypes = (value: unknown): value is JsonType | readonly JsonType[] =>
  isList(value) ? value.length > 0 && value.every(isType) : isType(value);

function hasType(value: unknown, types: ReadonlySet<JsonType>): boolean {
  if (value === null) return types.has('null');
  if (isList(value)) return types.has('array');
  if (typeof value === 'number') return types.has('number') || (types.has('integer') && Number.isInteger(value));
  return types.has(typeof value as JsonType);
}

/** What `type` leaves; where there is none, the types that the keywords are about. */
function typesOf(nodes: Conjunction): ReadonlySet<JsonType> | null {
  const given = valuesOf(nodes, 'type', `a type (${TYPES.join(', ')}) or a list of them`, isTypes);
  if (given.length === 0) {
    const implied = (Object.entries(KEYWORDS_OF_TYPES) as [JsonType, string[]][]).filter(([, keywords]) =>
      nodes.some(({ schema }) => keywords.some(keyword => schema[keyword] !== undefined)),
    );
    return implied.length === 0 ? null : new Set(implied.map(([type]) => type));
  }
  const sets = given.map(({ value }) => new Set<JsonType>(isType(value) ? [value] : value));
  const allow = (type: JsonType) => sets.every(set => set.has(type) || (type === 'integer' && set.has('number')));
  return new Set(TYPES.filter(allow));
}

class SchemaConverter implements SchemaGrammar {
  readonly nodes: SchemaNodes;
  readonly #rules = new Map<string, Expression>(ANY_RULES);
  readonly #known = new Set<string>();
  #named = 0;

  constructor(schema: unknown) {
    this.nodes = new SchemaNodes(schema);
  }

  convert(): GrammarRules {
    this.#rules.set(ROOT, this.valueOf([this.nodes.root]));
    return this.#rules;
  }

  valueOf(nodes: Conjunction): Expression {
    if (nodes.length === 0) return anyValue;
    const name = [...new Set(nodes.map(({ pointer }) => pointer))].sort().join(' & ');
    if (!this.#known.has(name)) {
      // Before its parts, which may refer to it.
      this.#known.add(name);
      const options = this.nodes.alternatives(nodes).flatMap(each => this.#options(each));
      this.#rules.set(name, choice(...options));
    }
    return rule(name);
  }

  named(expression: Expression): Expression {
    const name = `part ${this.#named++}`;
    this.#rules.set(name, expression);
    return rule(name);
  }

  #options(nodes: Conjunction): Expression[] {
    const types = typesOf(nodes);
    const listed = this.#listedValues(nodes);
    if (listed) {
      const values = types ? listed.filter(value => hasType(value, types)) : listed;
      return values.map(value => literal(JSON.stringify(value)));
    }
    if (types === null) return [anyValue];
    return [...types].flatMap(type => this.#optionsOfType(type, types, nodes));
  }

  #optionsOfType(type: JsonType, types: ReadonlySet<JsonType>, nodes: Conjunction): Expression[] {
    switch (type) {
      case 'null':
        return [NULL];
      case 'boolean':
        return [BOOLEAN];
      case 'string':
        return [stringOf(nodes)];
      case 'integer':
        return types.has('number') ? [] : numberOf(nodes, true);
      case 'number':
        return numberOf(nodes, false);
      case 'array':
        return [arrayOf(this, nodes)];
      case 'object':
        return [objectOf(this, nodes)];
    }
  }

  /** Those of `enum` and `const`; null where there are none. */
  #listedValues(nodes: Conjunction): readonly unknown[] | null {
    const lists = valuesOf(nodes, 'enum', 'a list of values', isList);
    const constants = valuesOf(nodes, 'const', 'a value', (value): value is unknown => value !== undefined);
    const all = [...lists, ...constants.map(({ value, node }) => ({ value: [value], node }))];
    const [first, ...others] = all;
    if (!first) return null;
    const keywords = Object.values(KEYWORDS_OF_TYPES).flat();
    for (const { schema, pointer } of nodes) {
      const keyword = keywords.find(each => schema[each] !== undefined);
      if (keyword && first.value.length > 0)
        throw unsupportedSchema(
          'together with enum or const is not supported: list the values that are allowed',
          pointer,
          keyword,
        );
    }
    const values = others.reduce(
      (left, { value }) => left.filter(each => value.some(other => canonical(other) === canonical(each))),
      first.value,
    );
    if (values.length === 0 && nodes.length === 1 && first.node.pointer === '#')
      throw invalidSchema('allows no value', '#');
    return values;
  }
}
