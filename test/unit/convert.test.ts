import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConvertOptions, convert } from '../../src/convert/convert.js';
import { makeCheckpoint, QFORMER_WORDS, TINY, type TinySizes, tinyTensors } from './support/checkpoint.js';
import { floatsOf, readTestGguf } from './support/gguf.js';
import { writeShards } from './support/safetensors.js';

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

const source = (sizes: Partial<TinySizes> = {}) => tinyTensors({ ...TINY, ...sizes });

describe('convert', () => {
  it('writes two files of the promised names, and every weight', async () => {
    const { out, vision, language } = await converted(makeCheckpoint());
    expect(readdirSync(out).sort()).toEqual(['mmproj-tiny-F32.gguf', 'tiny-F32.gguf']);
    const tensors = source();
    expect(vision.tensors.size + language.tensors.size).toBe(tensors.size);
    const pairs: [typeof vision, string, string][] = [
      [vision, 'v.class_embd', 'vision_model.embeddings.class_embedding'],
      [vision, 'v.patch_embd.weight', 'vision_model.embeddings.patch_embedding.weight'],
      [vision, 'v.blk.1.attn_qkv.weight', 'vision_model.encoder.layers.1.self_attn.qkv.weight'],
      [vision, 'v.blk.0.ffn_down.bias', 'vision_model.encoder.layers.0.mlp.fc2.bias'],
      [vision, 'v.proj_query', 'query_tokens'],
      [vision, 'v.proj_blk.2.cross_attn_k.weight', 'qformer.encoder.layer.2.crossattention.attention.key.weight'],
      [vision, 'v.proj_blk.1.ffn_up.weight', 'qformer.encoder.layer.1.intermediate_query.dense.weight'],
      [vision, 'v.proj_blk.1.ffn_text_norm.bias', 'qformer.encoder.layer.1.output.LayerNorm.bias'],
      [vision, 'v.proj_linear.weight', 'language_projection.weight'],
      [language, 'token_embd.weight', 'language_model.model.embed_tokens.weight'],
      [language, 'blk.2.ffn_gate.weight', 'language_model.model.layers.2.mlp.gate_proj.weight'],
      [language, 'blk.2.attn_v.weight', 'language_model.model.layers.2.self_attn.v_proj.weight'],
      [language, 'blk.0.ffn_norm.weight', 'language_model.model.layers.0.post_attention_layernorm.weight'],
      [language, 'output.weight', 'language_model.lm_head.weight'],
    ];
    for (const [file, name, original] of pairs) expect(floatsOf(file, name)).toEqual(tensors.get(original)!.values);
    expect(vision.tensors.get('v.patch_embd.weight')!.shape).toEqual([48, 3, 14, 14]);
    expect(vision.tensors.get('v.position_embd.weight')!.shape).toEqual([5, 48]);
    expect(vision.tensors.has('v.proj_blk.1.cross_attn_q.weight')).toBe(false);
  });

  it.each([
    { part: 'q', heads: TINY.heads },
    { part: 'k', heads: TINY.kvHeads },
  ])('orders the rows of $part as llama.cpp does (grouped heads, biases too)', async ({ part, heads }) => {
    const sizes = { attentionBias: true };
    const { language } = await converted(makeCheckpoint({ sizes }));
    const headDim = TINY.hidden / TINY.heads;
    for (const [kind, width] of [
      ['weight', TINY.hidden],
      ['bias', 1],
    ] as const) {
      const original = source(sizes).get(`language_model.model.layers.1.self_attn.${part}_proj.${kind}`)!.values;
      // llama.cpp's formula: reshape(heads, 2, headDim / 2, width).swapaxes(1, 2)
      const expected: number[] = [];
      for (let head = 0; head < heads; head++)
        for (let i = 0; i < headDim / 2; i++)
          for (let half = 0; half < 2; half++)
            for (let column = 0; column < width; column++)
              expected.push(original[((head * 2 + half) * (headDim / 2) + i) * width + column]!);
      expect(floatsOf(language, `blk.1.attn_${part}.${kind}`)).toEqual(Float32Array.from(expected));
    }
  });

  it('leaves the output out when embeddings are tied', async () => {
    const { language } = await converted(makeCheckpoint({ sizes: { tied: true } }));
    expect(language.tensors.has('output.weight')).toBe(false);
  });

  it('writes zeros for a qkv bias that the config has not', async () => {
    const { vision } = await converted(makeCheckpoint({ sizes: { qkvBias: false } }));
    expect(floatsOf(vision, 'v.blk.0.attn_qkv.bias')).toEqual(new Float32Array(3 * 48));
  });

  it.each(['F16', 'BF16'] as const)('reads %s checkpoints: the same files as from F32', async dtype => {
    const types = { languageModelType: 'Q4_K_M', visionType: 'Q8_0' } as const;
    const exact = await converted(makeCheckpoint(), types);
    const half = await converted(makeCheckpoint({ dtype }), types);
    expect(readFileSync(half.languageModelPath).equals(readFileSync(exact.languageModelPath))).toBe(true);
    const bytes = (name: string) => [half, exact].map(({ vision }) => vision.tensors.get(name)!.bytes.toString('hex'));
    for (const name of exact.vision.tensors.keys()) expect(bytes(name)[0]).toBe(bytes(name)[1]);
    const copied = await converted(makeCheckpoint({ dtype }), { languageModelType: dtype, visionType: dtype });
    const made = await converted(makeCheckpoint(), { languageModelType: dtype, visionType: dtype });
    expect(readFileSync(copied.languageModelPath).equals(readFileSync(made.languageModelPath))).toBe(true);
  });

  it('reads shards: the same files as from one', async () => {
    const single = await converted(makeCheckpoint());
    const checkpoint = makeCheckpoint({ withoutWeights: true });
    writeShards(checkpoint, source(), 'F32', 3);
    const sharded = await converted(checkpoint);
    for (const path of ['visionPath', 'languageModelPath'] as const)
      expect(readFileSync(sharded[path]).equals(readFileSync(single[path]))).toBe(true);
  });

  it('describes both models in metadata, with the defaults of transformers for what the config leaves out', async () => {
    const { vision, language } = await converted(makeCheckpoint());
    const expected = {
      'general.architecture': 'clip',
      'clip.projector_type': 'instructblip',
      'clip.vision.attention.head_count': 3,
      'clip.vision.projection_dim': 64,
      'clip.vision.attention.layer_norm_epsilon': Math.fround(2e-6),
      'clip.vision.image_mean': [0.5, 0.25, 0.125],
      'clip.vision.image_std': [0.26862954, 0.26130258, 0.27577711].map(Math.fround),
      'instructblip.qformer.attention.layer_norm_epsilon': Math.fround(1e-12),
      'instructblip.query_count': 5,
      'instructblip.text.prompt_bos_token_id': 2,
      'instructblip.text.bos_token_id': 0,
      'instructblip.text.eos_token_ids': [1],
      'instructblip.text.pad_token_id': 300,
      'instructblip.image_token_id': 301,
      'instructblip.image.rescale_factor': 1 / 255,
      'instructblip.qformer.tokenizer.tokens': [...QFORMER_WORDS, '[DEC]'],
      'instructblip.qformer.tokenizer.cls_token_id': 2,
      'instructblip.qformer.tokenizer.strip_accents': true,
      'instructblip.qformer.tokenizer.special_tokens': [0, 1, 2, 3, 4, 10],
    };
    expect(Object.fromEntries(vision.metadata)).toMatchObject(expected);
    expect(Object.fromEntries(language.metadata)).toMatchObject({
      'general.architecture': 'llama',
      'llama.context_length': 128,
      'llama.attention.head_count_kv': 2,
      'llama.rope.dimension_count': 16,
      'llama.rope.freq_base': 10000,
      'llama.attention.layer_norm_rms_epsilon': Math.fround(1e-6),
      'tokenizer.ggml.bos_token_id': 1,
      'tokenizer.ggml.eos_token_id': 2,
      'tokenizer.ggml.padding_token_id': 300,
      'tokenizer.ggml.add_space_prefix': true,
    });
  });

  it('converts the old revision, without an image token', async () => {
    const checkpoint = makeCheckpoint({ sizes: { vocabulary: 301, imageTokenId: undefined } });
    const { vision, language } = await converted(checkpoint);
    expect(vision.metadata.get('instructblip.image_token_id')).toBe(-1);
    const tokens = language.metadata.get('tokenizer.ggml.tokens') as string[];
    expect(tokens.length).toBe(301);
    expect(tokens[300]).toBe('[PAD]');
  });

  it('writes F16 for the patch embedding of quantized files, and falls back where rows are not whole blocks', async () => {
    const { vision, language } = await converted(makeCheckpoint(), { languageModelType: 'Q4_K_M', visionType: 'Q4_0' });
    const typeOf = (name: string) => vision.tensors.get(name)?.type;
    expect(typeOf('v.patch_embd.weight')).toBe(1);
    expect(typeOf('v.proj_linear.weight')).toBe(2);
    expect(typeOf('v.blk.0.attn_qkv.weight')).toBe(1);
    expect(typeOf('v.position_embd.weight')).toBe(0);
    expect(language.tensors.get('blk.0.attn_q.weight')!.type).toBe(6);
    expect(language.metadata.get('general.file_type')).toBe(15);
  });

  it('reports bytes up to the sum of both files', async () => {
    const seen: { stage: string; loaded: number; total: number }[] = [];
    const { visionPath, languageModelPath } = await converted(makeCheckpoint(), { onProgress: p => seen.push(p) });
    const size = readFileSync(visionPath).length + readFileSync(languageModelPath).length;
    expect(seen.at(-1)).toEqual({ stage: 'language-model', loaded: size, total: size });
    expect(seen.every(({ loaded }, i) => i === 0 || loaded > seen[i - 1]!.loaded)).toBe(true);
  });

  it('rejects unknown options and names that are no file names', async () => {
    const folder = keep(makeCheckpoint());
    await expect(convert(folder, folder, { nme: 'x' } as ConvertOptions)).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
      message: expect.stringContaining("did you mean 'name'"),
    });
    for (const wrong of [null, { force: 'yes' }, { signal: {} }, { onProgress: true }, { name: 5 }]) {
      await expect(convert(folder, folder, wrong as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
    await expect(convert(folder, folder, { name: '../x' })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(convert(folder, folder, { visionType: 'Q6_K' as 'F16' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    writeFileSync(join(folder, 'file'), '');
    await expect(convert(join(folder, 'file'), folder)).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
  });
});
