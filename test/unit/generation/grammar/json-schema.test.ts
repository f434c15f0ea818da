import { Ajv2020 } from 'ajv/dist/2020.js';
import type { State } from '../../../../src/generation/grammar/automaton.js';
import { jsonSchemaGrammar } from '../../../../src/generation/grammar/json/json-schema.js';
import { randomNumbers } from '../../support/random.js';
import { Matcher } from './support.js';

type Schema = Record<string, unknown>;

function randomOf(seed: number) {
  const random = randomNumbers(seed);
  const below = (bound: number): number => Math.floor(((random() + 1) / 2) * bound);
  return { below, pick: <T>(from: readonly T[]): T => from[below(from.length)] as T, maybe: () => below(2) === 1 };
}
type Random = ReturnType<typeof randomOf>;

/** A text of the grammar: at random for a while, then the shortest way to its end. */
function textOf(matcher: Matcher, { below, pick }: Random): string {
  const bytes: number[] = [];
  let state: State = matcher.automaton.start;
  const steps = below(60);
  for (let step = 0; step < steps; step++) {
    const possible: [number, State][] = [];
    // Letters, digits and signs of JSON, and now and then any byte.
    const candidates = below(8) === 0 ? [...Array(256).keys()] : [...Buffer.from('{}[]",:\\ aeu0159-.tfn\né')];
    for (const byte of candidates) {
      const next = matcher.automaton.next(state, byte);
      if (next) possible.push([byte, next]);
    }
    if (possible.length === 0) break;
    const [byte, next] = pick(possible);
    bytes.push(byte);
    state = next;
  }
  return matcher.completed(state, bytes);
}

function randomSchema(random: Random, depth: number): Schema {
  const { below, pick, maybe } = random;
  const inner = () => randomSchema(random, depth - 1);
  const scalar = (): Schema => {
    const low = below(300) - 150;
    return pick<() => Schema>([
      () => ({ type: 'string' }),
      () => ({ type: 'string', minLength: below(4), maxLength: 4 + below(4) }),
      () => ({ type: 'string', format: pick(['date', 'time', 'date-time', 'uuid']) }),
      () => ({
        type: 'string',
        pattern: pick(['^[a-z]{2,3}$', '^(red|blue)-?\\d+$', 'x.y', '^a|b$', '"\\\\', '^\\S+@\\w+\\.com$']),
      }),
      () => ({ type: 'integer' }),
      () => ({ type: 'integer', minimum: low, maximum: low + below(2000) }),
      () => ({ type: 'integer', exclusiveMinimum: low - 0.5 }),
      () => ({ type: 'integer', exclusiveMaximum: low }),
      () => ({ type: 'number' }),
      () => ({ type: 'number', minimum: low, exclusiveMaximum: low + 1 + below(20) }),
      () => ({ type: 'number', exclusiveMinimum: low }),
      () => ({ type: 'number', maximum: low }),
      () => ({
        type: pick([
          ['string', 'null'],
          ['integer', 'boolean'],
          ['number', 'null'],
        ]),
      }),
      () => ({ enum: [1, 'a"\n', null, { b: [true] }].slice(below(3)) }),
      () => ({ const: pick<unknown>(['x', 0, false]) }),
      () => ({}),
    ])();
  };
  if (depth === 0) return scalar();
  const properties = () => Object.fromEntries(['a', 'b"', 'ab', 'c'].slice(below(3)).map(name => [name, inner()]));
  const object = (): Schema => {
    const known = properties();
    return {
      type: 'object',
      properties: known,
      required: Object.keys(known).filter(maybe),
      ...pick<() => Schema>([
        () => ({}),
        () => ({ additionalProperties: false }),
        () => ({ additionalProperties: inner() }),
      ])(),
    };
  };
  const array = (): Schema => {
    const minItems = below(3);
    return pick<() => Schema>([
      () => ({ type: 'array', items: inner() }),
      () => ({ type: 'array', items: inner(), minItems, maxItems: minItems + below(3) }),
      () => ({ type: 'array', prefixItems: [inner(), inner()], items: pick<unknown>([false, inner()]) }),
      () => ({ type: 'array', prefixItems: [inner(), inner()], minItems: below(3) }),
      () => ({ type: 'array' }),
    ])();
  };
  return pick<() => Schema>([
    object,
    object,
    array,
    array,
    scalar,
    () => ({ type: 'object' }),
    () => ({ anyOf: [inner(), inner()] }),
    () => ({
      type: 'object',
      properties: { k: inner() },
      anyOf: [{ required: ['k'] }, { properties: { l: inner() }, required: ['l'] }],
    }),
    () => ({
      allOf: [
        { type: 'object', properties: { a: inner() } },
        { properties: { b: inner() }, required: ['b'] },
      ],
    }),
    () => ({ $ref: '#/$defs/tree' }),
  ])();
}

