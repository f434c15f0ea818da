import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  InstructBlipConfig,
  InstructBlipQFormerConfig,
  InstructBlipVisionConfig,
  LlamaConfig,
  OPTConfig,
  T5Config,
} from 'instructblip';

const CLASSES = [
  InstructBlipVisionConfig,
  InstructBlipQFormerConfig,
  LlamaConfig,
  T5Config,
  OPTConfig,
  InstructBlipConfig,
] as unknown as (typeof LlamaConfig)[];

const invalid = (...parts: string[]) =>
  expect.objectContaining({
    name: 'ConfigError',
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(
      new RegExp(parts.map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')),
    ),
  });
const unsupported = expect.objectContaining({ name: 'ConfigError', code: 'CONFIG_UNSUPPORTED' });

describe.each(CLASSES.map(Class => [Class.name, Class] as const))('%s: a wrong value', (name, Class) => {
  // Every field must refuse some of these, and name itself; which, its kind says.
  const WRONG = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    'no number',
    -7,
    [['x']],
    { x: { y: 1 } },
    () => 1,
    0.5,
    true,
    null,
  ];
  const fields = Object.keys(new Class()).filter(field => !['extra', 'modelType'].includes(field));

  it.each(fields)('%s', field => {
    const refused = WRONG.filter(value => {
      try {
        new Class({ [field]: value });
        return false;
      } catch (error) {
        expect(error).toEqual(invalid(name === 'InstructBlipConfig' && field.endsWith('Config') ? 'Config' : field));
        return true;
      }
    });
    expect(refused.length).toBeGreaterThanOrEqual(5);
    // Neither is it taken from JSON, where a derived field is overwritten as in transformers.
    if (
      field === 'nameOrPath' ||
      'initializerRange isEncoderDecoder tieWordEmbeddings useDecoderOnlyLanguageModel'.includes(field)
    )
      return;
    const json = field.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
    if (name !== 'InstructBlipConfig') expect(() => Class.fromJSON({ [json]: [['x']] })).toThrow(invalid(field));
  });
});

describe('wrong configurations', () => {
  it.each([
    [
      'heads',
      () => new LlamaConfig({ numAttentionHeads: 5 }),
      ['LlamaConfig', 'numAttentionHeads (num_attention_heads) is 5', 'hiddenSize (4096)'],
    ],
    ['key heads', () => new LlamaConfig({ numKeyValueHeads: 5 }), ['numKeyValueHeads', '5', 'numAttentionHeads (32)']],
    [
      'vision heads',
      () => new InstructBlipVisionConfig({ hiddenSize: 63 }),
      ['numAttentionHeads', '16', 'hiddenSize (63)'],
    ],
    ['Q-Former heads', () => new InstructBlipQFormerConfig({ numAttentionHeads: 7 }), ['numAttentionHeads', '7']],
    ['OPT heads', () => new OPTConfig({ numAttentionHeads: 7 }), ['numAttentionHeads', '7']],
    ['patches', () => new InstructBlipVisionConfig({ patchSize: 225 }), ['patchSize', '225', 'imageSize (224)']],
    ['buckets', () => new T5Config({ relativeAttentionNumBuckets: 3 }), ['relativeAttentionNumBuckets', '3', '4']],
    [
      'distance',
      () => new T5Config({ relativeAttentionMaxDistance: 16 }),
      ['relativeAttentionMaxDistance', '16', '(32)'],
    ],
    [
      'an unknown name',
      () => new LlamaConfig({ hidden_sizes: 4 } as object),
      ["'hidden_sizes'", "'hiddenSize'", 'extra'],
    ],
    [
      'a known name in extra',
      () => new LlamaConfig({ extra: { hidden_size: 4 } }),
      ['extra', 'hidden_size', 'hiddenSize'],
    ],
    ['a function in extra', () => new LlamaConfig({ extra: { a: { b: () => 1 } } as never }), ['extra.a.b', 'JSON']],
    ['another type', () => new LlamaConfig({ modelType: 'opt' as 'llama' }), ['modelType', "'opt'", "'llama'"]],
    ['no object', () => new LlamaConfig(5 as never), ['LlamaConfig', '5']],
    ['a map', () => new LlamaConfig(new Map() as never), ['LlamaConfig', 'Map']],
    ['another class', () => new LlamaConfig(new OPTConfig() as never), ['modelType', "'opt'", "'llama'"]],
    ['null', () => new LlamaConfig(null as never), ['LlamaConfig', 'null']],
    ['no object as a part', () => new InstructBlipConfig({ visionConfig: 5 as never }), ['visionConfig', '5']],
    [
      'a wrong part',
      () => new InstructBlipConfig({ textConfig: { ffnDim: 0 } }),
      ['OPTConfig', 'ffnDim (ffn_dim) is 0'],
    ],
    [
      'another derived value',
      () => new InstructBlipConfig({ isEncoderDecoder: true } as object),
      ['isEncoderDecoder', 'false', 'textConfig'],
    ],
    ['endless labels', () => LlamaConfig.fromJSON({ num_labels: 1e12 }), ['num_labels', '1000000000000']],
    ['a text that is not JSON', () => LlamaConfig.fromJSON('{"a": 1,}'), ['LlamaConfig', 'line 1']],
    ['JSON that is no object', () => LlamaConfig.fromJSON('[1]'), ['LlamaConfig', '[ 1 ]']],
    ['a text without an end', () => LlamaConfig.fromJSON('['.repeat(100_000)), ['nested']],
    ['a loop', () => LlamaConfig.fromJSON(loop()), ['nested in itself']],
    [
      'a wide OPT',
      () => new InstructBlipConfig({ textConfig: { wordEmbedProjDim: 512 } }),
      ['wordEmbedProjDim', '512', 'hiddenSize (768)', "picture's rows"],
    ],
  ] as const)('%s', (_, make, parts) => {
    expect(make).toThrow(invalid(...parts));
  });

  const loop = (): object => {
    const value: Record<string, unknown> = {};
    value.a = value;
    return value;
  };

  it('refuses what this package cannot run', () => {
    expect(() => new InstructBlipConfig({ textConfig: { modelType: 'gpt2' } as never })).toThrow(unsupported);
    expect(() => InstructBlipConfig.fromJSON({ text_config: { model_type: 'gpt2' } })).toThrow(unsupported);
    expect(() => InstructBlipConfig.fromJSON({ model_type: 'blip-2' })).toThrow(unsupported);
    expect(() => InstructBlipConfig.fromJSON({ vision_config: { model_type: 'clip' } })).toThrow(unsupported);
    expect(() => LlamaConfig.fromJSON({ model_type: 't5' })).toThrow(unsupported);
  });

  it('takes an OPT alone whose embedding is narrower', () => {
    expect(new OPTConfig({ wordEmbedProjDim: 512, hiddenSize: 1024, numAttentionHeads: 16 }).wordEmbedProjDim).toBe(
      512,
    );
  });
});

