import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../src/convert/convert.js';
import { json } from './support/checkpoint.js';
import type { OptSizes, T5Sizes } from './support/checkpoint-shapes.js';
import {
  makeTextCheckpoint,
  type TextCheckpointOptions,
  TINY_OPT,
  TINY_T5,
  textTensors,
} from './support/text-checkpoint.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function expectRefusal(folder: string, code: string, message: RegExp): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), 'instructblip-out-'));
  folders.push(folder, parent);
  const error = (await convert(folder, join(parent, 'new')).catch(e => e)) as { code: string; message: string };
  expect(`${error.code}: ${error.message}`).toMatch(message);
  expect(error.code).toBe(code);
  expect(existsSync(join(parent, 'new'))).toBe(false);
}

type Sizes = T5Sizes | OptSizes;
const TINY = { t5: TINY_T5, opt: TINY_OPT } as const;
type Row = readonly [field: string, value: unknown, message: RegExp];

const COUNTS = (fields: readonly string[]): Row[] =>
  fields.flatMap(field => [0, 1.5, '8', 2 ** 40].map((value): Row => [field, value, new RegExp(`: ${field} is `)]));

const T5_FIELDS: readonly Row[] = [
  ...COUNTS([
    'vocab_size',
    'd_model',
    'd_ff',
    'd_kv',
    'num_heads',
    'num_layers',
    'num_decoder_layers',
    'n_positions',
    'relative_attention_num_buckets',
    'relative_attention_max_distance',
  ]),
  ['num_layers', 257, /num_layers.*256/],
  ['num_decoder_layers', 257, /num_decoder_layers.*256/],
  ['relative_attention_num_buckets', 3, /relative_attention_num_buckets is 3.*at least 4/],
  ['relative_attention_max_distance', 5, /relative_attention_max_distance is 5.*\(10\)/],
  ['relative_attention_max_distance', 2 ** 20 + 1, /relative_attention_max_distance.*1048576/],
  ['layer_norm_epsilon', 0, /layer_norm_epsilon/],
  ['layer_norm_epsilon', 1.5, /layer_norm_epsilon.*at most 1/],
  ['layer_norm_epsilon', 1e-46, /layer_norm_epsilon.*above 0/],
  ['layer_norm_epsilon', '1e-6', /layer_norm_epsilon/],
  ['feed_forward_proj', 'gelu-gated', /feed_forward_proj.*gated-/],
  ['feed_forward_proj', 3, /feed_forward_proj/],
  ['is_gated_act', 'yes', /is_gated_act/],
  ['tie_word_embeddings', 'no', /tie_word_embeddings/],
  ['decoder_start_token_id', undefined, /neither decoder_start_token_id nor bos_token_id/],
  ['decoder_start_token_id', null, /neither decoder_start_token_id nor bos_token_id/],
  ['decoder_start_token_id', 352, /decoder_start_token_id is 352.*vocab_size \(352\)/],
  ['decoder_start_token_id', '0', /decoder_start_token_id/],
  ['eos_token_id', [1, 'x'], /eos_token_id/],
  ['pad_token_id', 0.5, /pad_token_id/],
];

const OPT_FIELDS: readonly Row[] = [
  ...COUNTS([
    'vocab_size',
    'hidden_size',
    'ffn_dim',
    'num_hidden_layers',
    'num_attention_heads',
    'max_position_embeddings',
  ]),
  ['num_hidden_layers', 257, /num_hidden_layers.*256/],
  ['num_attention_heads', 7, /num_attention_heads is 7.*hidden_size \(60\)/],
  ['word_embed_proj_dim', '60', /word_embed_proj_dim/],
  ['do_layer_norm_before', 1, /do_layer_norm_before/],
  ['_remove_final_layer_norm', 'no', /_remove_final_layer_norm/],
  ['enable_bias', 'yes', /enable_bias/],
  ['layer_norm_elementwise_affine', 0, /layer_norm_elementwise_affine/],
  ['tie_word_embeddings', 'no', /tie_word_embeddings/],
  ['eos_token_id', 'x', /eos_token_id/],
];

