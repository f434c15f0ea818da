import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConvertOptions, convert } from '../../src/convert/convert.js';
import {
  configJson,
  json,
  makeCheckpoint,
  sentencePieceModel,
  TINY,
  tinyTensors,
  tokenizerJson,
} from './support/checkpoint.js';
import { safetensors, type TestTensor, writeShards } from './support/safetensors.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

type Json = Record<string, Record<string, unknown>>;
const patchJson = (folder: string, file: string, change: (value: Json) => void): void => {
  const path = join(folder, file);
  const value = (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}) as Json;
  change(value);
  writeFileSync(path, json(value));
};
const patchConfig = (change: (config: Json) => void) => (folder: string) => patchJson(folder, 'config.json', change);
const remove = (folder: string, ...files: string[]) => {
  for (const file of files) rmSync(join(folder, file));
};
const weights = (folder: string, ...rest: Parameters<typeof safetensors>) =>
  writeFileSync(join(folder, 'model.safetensors'), safetensors(...rest));
const changed = (name: string, tensor: TestTensor) => new Map([...tinyTensors(TINY), [name, tensor]]);
const QUERY = 'language_model.model.layers.0.self_attn.q_proj.weight';

interface Case {
  readonly what: string;
  readonly prepare: (folder: string) => void;
  readonly code: string;
  readonly message: RegExp;
  readonly options?: ConvertOptions;
}