describe('configurations in use', () => {
  it('never change, and leave what they are made from alone', () => {
    const eosTokenId = [1, 2];
    const config = new LlamaConfig({ eosTokenId, extra: { a: [1] } });
    eosTokenId.push(3);
    expect(config.eosTokenId).toEqual([1, 2]);
    for (const frozen of [config, config.eosTokenId, config.id2label, config.extra, config.extra.a])
      expect(Object.isFrozen(frozen)).toBe(true);
  });

  it('change by with(): what follows from others follows anew, what was given stays', () => {
    const llama = new LlamaConfig({ extra: { a: 1 } });
    expect(llama.with({ numAttentionHeads: 8 }).numKeyValueHeads).toBe(8);
    expect(llama.with({ numKeyValueHeads: 4 }).with({ numAttentionHeads: 8 }).numKeyValueHeads).toBe(4);
    expect(llama.with({ hiddenSize: undefined }).toDict()).toEqual(llama.toDict());
    expect([llama.with({ ropeTheta: 5 }).extra, llama.with({ extra: { b: 2 } }).extra]).toEqual([{ a: 1 }, { b: 2 }]);
    expect(new OPTConfig({ numLabels: 3 }).with({ numLabels: 1 }).id2label).toEqual({ 0: 'LABEL_0' });
    expect(new OPTConfig({ id2label: { 5: 'x' } }).with({ numLabels: 1 }).label2id).toEqual({ LABEL_0: 0 });
    expect(() => llama.with({ hiddenSize: 5 })).toThrow(invalid('numAttentionHeads'));
    const t5 = new T5Config({ hiddenSize: 16 });
    expect([t5.dModel, t5.with({ dModel: 32 }).hiddenSize, t5.with({ hiddenSize: 8 }).dModel]).toEqual([16, 32, 8]);
    expect(t5.with({ feedForwardProj: 'gated-gelu' })).toMatchObject({ denseActFn: 'gelu_new', isGatedAct: true });
  });

  it('follow in a whole what its parts say', () => {
    const whole = new InstructBlipConfig({ visionConfig: { hiddenSize: 32 }, qformerConfig: { encoderHiddenSize: 5 } });
    expect(whole.qformerConfig.encoderHiddenSize).toBe(32);
    expect(whole).toMatchObject({
      useDecoderOnlyLanguageModel: true,
      isEncoderDecoder: false,
      tieWordEmbeddings: true,
    });
    const t5 = whole.with({ textConfig: new T5Config({ tieWordEmbeddings: false, extra: { x: 1 } }) });
    expect(t5).toMatchObject({ useDecoderOnlyLanguageModel: false, isEncoderDecoder: true, tieWordEmbeddings: false });
    expect(t5.textConfig.extra).toEqual({ x: 1 });
    expect(t5.visionConfig.hiddenSize).toBe(32);
    expect(t5.with({ visionConfig: whole.visionConfig.with({ hiddenSize: 64 }) }).qformerConfig.encoderHiddenSize).toBe(
      64,
    );
    expect(whole.qformerConfig).toBeInstanceOf(InstructBlipQFormerConfig);
  });

  it('are JSON', () => {
    const config = new InstructBlipConfig({ imageTokenIndex: 5, extra: { x: 1 } });
    expect(InstructBlipConfig.fromJSON(JSON.parse(JSON.stringify(config)) as object)).toEqual(config);
    expect(
      InstructBlipConfig.fromJSON({ vision_config: new InstructBlipVisionConfig({ imageSize: 28 }) }).visionConfig
        .imageSize,
    ).toBe(28);
    expect(JSON.stringify(LlamaConfig.fromJSON('{"__proto__": {"a": 1}}').extra)).toBe('{"__proto__":{"a":1}}');
    // transformers refuses an int here.
    const scaled = LlamaConfig.fromJSON('{"rope_scaling": {"type": "linear", "factor": 2}}');
    expect(scaled.toJsonString()).toContain('"factor": 2.0');
  });
});