const UNSUPPORTED: readonly (readonly [Sizes['type'], ...Row])[] = [
  ['t5', 'dense_act_fn', 'quick_gelu', /dense_act_fn is 'quick_gelu'.*gelu_new/],
  ['t5', 'feed_forward_proj', 'gated-tanh', /feed_forward_proj is 'tanh'/],
  ['t5', 'quantization_config', { quant_method: 'gptq' }, /gptq/],
  ['opt', 'activation_function', 'mish', /activation_function is 'mish'/],
  ['opt', 'word_embed_proj_dim', 32, /word_embed_proj_dim is 32, hidden_size 60.*transformers/],
];

describe('convert refuses fields of text_config', () => {
  it.each(T5_FIELDS)('T5: %s %j', (field, value, message) =>
    expectRefusal(makeTextCheckpoint(TINY_T5, { text: { [field]: value } }), 'CHECKPOINT_INVALID', message));

  it.each(OPT_FIELDS)('OPT: %s %j', (field, value, message) =>
    expectRefusal(makeTextCheckpoint(TINY_OPT, { text: { [field]: value } }), 'CHECKPOINT_INVALID', message));

  it.each(UNSUPPORTED)('%s: %s %j', (type, field, value, message) =>
    expectRefusal(makeTextCheckpoint(TINY[type], { text: { [field]: value } }), 'CHECKPOINT_UNSUPPORTED', message));

  it('takes a missing text_config for OPT in its default size', async () => {
    const folder = makeTextCheckpoint(TINY_OPT);
    const path = join(folder, 'config.json');
    const { text_config: _, ...config } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, json(config));
    await expectRefusal(folder, 'CHECKPOINT_TENSOR_INVALID', /language_projection.*\[60, 32\].*\[768, 32\]/);
  });
});

/** Sizes that fit a config less by one dimension each. */
const MISFITS: readonly (readonly [Sizes['type'], string, RegExp])[] = [
  ['t5', 'd_model', /language_projection\.weight has shape \[64, 32\]/],
  ['t5', 'd_ff', /DenseReluDense\.wi_0\.weight has shape \[96, 64\]/],
  ['t5', 'd_kv', /SelfAttention\.q\.weight has shape \[72, 64\]/],
  ['t5', 'num_heads', /SelfAttention\.q\.weight has shape \[72, 64\]/],
  ['t5', 'relative_attention_num_buckets', /relative_attention_bias\.weight has shape \[10, 3\]/],
  ['t5', 'vocab_size', /shared\.weight has shape \[352, 64\]/],
  ['opt', 'ffn_dim', /fc1\.weight has shape \[96, 60\]/],
  ['opt', 'max_position_embeddings', /embed_positions\.weight has shape \[52, 60\]; config\.json says \[53, 60\]/],
  ['opt', 'vocab_size', /embed_tokens\.weight has shape \[384, 60\]/],
];

/** What `text` is asked for one more of than the weights have. */
function oneMore(sizes: Sizes, field: string): Record<string, unknown> {
  const folder = makeTextCheckpoint(sizes);
  folders.push(folder);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as {
    text_config: Record<string, number>;
  };
  return { [field]: config.text_config[field]! + 1 };
}

const without = (sizes: Sizes, name: string): TextCheckpointOptions => {
  const tensors = textTensors(sizes);
  if (!tensors.delete(name)) throw new Error(`no ${name}`);
  return { tensors };
};

