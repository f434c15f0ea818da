import { choice, type Expression, literal, optional, sequence } from '../expression.js';
import type { SchemaGrammar } from './json-schema.js';
import { anyObject, anyValue, COMMA, keyOtherThan, many, SPACE } from './json-text.js';
import { type Conjunction, isObject, isTextList, valuesOf } from './schema-nodes.js';

interface Property {
  /** With its name. */
  readonly pair: Expression;
  readonly isRequired: boolean;
}

const pairOf = (key: Expression, value: Expression): Expression => sequence(key, literal(':'), SPACE, value);

/** What holds for a property: what each schema says of it, or else of those that it does not name. */
function propertyNodes({ nodes }: SchemaGrammar, conjunction: Conjunction, name: string): Conjunction {
  return conjunction.flatMap(node => {
    const { properties, additionalProperties } = node.schema;
    if (isObject(properties) && Object.hasOwn(properties, name)) return [nodes.child(node, 'properties', name)];
    return additionalProperties === undefined ? [] : [nodes.child(node, 'additionalProperties')];
  });
}

/** The value of properties that no schema names; null = there are none. */
function additionalValue(grammar: SchemaGrammar, nodes: Conjunction): Expression | null {
  const given = nodes.filter(({ schema }) => schema.additionalProperties !== undefined);
  if (given.some(({ schema }) => schema.additionalProperties === false)) return null;
  if (given.length > 0) return grammar.valueOf(given.map(node => grammar.nodes.child(node, 'additionalProperties')));
  return nodes.some(({ schema }) => schema.properties !== undefined) ? null : anyValue;
}

/** An object in braces: its properties in the order of the schema, and then others, where `additionalProperties` allows them or no property is named. */
export function objectOf(grammar: SchemaGrammar, nodes: Conjunction): Expression {
  const named = valuesOf(nodes, 'properties', 'an object of schemas', isObject).flatMap(({ value }) =>
    Object.keys(value),
  );
  const required = valuesOf(nodes, 'required', 'a list of names', isTextList).flatMap(({ value }) => value);
  const additional = additionalValue(grammar, nodes);
  const names = [...new Set([...named, ...required])];
  if (names.length === 0 && additional === anyValue) return anyObject;
  const properties = names.map(name => ({
    pair: pairOf(literal(JSON.stringify(name)), grammar.valueOf(propertyNodes(grammar, nodes, name))),
    isRequired: required.includes(name),
  }));
  const other = additional && grammar.named(pairOf(keyOtherThan(names), additional));
  return sequence(literal('{'), SPACE, pairsOf(grammar, properties, other), SPACE, literal('}'));
}

/** With commas between those that there are. */
function pairsOf(grammar: SchemaGrammar, properties: readonly Property[], other: Expression | null): Expression {
  // What may come where nothing has come yet, and behind something.
  let behind: Expression = other ? grammar.named(many(sequence(COMMA, other))) : literal('');
  let first: Expression = other ? optional(sequence(other, behind)) : literal('');
  for (const { pair, isRequired } of [...properties].reverse()) {
    const named = grammar.named(pair);
    first = isRequired ? sequence(named, behind) : grammar.named(choice(sequence(named, behind), first));
    const more = sequence(COMMA, named);
    behind = grammar.named(sequence(isRequired ? more : optional(more), behind));
  }
  return first;
}