const TREE: Schema = {
  type: 'object',
  properties: { value: { type: 'integer', minimum: 0 }, children: { type: 'array', items: { $ref: '#/$defs/tree' } } },
  required: ['value'],
  additionalProperties: false,
};

const isDate = (text: string): boolean =>
  !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().slice(0, 10) === text;
const TIME = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const FORMATS = {
  date: isDate,
  time: TIME,
  'date-time': (text: string) => isDate(text.slice(0, 10)) && text[10] === 'T' && TIME.test(text.slice(11)),
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

/** Whether a value is valid, by ajv. */
const validator = (schema: Schema) =>
  new Ajv2020({ strict: false, unicodeRegExp: true, formats: FORMATS }).compile(schema);

describe('what the grammar of a schema allows', () => {
  it.each([1, 2, 3, 4, 5, 6])('is JSON, and valid by ajv: random schemas (%i)', seed => {
    const random = randomOf(seed);
    for (let i = 0; i < 60; i++) {
      const schema = { $defs: { tree: TREE }, ...randomSchema(random, 2) };
      const isValid = validator(schema);
      const matcher = new Matcher(jsonSchemaGrammar(schema));
      for (let n = 0; n < 10; n++) {
        const text = textOf(matcher, random);
        expect([JSON.stringify(schema), text, isValid(JSON.parse(text))]).toEqual([JSON.stringify(schema), text, true]);
      }
    }
  });

  it.each<[string, Schema, unknown[], unknown[]]>([
    ['any value', {}, [null, true, 'a', -1.5e3, [1, [2]], { a: { b: [] } }], []],
    ['types', { type: ['string', 'null'] }, ['', 'é😀"\\\n', null], [1, [], {}]],
    ['a bare keyword means its type', { minLength: 2 }, ['ab'], ['a', 1]],
    ['lengths count characters', { type: 'string', minLength: 2, maxLength: 2 }, ['😀é', '"\n'], ['a', 'abc']],
    ['limits that no answer reaches', { type: 'string', maxLength: 2 ** 31 - 1 }, ['a'.repeat(500)], [1]],
    [
      'properties in order',
      { properties: { a: {}, b: {} }, required: ['b'] },
      [{ b: 1 }, { a: 1, b: 2 }],
      [{}, { a: 1 }, { b: 1, c: 2 }],
    ],
    ['no property', { type: 'object', properties: {} }, [{}], [{ a: 1 }]],
    ['objects of any kind', { type: 'object' }, [{}, { a: 1, b: {} }], [1]],
    [
      'more properties',
      { properties: { a: { const: 1 } }, additionalProperties: { type: 'string' } },
      [{}, { a: 1 }, { a: 1, ab: 'x' }, { b: 'x' }],
      [{ b: 1 }, { a: 'x' }],
    ],
    ['required without a schema', { type: 'object', required: ['a'] }, [{ a: 1 }, { a: 1, b: 2 }], [{}, { b: 1 }]],
    [
      'arrays',
      { type: 'array', items: { type: 'integer' }, minItems: 1, maxItems: 2 },
      [[1], [1, 2]],
      [[], [1, 2, 3], ['a']],
    ],
    ['no item', { type: 'array', maxItems: 0 }, [[]], [[1]]],
    ['tuples', { prefixItems: [{ const: 1 }, { const: 2 }], minItems: 1 }, [[1], [1, 2]], [[], [2], [1, 2, 3]]],
    [
      'tuples of draft 7',
      { items: [{ const: 1 }], additionalItems: { const: 0 }, minItems: 2 },
      [
        [1, 0],
        [1, 0, 0],
      ],
      [[1], [1, 1]],
    ],
    ['enum within a type', { type: 'string', enum: ['a', 1] }, ['a'], [1]],
    ['two enums', { allOf: [{ enum: [1, 2, { a: 1 }] }, { enum: [{ a: 1 }, 2] }] }, [2, { a: 1 }], [1]],
    [
      'allOf joins bounds',
      { allOf: [{ type: 'integer', minimum: 3 }, { maximum: 5 }, { exclusiveMinimum: 3 }] },
      [4, 5],
      [3, 6],
    ],
    [
      'anyOf beside properties',
      {
        type: 'object',
        properties: { a: {} },
        anyOf: [{ required: ['a'] }, { properties: { b: { const: 1 } }, required: ['b'] }],
      },
      [{ a: 1 }, { b: 1 }, { a: 2, b: 1 }],
      [{}, { b: 2 }],
    ],
    [
      'a closed and an open schema',
      {
        allOf: [
          { properties: { a: {} }, additionalProperties: false },
          { properties: { a: { type: 'string' }, b: {} } },
        ],
      },
      [{}, { a: 'x' }],
      [{ a: 1 }, { b: 1 }],
    ],
    ['references', { $defs: { 'a/b %': { const: 1 } }, $ref: '#/$defs/a~1b%20%25' }, [1], [2]],
    [
      'a tree',
      { $defs: { tree: TREE }, $ref: '#/$defs/tree' },
      [{ value: 1, children: [{ value: 2, children: [] }] }],
      [{ children: [] }, { value: -1 }],
    ],
    [
      'dates',
      { format: 'date' },
      ['2024-02-29', '2000-02-29', '2023-12-31', '0001-01-01'],
      ['2023-02-29', '1900-02-29', '2023-04-31', '2023-13-01', '2023-00-01', '2023-01-00'],
    ],
    [
      'times',
      { format: 'date-time' },
      ['2024-02-29T23:59:59.123Z', '2024-01-01T00:00:00-05:30'],
      ['2024-01-01T24:00:00Z', '2024-01-01 00:00:00Z', '2024-01-01T00:00:00'],
    ],
    ['uuid', { format: 'uuid' }, ['123e4567-e89b-12d3-a456-426614174000'], ['123e4567e89b12d3a456426614174000']],
    ['numbers', { type: 'number', minimum: 0, maximum: 1 }, [0, 1, 0.5, 0.999999], [-0.1, 1.1, 2]],
    ['numbers between', { type: 'number', exclusiveMinimum: -1, exclusiveMaximum: 1 }, [0, -0.5, 0.25], [-1, 1]],
    ['patterns', { pattern: '^\\d{3}[^a-c"]\\.?$' }, ['123d', '123\\.', '123\n'], ['12d', '123a', '123"', '123d..']],
    ['patterns anywhere', { pattern: 'ab+' }, ['ab', '"abb\n'], ['a', 'ba']],
    ['groups of patterns', { pattern: '^(?:a|(?<n>b{1,2}))+?\\u00e9\\x41\\t\\/$' }, ['abbéA\t/'], ['éA\t/']],
    ['annotations', { title: 'x', description: 'y', default: 1, 'x-order': 3, type: 'null' }, [null], [1]],
  ])('%s', (_, schema, valid, invalid) => {
    const matcher = new Matcher(jsonSchemaGrammar(schema));
    expect(valid.filter(value => !matcher.matches(JSON.stringify(value)))).toEqual([]);
    expect(invalid.filter(value => matcher.matches(JSON.stringify(value)))).toEqual([]);
  });

  it('may have spaces and new lines between its parts, but nothing around it', () => {
    const matcher = new Matcher(jsonSchemaGrammar({ properties: { a: { items: {} } } }));
    for (const text of ['{"a":[1,2]}', '{ "a": [1, 2] }', '{\n  "a": [\n\t1,\n2\n  ]\n}'])
      expect([text, matcher.matches(text)]).toEqual([text, true]);
    for (const text of [' {}', '{} ', '{}\n', '{"a" :[]}'])
      expect([text, matcher.matches(text)]).toEqual([text, false]);
  });

  it('escapes: surrogates come in pairs', () => {
    const matcher = new Matcher(jsonSchemaGrammar({ type: 'string', maxLength: 1 }));
    for (const text of ['"\\u00e9"', '"\\uD83D\\ude00"', '"\\/"', '"\\\\"'])
      expect([text, matcher.matches(text)]).toEqual([text, true]);
    for (const text of ['"\\ud83d"', '"\\ude00"', '"\\x"', '"\n"', '"\\u00e"'])
      expect([text, matcher.matches(text)]).toEqual([text, false]);
  });

  it('a key that is no property cannot be one in disguise', () => {
    const matcher = new Matcher(jsonSchemaGrammar({ properties: { ab: { const: 1 } }, additionalProperties: {} }));
    for (const key of ['a', 'abc', 'b', '', 'é']) expect(matcher.matches(JSON.stringify({ [key]: 2 }))).toBe(true);
    for (const text of ['{"ab":2}', '{"\\u0061b":2}', '{"ab":1,"ab":2}']) expect(matcher.matches(text)).toBe(false);
  });

  it('many optional properties are no trouble', () => {
    const names = Array.from({ length: 300 }, (_, i) => `property${i}`);
    const matcher = new Matcher(
      jsonSchemaGrammar({ properties: Object.fromEntries(names.map(name => [name, { type: 'integer' }])) }),
    );
    expect(matcher.matches('{"property7": 1, "property299": 2}')).toBe(true);
    expect(matcher.matches('{"property7": 1, "property7": 2}')).toBe(false);
  });
});

describe('schemas that are refused', () => {
  it.each<[string, unknown, RegExp]>([
    ['OPTION_UNSUPPORTED', { properties: { a: { not: {} } } }, /^jsonSchema #\/properties\/a\/not is not supported/],
    ['OPTION_UNSUPPORTED', { patternProperties: {} }, /#\/patternProperties is not/],
    ['OPTION_UNSUPPORTED', { items: { uniqueItems: true } }, /#\/items\/uniqueItems/],
    ['OPTION_UNSUPPORTED', { minlength: 1 }, /#\/minlength/],
    ['OPTION_UNSUPPORTED', { $ref: 'https://example.com/a' }, /#\/\$ref is 'https:.*only references within/],
    ['OPTION_UNSUPPORTED', { format: 'email' }, /#\/format is 'email': supported are date, time, date-time, uuid/],
    ['OPTION_UNSUPPORTED', { pattern: '^a(?=b)' }, /#\/pattern \(\^a\(\?=b\)\) has what is not supported: \(\?=b/],
    ['OPTION_UNSUPPORTED', { pattern: '(a)\\1' }, /\\1/],
    ['OPTION_UNSUPPORTED', { pattern: 'a^b' }, /\^ at character 2/],
    ['OPTION_UNSUPPORTED', { pattern: '\\bword' }, /\\b/],
    ['OPTION_UNSUPPORTED', { pattern: 'a', maxLength: 5 }, /#\/pattern together with/],
    ['OPTION_UNSUPPORTED', { type: 'number', minimum: 0.5 }, /#\/minimum is 0\.5: numbers may have whole bounds/],
    ['OPTION_UNSUPPORTED', { enum: ['a'], minLength: 1 }, /#\/minLength together with enum/],
    [
      'OPTION_UNSUPPORTED',
      { allOf: Array.from({ length: 12 }, () => ({ anyOf: [{ minLength: 1 }, { type: 'null' }] })) },
      /more than 1000 combinations/,
    ],
    ['OPTION_INVALID', { $ref: '#/$defs/x' }, /#\/\$ref refers to '#\/\$defs\/x', which is not there/],
    ['OPTION_INVALID', { $ref: '#' }, /# refers to itself/],
    ['OPTION_INVALID', { anyOf: [{ $ref: '#' }, { type: 'null' }] }, /refers to itself/],
    ['OPTION_INVALID', { type: 'text' }, /#\/type must be a type \(null, boolean/],
    ['OPTION_INVALID', { minLength: -1 }, /#\/minLength must be a whole number of at least 0, but is -1/],
    [
      'OPTION_INVALID',
      { properties: { a: 5 } },
      /#\/properties\/a must be a schema \(an object, true or false\), but is 5/,
    ],
    ['OPTION_INVALID', { properties: [] }, /#\/properties must be an object of schemas/],
    ['OPTION_INVALID', { required: 'a' }, /#\/required must be a list of names/],
    ['OPTION_INVALID', { anyOf: [] }, /#\/anyOf must be a list of schemas/],
    ['OPTION_INVALID', { pattern: '[' }, /#\/pattern is no regular expression: \[/],
    ['OPTION_INVALID', { minItems: 3, maxItems: 2 }, /# allows no array: at least 3, at most 2/],
    ['OPTION_INVALID', { type: 'integer', minimum: 3, maximum: 2 }, /# allows no number/],
    ['OPTION_INVALID', { enum: [] }, /# allows no value/],
    ['OPTION_INVALID', { type: 'string', minLength: 5, maxLength: 4 }, /# allows no string/],
  ])('%s: %j', (code, schema, message) => {
    expect(() => jsonSchemaGrammar(schema as Schema)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it('what is no JSON', () => {
    const schema: Schema = {};
    schema.items = schema;
    expect(() => jsonSchemaGrammar(schema)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });

  it('what nothing can be: parts that need themselves', () => {
    const schema = { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] };
    expect(() => new Matcher(jsonSchemaGrammar(schema))).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(/no answer is possible/) }),
    );
  });
});