const KINDS: Case[] = [
  { what: 'no config', prepare: f => remove(f, 'config.json'), code: 'CHECKPOINT_NOT_FOUND', message: /config\.json/ },
  {
    what: 'a config that is not JSON',
    prepare: f => writeFileSync(join(f, 'config.json'), '{'),
    code: 'CHECKPOINT_INVALID',
    message: /not JSON/,
  },
  {
    what: 'BLIP-2',
    prepare: patchConfig(c => Object.assign(c, { model_type: 'blip-2' })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /BLIP-2.*InstructBLIP/,
  },
  {
    what: 'another model',
    prepare: patchConfig(c => Object.assign(c, { model_type: 'llava' })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /'llava'/,
  },
  ...['mt5', 'gpt2', 'constructor'].map(type => ({
    what: `a ${type} language model`,
    prepare: patchConfig(c => Object.assign(c.text_config!, { model_type: type })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: new RegExp(`'${type}'.*llama.*t5.*opt`),
  })),
  {
    what: 'a language model without a type (HF: opt)',
    prepare: patchConfig(c => delete c.text_config!.model_type),
    code: 'CHECKPOINT_TENSOR_MISSING',
    message: /language_model\.model\.decoder\.embed_tokens/,
  },
  {
    what: 'GPTQ',
    prepare: patchConfig(c => Object.assign(c, { quantization_config: { quant_method: 'gptq', bits: 4 } })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /gptq.*original/,
  },
  {
    what: '8-bit',
    prepare: patchConfig(c => Object.assign(c, { quantization_config: { load_in_8bit: true } })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /8-bit/,
  },
  {
    what: 'GPTQ tensors',
    prepare: f => {
      const tensors = tinyTensors(TINY);
      tensors.set(QUERY.replace('weight', 'qweight'), tensors.get(QUERY)!);
      tensors.delete(QUERY);
      weights(f, tensors, 'F32');
    },
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /already quantized.*qweight/,
  },
  {
    what: 'dynamic rope scaling',
    prepare: patchConfig(c => Object.assign(c.text_config!, { rope_scaling: { type: 'dynamic', factor: 2 } })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /dynamic/,
  },
  {
    what: 'another activation',
    prepare: patchConfig(c => Object.assign(c.vision_config!, { hidden_act: 'quick_gelu' })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /vision_config: hidden_act is 'quick_gelu'/,
  },
  ...(
    [
      ['num_attention_heads', 5, /divisor/],
      ['num_attention_heads', 0, /positive whole/],
      ['num_hidden_layers', 2 ** 31 - 1, /from 1 to 512/],
      ['num_key_value_heads', 3, /num_key_value_heads.*divisor/],
      ['hidden_size', '64', /hidden_size is "64"/],
      ['rms_norm_eps', -1, /rms_norm_eps/],
      ['rms_norm_eps', 1.5, /rms_norm_eps.*at most 1/],
      ['eos_token_id', ['x'], /eos_token_id/],
    ] as const
  ).map(([name, value, message]) => ({
    what: `text_config.${name} ${JSON.stringify(value)}`,
    prepare: patchConfig(c => Object.assign(c.text_config!, { [name]: value })),
    code: 'CHECKPOINT_INVALID',
    message,
  })),
  ...(
    [
      ['vision_config', 'layer_norm_eps', 2, /vision_config: layer_norm_eps.*at most 1/],
      ['qformer_config', 'layer_norm_eps', 1e-46, /qformer_config: layer_norm_eps.*above 0/],
      ['qformer_config', 'cross_attention_frequency', 257, /cross_attention_frequency.*256/],
    ] as const
  ).map(([part, name, value, message]) => ({
    what: `${part}.${name} ${value}, which the core does not run`,
    prepare: patchConfig(c => Object.assign(c[part]!, { [name]: value })),
    code: 'CHECKPOINT_INVALID',
    message,
  })),
  {
    what: 'an image token beyond the vocabulary',
    prepare: patchConfig(c => Object.assign(c, { image_token_index: 320 })),
    code: 'CHECKPOINT_INVALID',
    message: /image_token_index/,
  },
  {
    what: 'no preprocessor_config',
    prepare: f => remove(f, 'preprocessor_config.json'),
    code: 'CHECKPOINT_NOT_FOUND',
    message: /preprocessor_config/,
  },
  {
    what: 'a mean that F32 cannot hold',
    prepare: f => patchJson(f, 'preprocessor_config.json', c => Object.assign(c, { image_mean: [1e308, 0, 0] })),
    code: 'CHECKPOINT_INVALID',
    message: /image_mean/,
  },
  ...[{ image_std: [1e-46, 1, 1] }, { image_std: [1, 1e-40, 1] }, { rescale_factor: 1e308 }].map(change => ({
    what: `pixels that F32 cannot hold: ${JSON.stringify(change)}`,
    prepare: (f: string) => patchJson(f, 'preprocessor_config.json', c => Object.assign(c, change)),
    code: 'CHECKPOINT_INVALID',
    message: /image_std/,
  })),
  {
    what: "pictures of a size that the encoder does not take (HF's default)",
    prepare: f => patchJson(f, 'preprocessor_config.json', c => delete c.size),
    code: 'CHECKPOINT_INVALID',
    message: /384x384.*28x28/,
  },
];

const WEIGHTS: Case[] = [
  {
    what: 'a folder in place of the weights',
    prepare: f => {
      remove(f, 'model.safetensors');
      mkdirSync(join(f, 'model.safetensors', 'x'), { recursive: true });
    },
    code: 'CHECKPOINT_INVALID',
    message: /model\.safetensors.*(cannot be read|not a safetensors file)/,
  },
  {
    what: 'pickle weights only',
    prepare: f => {
      remove(f, 'model.safetensors');
      writeFileSync(join(f, 'pytorch_model-00001-of-00002.bin'), 'x');
    },
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /pytorch_model-00001.*pickle.*safe_serialization/,
  },
  {
    what: 'no weights',
    prepare: f => remove(f, 'model.safetensors'),
    code: 'CHECKPOINT_NOT_FOUND',
    message: /no model/,
  },
  {
    what: 'a missing shard',
    prepare: f => {
      remove(f, 'model.safetensors');
      writeShards(f, tinyTensors(TINY), 'F32', 3);
      remove(f, 'model-00002-of-00003.safetensors');
    },
    code: 'CHECKPOINT_NOT_FOUND',
    message: /1 of 3.*model-00002-of-00003\.safetensors/,
  },
  {
    what: 'a tensor of the index that is not in its shard',
    prepare: f => {
      remove(f, 'model.safetensors');
      writeShards(f, tinyTensors(TINY), 'F32', 2);
      patchJson(f, 'model.safetensors.index.json', c =>
        Object.assign(c.weight_map!, { extra: 'model-00001-of-00002.safetensors' }),
      );
    },
    code: 'CHECKPOINT_TENSOR_MISSING',
    message: /extra/,
  },
  {
    what: 'an index that leaves the folder',
    prepare: f => {
      remove(f, 'model.safetensors');
      writeFileSync(join(f, 'model.safetensors.index.json'), json({ weight_map: { a: '../a.safetensors' } }));
    },
    code: 'CHECKPOINT_INVALID',
    message: /weight_map/,
  },
  {
    what: 'missing tensors',
    prepare: f => {
      const tensors = tinyTensors(TINY);
      for (const name of ['query_tokens', QUERY]) tensors.delete(name);
      weights(f, tensors, 'F32');
    },
    code: 'CHECKPOINT_TENSOR_MISSING',
    message: /q_proj\.weight|query_tokens/,
  },
  {
    what: 'a tensor that the model has not',
    prepare: f => weights(f, changed('qformer.extra', { shape: [1], values: new Float32Array(1) }), 'F32'),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /qformer\.extra/,
  },
  {
    what: 'a wrong shape',
    prepare: f => weights(f, changed(QUERY, { shape: [64, 32], values: new Float32Array(64 * 32) }), 'F32'),
    code: 'CHECKPOINT_TENSOR_INVALID',
    message: /q_proj\.weight has shape \[64, 32\]; config\.json says \[64, 64\]/,
  },
  {
    what: 'a wrong dtype',
    prepare: f => weights(f, tinyTensors(TINY), name => (name === QUERY ? 'I64' : 'F32')),
    code: 'CHECKPOINT_TENSOR_INVALID',
    message: /q_proj\.weight has dtype I64/,
  },
  ...(
    [
      ['out-of-range offsets', [0, 1e12], /outside/],
      ['reversed offsets', [16, 0], /outside/],
      ['negative offsets', [-4, 16380], /impossible data_offsets/],
      ['a byte length that is not its shape', [0, 8], /has 8 bytes/],
      ['an overlap', [4, 16388], /overlaps|gap/],
    ] as const
  ).map(([what, offsets, message]) => ({
    what,
    prepare: (f: string) =>
      weights(f, tinyTensors(TINY), 'F32', header => {
        header[QUERY]!.data_offsets = [...offsets];
      }),
    code: 'CHECKPOINT_TENSOR_INVALID',
    message,
  })),
  {
    what: 'a gap',
    prepare: f => weights(f, tinyTensors(TINY), 'F32', header => delete header[QUERY]),
    code: 'CHECKPOINT_TENSOR_INVALID',
    message: /leaves a gap/,
  },
  {
    what: 'bytes after the last tensor',
    prepare: f => {
      const path = join(f, 'model.safetensors');
      writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(9)]));
    },
    code: 'CHECKPOINT_INVALID',
    message: /9 bytes after/,
  },
  ...[0, 7, 100, 5000, -1].map(length => ({
    what: `a file cut to ${length} bytes`,
    prepare: (f: string) => {
      const path = join(f, 'model.safetensors');
      writeFileSync(path, readFileSync(path).subarray(0, length));
    },
    code: length === -1 ? 'CHECKPOINT_TENSOR_INVALID' : 'CHECKPOINT_INVALID',
    message: /safetensors/,
  })),
  {
    what: 'a Git LFS pointer',
    prepare: f =>
      writeFileSync(join(f, 'model.safetensors'), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
    code: 'CHECKPOINT_INVALID',
    message: /LFS/,
  },
  ...[Number.NaN, Number.POSITIVE_INFINITY].flatMap(value =>
    (['F32', 'F16', 'Q8_0'] as const).map(type => ({
      what: `${value} among the weights, to ${type}`,
      prepare: (f: string) => {
        const values = new Float32Array(64 * 64);
        values[4000] = value;
        weights(f, changed(QUERY, { shape: [64, 64], values }), 'F32');
      },
      options: { languageModelType: type },
      code: 'CHECKPOINT_TENSOR_INVALID',
      message: /blk\.0\.attn_q\.weight.*not finite/,
    })),
  ),
  {
    what: 'values beyond F16',
    prepare: f => {
      const values = new Float32Array(64 * 64).fill(-65520);
      weights(f, changed(QUERY, { shape: [64, 64], values }), 'F32');
    },
    options: { languageModelType: 'F16' },
    code: 'OPTION_INVALID',
    message: /-65520.*BF16 or F32/,
  },
];

const TOKENIZERS: Case[] = [
  {
    what: 'a vocabulary that would take all memory',
    prepare: patchConfig(c => Object.assign(c.text_config!, { vocab_size: 2 ** 31 - 1 })),
    code: 'CHECKPOINT_TENSOR_INVALID',
    message: /embed_tokens.*2147483647/,
  },
  {
    what: "a token id of the Q-Former's that would take all memory",
    prepare: f => patchJson(f, 'qformer_tokenizer/added_tokens.json', c => Object.assign(c, { '[DEC]': 2 ** 32 - 2 })),
    code: 'CHECKPOINT_INVALID',
    message: /'\[DEC\]' has the id 4294967294/,
  },
  {
    what: "such an id in the Q-Former's tokenizer.json",
    prepare: f => {
      remove(f, 'qformer_tokenizer/vocab.txt');
      const model = { type: 'WordPiece', vocab: { '[UNK]': 2 ** 32 - 2 } };
      writeFileSync(join(f, 'qformer_tokenizer', 'tokenizer.json'), json({ model }));
    },
    code: 'CHECKPOINT_INVALID',
    message: /'\[UNK\]' has the id 4294967294/,
  },
  {
    what: 'no tokenizer',
    prepare: f => remove(f, 'tokenizer.model', 'tokenizer.json'),
    code: 'CHECKPOINT_NOT_FOUND',
    message: /neither tokenizer\.model nor tokenizer\.json/,
  },
  {
    what: 'a unigram SentencePiece model',
    prepare: f => writeFileSync(join(f, 'tokenizer.model'), sentencePieceModel(1)),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /BPE/,
  },
  {
    what: 'a damaged SentencePiece model',
    prepare: f => writeFileSync(join(f, 'tokenizer.model'), sentencePieceModel().subarray(0, 1000)),
    code: 'CHECKPOINT_INVALID',
    message: /SentencePiece/,
  },
  {
    what: 'a byte token that is none',
    prepare: f => {
      const model = sentencePieceModel();
      model.write('<0x4g>', model.indexOf('<0x41>'));
      writeFileSync(join(f, 'tokenizer.model'), model);
    },
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /255 byte tokens/,
  },
  {
    what: "GPT-2's kind of tokenizer.json",
    prepare: f => {
      remove(f, 'tokenizer.model');
      patchJson(f, 'tokenizer.json', t => Object.assign(t, { pre_tokenizer: { type: 'ByteLevel' } }));
    },
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /ByteLevel/,
  },
  {
    what: 'a tokenizer.json with a hole among its ids',
    prepare: f => {
      remove(f, 'tokenizer.model');
      const tokenizer = tokenizerJson() as { model: { vocab: Record<string, number> } };
      tokenizer.model.vocab.bc = 5000;
      writeFileSync(join(f, 'tokenizer.json'), json(tokenizer));
    },
    code: 'CHECKPOINT_INVALID',
    message: /ids of model\.vocab/,
  },
  {
    what: 'another tokenizer class',
    prepare: f => patchJson(f, 'tokenizer_config.json', c => Object.assign(c, { tokenizer_class: 'BertTokenizer' })),
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /BertTokenizer/,
  },
  {
    what: 'more tokens than rows',
    prepare: f => {
      const sizes = { ...TINY, vocabulary: 260, imageTokenId: undefined };
      writeFileSync(join(f, 'config.json'), json(configJson(sizes)));
      weights(f, tinyTensors(sizes), 'F32');
    },
    code: 'CHECKPOINT_INVALID',
    message: /268 tokens, the model 260/,
  },
  {
    what: 'no qformer_tokenizer',
    prepare: f => rmSync(join(f, 'qformer_tokenizer'), { recursive: true }),
    code: 'CHECKPOINT_NOT_FOUND',
    message: /qformer_tokenizer/,
  },
  {
    what: 'a qformer_tokenizer that is not WordPiece',
    prepare: f => {
      remove(f, 'qformer_tokenizer/vocab.txt');
      writeFileSync(join(f, 'qformer_tokenizer/tokenizer.json'), json({ model: { type: 'BPE', vocab: {} } }));
    },
    code: 'CHECKPOINT_UNSUPPORTED',
    message: /WordPiece/,
  },
];

describe.each([
  ['config', KINDS],
  ['weights', WEIGHTS],
  ['tokenizers', TOKENIZERS],
] as const)('convert refuses (%s)', (_, cases) => {
  it.each(cases)('$what', async ({ prepare, code, message, options }) => {
    const folder = makeCheckpoint();
    const parent = mkdtempSync(join(tmpdir(), 'instructblip-out-'));
    folders.push(folder, parent);
    prepare(folder);
    const out = join(parent, 'new', 'folder');
    const error = (await convert(folder, out, options).catch(e => e)) as { code: string; message: string };
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(existsSync(join(parent, 'new'))).toBe(false);
  });
});
