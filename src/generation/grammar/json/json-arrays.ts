import { type Expression, literal, optional, repeat, sequence } from '../expression.js';
import { checkCounts, countOf } from './json-scalars.js';
import type { SchemaGrammar } from './json-schema.js';
import { anyArray, anyValue, COMMA, SPACE } from './json-text.js';
import { type Conjunction, isList, type SchemaNode, valuesOf } from './schema-nodes.js';

/** Where the items behind the first ones are described; `items` may be a list in older drafts. */
const restKeyword = ({ schema }: SchemaNode): 'items' | 'additionalItems' =>
  isList(schema.items) ? 'additionalItems' : 'items';
const prefixKeyword = ({ schema }: SchemaNode): 'items' | 'prefixItems' =>
  isList(schema.items) ? 'items' : 'prefixItems';
const prefixLength = (node: SchemaNode): number => {
  const prefix = node.schema[prefixKeyword(node)];
  return isList(prefix) ? prefix.length : 0;
};

/** What holds for the item at `index`. */
function itemNodes({ nodes }: SchemaGrammar, conjunction: Conjunction, index: number): Conjunction {
  return conjunction.flatMap(node => {
    if (index < prefixLength(node)) return [nodes.child(node, prefixKeyword(node), index)];
    const keyword = restKeyword(node);
    return node.schema[keyword] === undefined ? [] : [nodes.child(node, keyword)];
  });
}

/** An array in brackets. Behind `prefixItems` more may come only where `items` says what. */
export function arrayOf(grammar: SchemaGrammar, nodes: Conjunction): Expression {
  valuesOf(nodes, 'prefixItems', 'a list of schemas', isList);
  const described = Math.max(0, ...nodes.map(prefixLength));
  const rests = nodes.map(node => node.schema[restKeyword(node)]).filter(rest => rest !== undefined);
  const isOpen = !rests.includes(false) && (described === 0 || rests.length > 0);
  const least = countOf(nodes, 'minItems', 'largest') ?? 0;
  const given = countOf(nodes, 'maxItems', 'smallest') ?? Number.POSITIVE_INFINITY;
  const most = isOpen ? given : Math.min(given, described);
  checkCounts(nodes, least, most, 'array');
  if (described === 0 && rests.length === 0 && least === 0 && given === Number.POSITIVE_INFINITY) return anyArray;
  return sequence(literal('['), SPACE, itemsFrom(grammar, nodes, { described, least, most }), SPACE, literal(']'));
}

interface Counts {
  /** Items that have schemas of their own. */
  readonly described: number;
  readonly least: number;
  readonly most: number;
}

function itemsFrom(grammar: SchemaGrammar, nodes: Conjunction, { described, least, most }: Counts): Expression {
  const item = (index: number): Expression => {
    const found = itemNodes(grammar, nodes, index);
    return found.length === 0 ? anyValue : grammar.valueOf(found);
  };
  const start = Math.max(1, Math.min(described, most));
  let items: Expression =
    most > start
      ? repeat(sequence(COMMA, item(Math.max(start, described))), Math.max(0, least - start), most - start)
      : literal('');
  for (let index = start - 1; index >= 0 && most > 0; index--) {
    const here = sequence(...(index === 0 ? [] : [COMMA]), item(index), items);
    items = index < least ? here : optional(here);
  }
  return items;
}