describe('folders', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'configs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each(CLASSES.map(Class => [Class.name, Class] as const))('%s is saved and read', async (_, Class) => {
    const config = new Class({ temperature: 1e-7, extra: { x: [1.5] } });
    const inner = join(folder, 'a', 'b');
    await config.savePretrained(inner);
    await config.savePretrained(inner);
    expect(readdirSync(inner)).toEqual(['config.json']);
    expect(readFileSync(join(inner, 'config.json'), 'utf8')).toBe(config.toJsonString());
    expect(await Class.fromPretrained(inner)).toEqual(config);
    expect(await Class.fromPretrained(join(inner, 'config.json'))).toEqual(config);
  });

  it('finds parts in a whole', async () => {
    const text = new T5Config({ dFf: 5 });
    const whole = new InstructBlipConfig({
      visionConfig: { imageSize: 28 },
      qformerConfig: { vocabSize: 9 },
      textConfig: text,
    });
    await whole.savePretrained(folder);
    expect((await InstructBlipVisionConfig.fromPretrained(folder)).imageSize).toBe(28);
    expect((await InstructBlipQFormerConfig.fromPretrained(folder)).vocabSize).toBe(9);
    expect((await T5Config.fromPretrained(folder)).dFf).toBe(5);
    await expect(LlamaConfig.fromPretrained(folder)).rejects.toEqual(unsupported);
    writeFileSync(join(folder, 'config.json'), '{"model_type": "instructblip"}');
    await expect(InstructBlipVisionConfig.fromPretrained(folder)).rejects.toEqual(invalid('vision_config'));
  });

  it('keeps numbers of unknown fields as they are', async () => {
    const text = new LlamaConfig()
      .toJsonString()
      .replace('"hidden_act"', '"a": [1.0, 1, 1e22, 1180591620717411303424, -0.0, NaN],\n  "hidden_act"');
    writeFileSync(join(folder, 'config.json'), text);
    const config = await LlamaConfig.fromPretrained(folder);
    expect(config.extra.a).toEqual([1, 1, 1e22, 2 ** 70, -0, Number.NaN]);
    const list = ['1.0', '1', '1e+22', '1180591620717411303424', '-0.0', 'NaN'].map(line => `    ${line}`).join(',\n');
    expect(config.toJsonString()).toContain(`"a": [\n${list}\n  ],`);
  });

  it.each([
    ['nothing', undefined, 'CHECKPOINT_NOT_FOUND'],
    ['a text', 'hello', 'CHECKPOINT_INVALID'],
    ['half a file', '{"a": ', 'CHECKPOINT_INVALID'],
    ['a list', '[]', 'CHECKPOINT_INVALID'],
    ['a byte order mark', '\ufeff{}', 'CHECKPOINT_INVALID'],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'CHECKPOINT_INVALID'],
    ['a wrong value', '{"vocab_size": "x"}', 'CONFIG_INVALID'],
  ])('refuses %s', async (_, content, code) => {
    if (content !== undefined) writeFileSync(join(folder, 'config.json'), content);
    await expect(LlamaConfig.fromPretrained(folder)).rejects.toMatchObject({ code });
  });

  it('refuses what is no path', async () => {
    await expect(LlamaConfig.fromPretrained(undefined as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(new LlamaConfig().savePretrained(5 as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('says when it cannot write', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(new LlamaConfig().savePretrained(join(folder, 'file'))).rejects.toMatchObject({
      code: 'OUTPUT_WRITE_FAILED',
    });
    expect(readdirSync(folder)).toEqual(['file']);
  });
});
