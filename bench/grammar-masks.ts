/** What constrained answers cost beside the model: `npx tsx bench/grammar-masks.ts`. Times of one mask over the demo model's 32,001 tokens. */

import { choicesGrammar } from '../src/generation/grammar/choices.js';
import { Constraint } from '../src/generation/grammar/constraint.js';
import type { GrammarRules } from '../src/generation/grammar/expression.js';
import { parseGbnf } from '../src/generation/grammar/gbnf-parser.js';
import { jsonSchemaGrammar } from '../src/generation/grammar/json/json-schema.js';
import { Vocabulary } from '../src/generation/grammar/vocabulary.js';
import { loadParts } from '../src/model/load.js';

const PERSON = {
  properties: {
    name: { type: 'string' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    tags: { type: 'array', items: { type: 'string', maxLength: 50 } },
  },
  required: ['name', 'age'],
};
const MANY = Array.from({ length: 1000 }, (_, i) => `choice number ${(i * 7919) % 1000} of many`);

function timed<T>(work: () => T): { result: T; ms: number } {
  const start = performance.now();
  const result = work();
  return { result, ms: performance.now() - start };
}

/** Times of the masks behind each token of an answer. */
function maskTimes(constraint: Constraint, ids: readonly number[], size: number): number[] {
  return [...ids, -1].map((id, step) => {
    const scores = new Float32Array(size);
    const { ms } = timed(() => constraint.apply(ids.slice(0, step), scores));
    if (id >= 0 && scores[id] !== 0) throw new Error(`token ${id} at ${step} is refused`);
    return ms;
  });
}

function shownTimes(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const [median, most] = [sorted[sorted.length >> 1] ?? 0, sorted.at(-1) ?? 0];
  return `${median.toFixed(2)} | ${most.toFixed(2)}`;
}

async function main(): Promise<void> {
  const { parts } = await loadParts('models/demo', { threads: 1 });
  const size = parts.model.info.vocabularySize;
  const vocabulary = new Vocabulary(size, id => parts.tokenizer.tokenText(id));
  console.log(
    `${size} tokens; their tree: ${timed(() => [vocabulary.starts, vocabulary.trie]).ms.toFixed(0)} ms, once\n`,
  );
  const object = '{"name": "Some long text here and there", "age": 37, "tags": ["one", "two and three"]}';
  const cases: [name: string, answer: string, rules: () => GrammarRules][] = [
    ['any JSON', object, () => jsonSchemaGrammar({})],
    ['JSON schema', object, () => jsonSchemaGrammar(PERSON)],
    ['1000 choices', 'choice number 77 of many', () => choicesGrammar(MANY, vocabulary)],
    ['`root ::= .*`', 'Some long text here and there', () => parseGbnf('root ::= .*')],
  ];
  console.log(
    '| constraint | made, ms | mask, ms: median | most | known states: median | most |\n|---|---|---|---|---|---|',
  );
  for (const [name, answer, rules] of cases) {
    const { result: constraint, ms } = timed(() => new Constraint(rules(), vocabulary, [2]));
    const ids = [...parts.tokenizer.encode(answer)].slice(1);
    const [first, again] = [maskTimes(constraint, ids, size), maskTimes(constraint, ids, size)];
    console.log(`| ${name} | ${ms.toFixed(1)} | ${shownTimes(first)} | ${shownTimes(again)} |`);
  }
  await parts.model.dispose();
}

main();
