import { readFileSync } from 'node:fs';
import { jsonSchemaGrammar } from '../../../../src/generation/grammar/json/json-schema.js';
import { Matcher } from './support.js';

interface Case {
  readonly title: string;
  readonly given: string;
  readonly accepted: readonly string[];
  readonly refused: readonly string[];
}
/** Of test/reference/llama-cpp-grammars.mjs. */
const fixture = JSON.parse(readFileSync('test/fixtures/grammars/llama-cpp.json', 'utf8')) as {
  readonly grammars: Readonly<Record<string, string>>;
  readonly gbnf: readonly Case[];
  readonly schemas: readonly Case[];
};

/** Whether its whole texts match, and only the right ones. */
function check(matcher: Matcher, { accepted, refused }: Case, others: readonly string[] = []): void {
  expect(accepted.length + refused.length).toBeGreaterThan(0);
  expect(accepted.filter(text => !matcher.matches(text))).toEqual(others);
  expect(refused.filter(text => matcher.matches(text))).toEqual([]);
}

describe("llama.cpp's grammars", () => {
  const examples: Record<string, string> = {
    'arithmetic.gbnf': '1+(b*2)=a\n',
    'c.gbnf': 'int main(){return 1+2;}',
    'chess.gbnf': '1. e4 e5\n2. Nf3 Nc6\n',
    'english.gbnf': 'Hello, world.',
    'japanese.gbnf': 'こんにちは 世界',
    'json.gbnf': '{"a": [1, "é\\n", {"b": null}]}',
    'json_arr.gbnf': '[\n1,\n2]',
    'list.gbnf': '- a\n- b\n',
  };

  it.each(Object.entries(fixture.grammars))('%s', (name, grammar) => {
    const matcher = new Matcher(grammar);
    const example = examples[name] as string;
    const rest = matcher.completion(example);
    expect([name, rest !== null && matcher.matches(example + rest)]).toEqual([name, true]);
    expect(matcher.stateOf(`${example}\u0000`)).toBeNull();
  });

  it('are all there', () => {
    expect(Object.keys(fixture.grammars).sort()).toEqual(Object.keys(examples));
    expect([fixture.gbnf.length, fixture.schemas.length]).toEqual([12, 33]);
  });
});

describe("llama.cpp's own tests", () => {
  it.each(fixture.gbnf)('GBNF: $title', each => check(new Matcher(each.given), each));

  /** Integers have 15 digits at most here: with 16 they are not exact any more. */
  const TOO_LONG = ['1234567890000000', '1234567890123456'];

  it.each(fixture.schemas.map((each, i) => [`${each.title} (${i})`, each] as const))('JSON schema: %s', (_, each) => {
    const schema = JSON.parse(each.given);
    if (each.given.includes('"uniqueItems": true')) {
      expect(() => jsonSchemaGrammar(schema)).toThrow(
        expect.objectContaining({ code: 'OPTION_UNSUPPORTED', message: expect.stringMatching(/tags\/uniqueItems/) }),
      );
      const { uniqueItems: _unsupported, ...tags } = schema.properties.tags;
      schema.properties.tags = tags;
    }
    const tooLong = schema.type === 'integer' ? each.accepted.filter(text => TOO_LONG.includes(text)) : [];
    check(new Matcher(jsonSchemaGrammar(schema)), each, tooLong);
  });
});