describe.each([
  { ...TINY_T5 },
  { ...TINY_T5, gated: false, tied: true },
  { ...TINY_OPT },
  { ...TINY_OPT, normBefore: false, tied: false },
])('convert refuses a $type checkpoint (tied $tied)', sizes => {
  const names = [...textTensors(sizes).keys()].filter(name => name.startsWith('language_model.'));
  const distinct = names.filter(name => !/\.[1-9]\d*\.(layer\.|self|fc|final)/.test(name));

  it.each(distinct)('without %s', name =>
    expectRefusal(
      makeTextCheckpoint(sizes, without(sizes, name)),
      'CHECKPOINT_TENSOR_MISSING',
      new RegExp(`lacks ${name}$`),
    ));

  it.each(distinct)('with %s in a wrong shape', name => {
    const tensors = textTensors(sizes);
    const { shape, values } = tensors.get(name)!;
    tensors.set(name, { shape: [1, ...shape], values });
    const pattern = new RegExp(`tensor ${name} has shape \\[1, ${shape.join(', ')}\\].*says \\[${shape.join(', ')}\\]`);
    return expectRefusal(makeTextCheckpoint(sizes, { tensors }), 'CHECKPOINT_TENSOR_INVALID', pattern);
  });

  it('with a weight that such a model has not', () => {
    const extra = 'language_model.encoder.block.0.layer.0.SelfAttention.q.bias';
    const tensors = new Map([...textTensors(sizes), [extra, { shape: [72], values: new Float32Array(72) }]]);
    return expectRefusal(makeTextCheckpoint(sizes, { tensors }), 'CHECKPOINT_UNSUPPORTED', /q\.bias/);
  });
});

describe('convert refuses weights that contradict text_config', () => {
  it.each(MISFITS)('%s: %s', (type, field, message) =>
    expectRefusal(
      makeTextCheckpoint(TINY[type], { text: oneMore(TINY[type], field) }),
      'CHECKPOINT_TENSOR_INVALID',
      message,
    ));

  it.each([
    ['num_layers', TINY_T5, /encoder\.block\.2\./],
    ['num_decoder_layers', TINY_T5, /decoder\.block\.3\./],
    ['num_hidden_layers', TINY_OPT, /layers\.2\./],
  ] as const)('one layer more by %s', (field, sizes, message) =>
    expectRefusal(makeTextCheckpoint(sizes, { text: oneMore(sizes, field) }), 'CHECKPOINT_TENSOR_MISSING', message));

  it.each([
    ['gated', TINY_T5, { feed_forward_proj: 'relu' }, /DenseReluDense\.wi\.weight/],
    ['untied', { ...TINY_T5, tied: true }, { tie_word_embeddings: false }, /lm_head/],
    ['untied', TINY_OPT, { tie_word_embeddings: false }, /lm_head/],
    ['pre-norm', { ...TINY_OPT, normBefore: false }, { do_layer_norm_before: true }, /final_layer_norm/],
    ['biased', { ...TINY_OPT, bias: false }, { enable_bias: true }, /q_proj\.bias/],
  ] as const)('%s without the tensors of it', (_, sizes, text, message) =>
    expectRefusal(makeTextCheckpoint(sizes, { text }), 'CHECKPOINT_TENSOR_MISSING', message));

  it.each([
    ['layers', TINY_T5, { num_layers: 1, num_decoder_layers: 3 }, /encoder\.block\.1/],
    ['layers', TINY_OPT, { num_hidden_layers: 1 }, /layers\.1/],
    ['a final norm', TINY_OPT, { do_layer_norm_before: false }, /final_layer_norm/],
    ['biases', TINY_OPT, { enable_bias: false }, /bias/],
    ['norms with weights', TINY_OPT, { layer_norm_elementwise_affine: false }, /layer_norm/],
  ] as const)('%s that the config has not', (_, sizes, text, message) =>
    expectRefusal(makeTextCheckpoint(sizes, { text }), 'CHECKPOINT_UNSUPPORTED', message));
});

describe('convert refuses a folder without a tokenizer', () => {
  it.each([TINY_T5, TINY_OPT])('$type', sizes => {
    const folder = makeTextCheckpoint(sizes);
    for (const file of ['tokenizer.json', 'vocab.json', 'merges.txt']) rmSync(join(folder, file), { force: true });
    return expectRefusal(folder, 'CHECKPOINT_NOT_FOUND', /no tokenizer\.json, no spiece\.model/);
  });

  it('with a tokenizer.json of a kind that neither model has', () => {
    const folder = makeTextCheckpoint(TINY_T5);
    writeFileSync(join(folder, 'tokenizer.json'), json({ model: { type: 'WordPiece', vocab: {} } }));
    return expectRefusal(folder, 'CHECKPOINT_UNSUPPORTED', /"WordPiece".*Unigram.*BPE/);
  });
});
