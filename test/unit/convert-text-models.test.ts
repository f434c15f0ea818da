import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConvertOptions, convert } from '../../src/convert/convert.js';
import { quantize } from '../../src/convert/quantize.js';
import { floatsOf, readTestGguf } from './support/gguf.js';
import { makeTextCheckpoint, TINY_OPT, TINY_T5, textTensors } from './support/text-checkpoint.js';

const folders: string[] = [];
const keep = (folder: string): string => {
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function converted(checkpoint: string, options: ConvertOptions = {}) {
  const out = keep(mkdtempSync(join(tmpdir(), 'instructblip-out-')));
  const types = { languageModelType: 'F32', visionType: 'F32', name: 'tiny', ...options } as const;
  const paths = await convert(keep(checkpoint), out, types);
  return { ...paths, out, vision: readTestGguf(paths.visionPath), language: readTestGguf(paths.languageModelPath) };
}

const ROOT = 'language_model';

describe('convert of a T5 checkpoint', () => {
  it('writes every weight under its name of llama.cpp', async () => {
    const { vision, language } = await converted(makeTextCheckpoint(TINY_T5));
    const tensors = textTensors(TINY_T5);
    expect(vision.tensors.size + language.tensors.size).toBe(tensors.size);
    const pairs = {
      'token_embd.weight': 'shared.weight',
      'output.weight': 'lm_head.weight',
      'enc.output_norm.weight': 'encoder.final_layer_norm.weight',
      'dec.output_norm.weight': 'decoder.final_layer_norm.weight',
      'enc.blk.0.attn_rel_b.weight': 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
      'enc.blk.1.attn_q.weight': 'encoder.block.1.layer.0.SelfAttention.q.weight',
      'enc.blk.1.attn_o.weight': 'encoder.block.1.layer.0.SelfAttention.o.weight',
      'enc.blk.1.attn_norm.weight': 'encoder.block.1.layer.0.layer_norm.weight',
      'enc.blk.1.ffn_gate.weight': 'encoder.block.1.layer.1.DenseReluDense.wi_0.weight',
      'enc.blk.1.ffn_up.weight': 'encoder.block.1.layer.1.DenseReluDense.wi_1.weight',
      'enc.blk.1.ffn_norm.weight': 'encoder.block.1.layer.1.layer_norm.weight',
      'dec.blk.0.attn_rel_b.weight': 'decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
      'dec.blk.2.attn_v.weight': 'decoder.block.2.layer.0.SelfAttention.v.weight',
      'dec.blk.2.cross_attn_k.weight': 'decoder.block.2.layer.1.EncDecAttention.k.weight',
      'dec.blk.2.cross_attn_norm.weight': 'decoder.block.2.layer.1.layer_norm.weight',
      'dec.blk.2.ffn_down.weight': 'decoder.block.2.layer.2.DenseReluDense.wo.weight',
      'dec.blk.2.ffn_norm.weight': 'decoder.block.2.layer.2.layer_norm.weight',
    };
    for (const [name, source] of Object.entries(pairs))
      expect(floatsOf(language, name)).toEqual(tensors.get(`${ROOT}.${source}`)!.values);
    expect(language.tensors.get('enc.blk.0.attn_q.weight')!.shape).toEqual([72, 64]);
    expect(language.tensors.get('dec.blk.0.cross_attn_o.weight')!.shape).toEqual([64, 72]);
    expect(language.tensors.get('dec.blk.0.attn_rel_b.weight')!.shape).toEqual([10, 3]);
    expect(language.tensors.has('dec.blk.1.attn_rel_b.weight')).toBe(false);
  });

  it('describes it, with the defaults of transformers for what the config leaves out', async () => {
    const { vision, language } = await converted(makeTextCheckpoint(TINY_T5, { text: { bos_token_id: 1 } }));
    expect(Object.fromEntries(language.metadata)).toMatchObject({
      'general.architecture': 't5',
      't5.context_length': 512,
      't5.embedding_length': 64,
      't5.feed_forward_length': 96,
      't5.block_count': 2,
      't5.decoder_block_count': 3,
      't5.attention.head_count': 3,
      't5.attention.key_length': 24,
      't5.attention.value_length': 24,
      't5.attention.layer_norm_epsilon': Math.fround(1e-6),
      't5.attention.layer_norm_rms_epsilon': Math.fround(1e-6),
      't5.attention.relative_buckets_count': 10,
      't5.decoder_start_token_id': 0,
      'instructblip.t5.relative_attention_max_distance': 128,
      'instructblip.t5.dense_act_fn': 'gelu_new',
      'tokenizer.ggml.model': 't5',
    });
    expect((language.metadata.get('tokenizer.ggml.tokens') as string[]).length).toBe(TINY_T5.vocabulary);
    expect(Object.fromEntries(vision.metadata)).toMatchObject({
      'clip.vision.projection_dim': 64,
      'instructblip.text.model_type': 't5',
      'instructblip.text.vocab_size': 352,
      'instructblip.text.prompt_bos_token_id': -1,
      'instructblip.text.prompt_eos_token_id': 1,
      'instructblip.text.decoder_start_token_id': 0,
      'instructblip.text.clean_up_tokenization_spaces': true,
      'instructblip.text.bos_token_id': 1,
      'instructblip.text.pad_token_id': 0,
      'instructblip.text.eos_token_ids': [1],
    });
  });

  it.each([
    { tied: false, names: ['encoder.embed_tokens'] },
    { tied: false, names: ['decoder.embed_tokens'] },
    { tied: false, names: ['shared', 'encoder.embed_tokens', 'decoder.embed_tokens'] },
    { tied: true, names: ['encoder.embed_tokens', 'decoder.embed_tokens'] },
    { tied: true, names: ['lm_head'] },
    { tied: true, names: ['shared', 'lm_head'] },
  ])('finds the embedding as $names (tied $tied)', async ({ tied, names }) => {
    const sizes = { ...TINY_T5, tied };
    const tensors = textTensors(sizes);
    const embedding = tensors.get(`${ROOT}.shared.weight`)!;
    tensors.delete(`${ROOT}.shared.weight`);
    // Should they differ, the last of HF's modules has loaded its values over the others'.
    const valuesOf = (index: number) => embedding.values.map(value => value + index);
    for (const [i, name] of names.entries())
      tensors.set(`${ROOT}.${name}.weight`, { shape: embedding.shape, values: valuesOf(i) });
    const { language } = await converted(makeTextCheckpoint(sizes, { tensors }));
    expect(floatsOf(language, 'token_embd.weight')).toEqual(valuesOf(names.length - 1));
    expect(language.tensors.has('output.weight')).toBe(!tied);
  });

  it('ignores the position bias of a cross-attention, which old checkpoints carry and no model reads', async () => {
    const name = `${ROOT}.decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight`;
    const tensors = new Map([...textTensors(TINY_T5), [name, { shape: [10, 3], values: new Float32Array(30) }]]);
    const { language } = await converted(makeTextCheckpoint(TINY_T5, { tensors }));
    expect([...language.tensors.keys()].filter(key => key.includes('rel_b'))).toHaveLength(2);
  });

  it('has no gate where the feed-forward is plain', async () => {
    const sizes = { ...TINY_T5, gated: false };
    const { language } = await converted(makeTextCheckpoint(sizes));
    const wi = textTensors(sizes).get(`${ROOT}.decoder.block.1.layer.2.DenseReluDense.wi.weight`)!;
    expect(floatsOf(language, 'dec.blk.1.ffn_up.weight')).toEqual(wi.values);
    expect([...language.tensors.keys()].some(name => name.includes('ffn_gate'))).toBe(false);
    expect(language.metadata.get('instructblip.t5.dense_act_fn')).toBe('relu');
  });
});

describe('convert of an OPT checkpoint', () => {
  it('writes every weight', async () => {
    const { vision, language } = await converted(makeTextCheckpoint(TINY_OPT));
    const tensors = textTensors(TINY_OPT);
    expect(vision.tensors.size + language.tensors.size).toBe(tensors.size);
    const pairs = {
      'token_embd.weight': 'embed_tokens.weight',
      'position_embd.weight': 'embed_positions.weight',
      'blk.1.attn_q.weight': 'layers.1.self_attn.q_proj.weight',
      'blk.1.attn_v.bias': 'layers.1.self_attn.v_proj.bias',
      'blk.1.attn_output.weight': 'layers.1.self_attn.out_proj.weight',
      'blk.1.attn_norm.bias': 'layers.1.self_attn_layer_norm.bias',
      'blk.1.ffn_up.weight': 'layers.1.fc1.weight',
      'blk.1.ffn_up.bias': 'layers.1.fc1.bias',
      'blk.1.ffn_down.weight': 'layers.1.fc2.weight',
      'blk.1.ffn_norm.weight': 'layers.1.final_layer_norm.weight',
      'output_norm.weight': 'final_layer_norm.weight',
      'output_norm.bias': 'final_layer_norm.bias',
    };
    for (const [name, source] of Object.entries(pairs))
      expect(floatsOf(language, name)).toEqual(tensors.get(`${ROOT}.model.decoder.${source}`)!.values);
    expect(language.tensors.get('position_embd.weight')!.shape).toEqual([52, 60]);
    expect(language.tensors.has('output.weight')).toBe(false);
  });

  it('describes it, with the defaults of transformers for what the config leaves out', async () => {
    const { vision, language } = await converted(makeTextCheckpoint(TINY_OPT));
    expect(Object.fromEntries(language.metadata)).toMatchObject({
      'general.architecture': 'opt',
      'opt.context_length': 50,
      'opt.embedding_length': 60,
      'opt.feed_forward_length': 96,
      'opt.block_count': 2,
      'opt.attention.head_count': 3,
      'opt.attention.layer_norm_epsilon': Math.fround(1e-5),
      'opt.word_embed_proj_dim': 60,
      'opt.do_layer_norm_before': true,
      'opt.activation_function': 'relu',
      'tokenizer.ggml.model': 'gpt2',
    });
    expect((language.metadata.get('tokenizer.ggml.tokens') as string[]).length).toBe(TINY_OPT.vocabulary);
    expect(Object.fromEntries(vision.metadata)).toMatchObject({
      'instructblip.text.model_type': 'opt',
      'instructblip.text.prompt_bos_token_id': 2,
      'instructblip.text.prompt_eos_token_id': -1,
      'instructblip.text.decoder_start_token_id': -1,
      'instructblip.text.clean_up_tokenization_spaces': true,
      'instructblip.text.bos_token_id': 2,
      'instructblip.text.pad_token_id': 1,
      'instructblip.text.eos_token_ids': [2],
    });
  });

  it('takes a model without an end token', async () => {
    const { vision } = await converted(makeTextCheckpoint(TINY_OPT, { text: { eos_token_id: null } }));
    expect([...(vision.metadata.get('instructblip.text.eos_token_ids') as number[])]).toEqual([]);
  });

  it.each([TINY_T5, TINY_OPT])('leaves out end tokens beyond the vocabulary (%#)', async sizes => {
    const { vision } = await converted(makeTextCheckpoint(sizes, { text: { eos_token_id: [3, 2 ** 31 - 1] } }));
    expect([...(vision.metadata.get('instructblip.text.eos_token_ids') as number[])]).toEqual([3]);
  });

  it('has no final norm with norms behind the sums, no biases and a head of its own where the config says so', async () => {
    const sizes = { ...TINY_OPT, normBefore: false, bias: false, tied: false };
    const { language } = await converted(makeTextCheckpoint(sizes));
    const head = textTensors(sizes).get(`${ROOT}.lm_head.weight`)!;
    expect(floatsOf(language, 'output.weight')).toEqual(head.values);
    expect(language.metadata.get('opt.do_layer_norm_before')).toBe(false);
    const biases = [...language.tensors.keys()].filter(name => name.endsWith('.bias'));
    expect(biases.every(name => name.endsWith('_norm.bias'))).toBe(true);
    expect(language.tensors.has('output_norm.weight')).toBe(false);
  });

  it('leaves the final norm out where old fine-tuned checkpoints have none', async () => {
    const tensors = textTensors(TINY_OPT);
    for (const part of ['weight', 'bias']) tensors.delete(`${ROOT}.model.decoder.final_layer_norm.${part}`);
    const text = { _remove_final_layer_norm: true };
    const { language } = await converted(makeTextCheckpoint(TINY_OPT, { tensors, text }));
    expect([...language.tensors.keys()].filter(name => name.startsWith('output'))).toEqual([]);
  });

  it('writes ones and zeros for norms without weights', async () => {
    const tensors = new Map([...textTensors(TINY_OPT)].filter(([name]) => !/model\.decoder.*layer_norm/.test(name)));
    const text = { layer_norm_elementwise_affine: false };
    const { language } = await converted(makeTextCheckpoint(TINY_OPT, { tensors, text }));
    for (const norm of ['blk.0.attn_norm', 'blk.1.ffn_norm', 'output_norm']) {
      expect(floatsOf(language, `${norm}.weight`)).toEqual(new Float32Array(60).fill(1));
      expect(floatsOf(language, `${norm}.bias`)).toEqual(new Float32Array(60));
    }
  });
});

describe('either kind of model', () => {
  it.each([
    { sizes: TINY_T5, kind: 'gpt2' },
    { sizes: TINY_OPT, kind: 't5' },
  ])('takes the tokenizer that its folder holds ($sizes.type with $kind)', async ({ sizes, kind }) => {
    const { language } = await converted(makeTextCheckpoint(sizes, { otherTokenizer: true }));
    expect(language.metadata.get('tokenizer.ggml.model')).toBe(kind);
    expect((language.metadata.get('tokenizer.ggml.tokens') as string[]).length).toBe(sizes.vocabulary);
  });

  it.each([TINY_T5, TINY_OPT])('$type: quantize makes the same file as convert does, in every type', async sizes => {
    const checkpoint = makeTextCheckpoint(sizes);
    const { languageModelPath: exact, out } = await converted(checkpoint);
    for (const type of ['F16', 'BF16', 'Q8_0', 'Q4_0', 'Q5_K_M', 'Q4_K_M', 'Q6_K'] as const) {
      const direct = await converted(checkpoint, { languageModelType: type });
      await quantize(exact, join(out, `${type}.gguf`), { type });
      const twoSteps = readTestGguf(join(out, `${type}.gguf`));
      expect(Object.fromEntries(twoSteps.metadata)).toEqual(Object.fromEntries(direct.language.metadata));
      const contents = ({ tensors }: typeof twoSteps) =>
        [...tensors].map(([name, { type: id, shape, bytes }]) => [name, id, shape, bytes.toString('base64')]);
      expect(contents(twoSteps)).toEqual(contents(direct.language));
      for (const name of ['position_embd.weight', 'enc.blk.0.attn_rel_b.weight', 'dec.blk.0.attn_rel_b.weight'])
        expect(twoSteps.tensors.get(name)?.type ?? 0).toBe(0);
    }
  });

  it('gives the same bytes every time', async () => {
    const [first, second] = [
      await converted(makeTextCheckpoint(TINY_T5)),
      await converted(makeTextCheckpoint(TINY_T5)),
    ];
    for (const path of ['visionPath', 'languageModelPath'] as const)
      expect(readFileSync(first[path]).equals(readFileSync(second[path]))).toBe(true);
  });
});
