import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Fields } from '../../src/convert/json-fields.js';
import type { Activation, TextConfig } from '../../src/convert/text-config.js';
import { readTextConfig, textModel } from '../../src/convert/text-models.js';

interface Case {
  /** `text_config`. */
  readonly text: Readonly<Record<string, unknown>>;
  /** What transformers makes of it; null where it refuses. */
  readonly values: Readonly<Record<string, unknown>> | null;
}

// Made by transformers itself: test/reference/text_configs.py.
const fixture = join(__dirname, '../fixtures/text-configs.json.gz');
const { cases } = JSON.parse(gunzipSync(readFileSync(fixture)).toString('utf8')) as { cases: Case[] };

/** The activations at the points of the fixture: -3, -1, -0.3, 0.5, 2. */
const ACTIVATIONS: Readonly<Record<Activation, readonly number[]>> = {
  relu: [0, 0, 0, 0.5, 2],
  gelu: [-0.004, -0.1587, -0.1146, 0.3457, 1.9545],
  gelu_new: [-0.0036, -0.1588, -0.1146, 0.3457, 1.9546],
  silu: [-0.1423, -0.2689, -0.1277, 0.3112, 1.7616],
};

const idOf = (id: unknown): number => (typeof id === 'number' ? id : -1);
const idsOf = (ids: unknown): readonly number[] => (Array.isArray(ids) ? ids : [ids]).filter(id => id !== null);

function expectedOf(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { bos, eos, pad, start, act: _act, epsilon, shapes: _shapes, feedForward, positions, ...same } = values;
  return {
    ...same,
    intermediateSize: feedForward,
    bosTokenId: idOf(bos),
    eosTokenIds: idsOf(eos),
    padTokenId: idOf(pad),
    decoderStartTokenId: idOf(start),
    ...(epsilon === undefined ? {} : { layerNormEps: epsilon }),
    ...(positions === undefined ? {} : { maxPositions: positions }),
  };
}

/** Names and shapes that the converter reads. */
const shapesOf = (config: TextConfig): Record<string, readonly number[]> =>
  Object.fromEntries(
    textModel(config)
      .tensors(config)
      .filter(({ constant }) => constant === undefined)
      .map(({ source, shape }) => [source.replace(/^language_model\./, ''), shape]),
  );

describe('readTextConfig, as transformers 4.34', () => {
  const accepted = cases.filter(({ values }) => values !== null);
  it.each(
    accepted.map(({ text, values }) => [JSON.stringify(text), text, values!] as const),
  )('%s', (_, text, values) => {
    const config = readTextConfig(new Fields('text_config', text));
    expect(config).toMatchObject(expectedOf(values));
    const activation = 'activation' in config ? config.activation : undefined;
    expect(ACTIVATIONS[activation!]).toEqual(values.act);
    if (values.shapes !== null) expect(shapesOf(config)).toEqual(values.shapes);
  });

  const refused = cases.filter(({ values }) => values === null);
  it.each(refused.map(({ text }) => [JSON.stringify(text), text] as const))('refuses %s', (_, text) => {
    expect(() => readTextConfig(new Fields('text_config', text))).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_INVALID' }),
    );
  });

  it('has cases of both', () => {
    expect(accepted.length).toBeGreaterThan(150);
    expect(refused.length).toBeGreaterThan(4);
  });
});
