import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InstructBlipConfig } from '../../../src/config/instruct-blip-config.js';
import { LlamaConfig } from '../../../src/config/llama-config.js';
import { OPTConfig } from '../../../src/config/opt-config.js';
import { parsePythonJson } from '../../../src/config/parse-python-json.js';
import { type PythonValue, toPlain } from '../../../src/config/python-json.js';
import { InstructBlipQFormerConfig } from '../../../src/config/qformer-config.js';
import { T5Config } from '../../../src/config/t5-config.js';
import { InstructBlipVisionConfig } from '../../../src/config/vision-config.js';

const CLASSES = {
  InstructBlipVisionConfig,
  InstructBlipQFormerConfig,
  LlamaConfig,
  T5Config,
  OPTConfig,
  InstructBlipConfig,
};
type Name = keyof typeof CLASSES;
/** All classes have what is tested here; one of them stands for all. */
const classOf = (name: Name) => CLASSES[name] as unknown as typeof InstructBlipConfig;

interface Case {
  readonly class: Name;
  /** The JSON it is made from. */
  readonly json: string;
  /** What transformers writes, all and without defaults; null where it refuses. */
  readonly full: string | null;
  readonly diff: string | null;
}

// Made by transformers itself: test/reference/configs.py.
const fixture = join(__dirname, '../../fixtures/configs/configs.json.gz');
const { cases, fromParts } = JSON.parse(gunzipSync(readFileSync(fixture)).toString('utf8')) as {
  cases: Case[];
  fromParts: Record<'LlamaConfig' | 'T5Config' | 'OPTConfig', string>;
};
const accepted = cases.filter(({ full }) => full !== null);
const refused = cases.filter(({ full }) => full === null);

const plainOf = (text: string): unknown => toPlain(parsePythonJson(text) as PythonValue);
const snakeCase = (name: string): string =>
  name === 'nameOrPath' ? '_name_or_path' : name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);

const toJsonNames = (fields: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[snakeCase(name), value]])),
  );

/** Every difference as one line, so that a failure shows the case. */
const differences = (differs: (config: Case) => boolean): string[] =>
  accepted.filter(differs).map(({ class: name, json }) => `${name} ${json}`);

describe('configurations, as transformers 4.34', () => {
  it('has many cases', () => {
    expect(accepted.length).toBeGreaterThan(1400);
    expect(refused.length).toBeGreaterThan(25);
  });

  it('writes the same bytes, without defaults and with them', () => {
    expect(differences(({ class: name, json, diff }) => classOf(name).fromJSON(json).toJsonString() !== diff)).toEqual(
      [],
    );
    const full = (name: Name, json: string) => classOf(name).fromJSON(json).toJsonString({ useDiff: false });
    expect(differences(config => full(config.class, config.json) !== config.full)).toEqual([]);
  });

  it('reads what transformers wrote and writes it again', () => {
    const again = ({ class: name, diff }: Case) => classOf(name).fromJSON(diff!).toJsonString();
    expect(differences(config => again(config) !== config.diff && !config.json.includes('id2label'))).toEqual([]);
  });

  it('has the same values as properties, as objects, from objects and as copies', () => {
    for (const { class: name, json, full, diff } of accepted) {
      const config = classOf(name).fromJSON(json);
      const all = plainOf(full!) as Record<string, unknown>;
      expect(config.toDict()).toEqual(all);
      expect(config.toJSON()).toEqual(plainOf(diff!));
      const { extra, visionConfig: _v, qformerConfig: _q, textConfig: _t, ...fields } = config;
      expect(all).toEqual(expect.objectContaining({ ...toJsonNames(fields), ...extra }));
      expect(
        classOf(name)
          .fromJSON(plainOf(json) as object)
          .toDict(),
      ).toEqual(all);
      expect(new (classOf(name))({ ...config }).toDict()).toEqual(all);
      expect(config.with({}).toDict()).toEqual(all);
    }
  });

  it.each(refused.map(({ class: name, json }) => [name, json] as const))('refuses %s %s', (name, json) => {
    expect(() => classOf(name).fromJSON(json)).toThrow(
      expect.objectContaining({ name: 'ConfigError', code: expect.stringMatching(/^CONFIG_(INVALID|UNSUPPORTED)$/) }),
    );
  });

  it.each(Object.entries(fromParts))('makes a whole from parts with %s', (name, text) => {
    const whole = InstructBlipConfig.fromVisionQFormerTextConfigs(
      new InstructBlipVisionConfig({ hiddenSize: 64 }),
      new InstructBlipQFormerConfig(),
      new CLASSES[name as 'LlamaConfig' | 'T5Config' | 'OPTConfig'](),
      { numQueryTokens: 8 },
    );
    expect(whole.toJsonString()).toBe(text);
    expect(whole.qformerConfig.encoderHiddenSize).toBe(64);
  });
});
