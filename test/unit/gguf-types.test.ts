import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { languageTensorTypes, visionMatrixType } from '../../src/convert/type-policy.js';
import { layoutGguf, string, u32 } from '../../src/gguf/gguf-header.js';
import { type LanguageModelType, parseFileType, VISION_TYPES } from '../../src/gguf/tensor-types.js';

interface Mixture {
  architecture: string;
  layers: number;
  decoderLayers: number;
  embedding: number;
  feedForward: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  vocabulary: number;
  tied: boolean;
  gated: boolean;
  types: Record<LanguageModelType, string>;
}

// Made by llama.cpp itself: test/reference/llama-cpp-oracle.cpp.
const fixture = join(__dirname, '../fixtures/quantize-mixtures.json');
const mixtures = JSON.parse(readFileSync(fixture, 'utf8')) as Mixture[];

type NamedShape = readonly [string, number[]];

function blockOf(mixture: Mixture, block: string, attentions: readonly string[]): NamedShape[] {
  const { embedding: n, feedForward: f, heads, kvHeads, headSize } = mixture;
  const output = mixture.architecture === 't5' ? 'o' : 'output';
  const matrices = attentions.flatMap((name): NamedShape[] => [
    [`${name}_q`, [heads * headSize, n]],
    [`${name}_k`, [kvHeads * headSize, n]],
    [`${name}_v`, [kvHeads * headSize, n]],
    [`${name}_${output}`, [n, heads * headSize]],
  ]);
  if (mixture.gated) matrices.push(['ffn_gate', [f, n]]);
  matrices.push(['ffn_up', [f, n]], ['ffn_down', [n, f]]);
  return matrices.map(([name, shape]) => [`${block}.${name}.weight`, shape]);
}

/** In the order of the fixture. */
function tensorsOf(mixture: Mixture): NamedShape[] {
  const { layers, decoderLayers, vocabulary, embedding } = mixture;
  const blocks = (count: number, prefix: string, attentions: readonly string[]) =>
    Array.from({ length: count }, (_, i) => blockOf(mixture, `${prefix}.${i}`, attentions)).flat();
  const table: NamedShape = ['token_embd.weight', [vocabulary, embedding]];
  const head: NamedShape = ['output.weight', [vocabulary, embedding]];
  return [
    table,
    ...blocks(layers, mixture.architecture === 't5' ? 'enc.blk' : 'blk', ['attn']),
    ...blocks(decoderLayers, 'dec.blk', ['attn', 'cross_attn']),
    ...(mixture.tied ? [] : [head]),
  ];
}

describe('language model types', () => {
  const cases = mixtures.flatMap(mixture =>
    Object.keys(mixture.types).map(type => ({ mixture, type: type as LanguageModelType, ...mixture })),
  );
  it.each(
    cases,
  )('$type of $architecture, $layers + $decoderLayers layers, $embedding wide, $kvHeads/$heads heads, tied $tied: as llama.cpp', ({
    mixture,
    type,
  }) => {
    const tensors = tensorsOf(mixture).map(([name, shape]) => ({ name, shape }));
    const types = languageTensorTypes(type, tensors, mixture);
    expect(tensors.map(({ name }) => types.get(name)).join(' ')).toBe(mixture.types[type]);
  });

  it.each(['Q4_K_M', 'F16', 'BF16'] as const)('leaves norms, biases and tables of positions in F32 (%s)', type => {
    const model = { architecture: 't5', layers: 2, heads: 4, kvHeads: 4 };
    const shapes: NamedShape[] = [
      ['blk.0.attn_norm.weight', [256]],
      ['blk.0.attn_q.bias', [256]],
      ['blk.0.ffn_down.bias', [256]],
      ['enc.blk.0.attn_rel_b.weight', [32, 256]],
      ['dec.blk.0.cross_attn_rel_b.weight', [32, 256]],
      ['position_embd.weight', [514, 256]],
    ];
    const tensors = shapes.map(([name, shape]) => ({ name, shape }));
    expect([...languageTensorTypes(type, tensors, model).values()]).toEqual(shapes.map(() => 'f32'));
  });
});

describe('vision types', () => {
  it('falls back to F16 where rows are not whole blocks', () => {
    expect(visionMatrixType('Q4_0', [4224, 1408])).toBe('q4_0');
    expect(visionMatrixType('Q8_0', [10, 37])).toBe('f16');
    expect(visionMatrixType('Q4_0', [10, 37])).toBe('f16');
    expect(visionMatrixType('BF16', [10, 37])).toBe('bf16');
  });

  it('refuses K-quants, naming the types', () => {
    expect(() => parseFileType('Q4_K_M', VISION_TYPES, 'visionType')).toThrow(
      /visionType.*Q4_K_M.*F32, F16, BF16, Q8_0, Q4_0/,
    );
    expect(parseFileType('q8_0', VISION_TYPES, 'visionType')).toBe('Q8_0');
  });
});

describe('layoutGguf', () => {
  it('aligns every tensor and knows the size of the file', () => {
    const entries = [string('general.architecture', 'llama'), u32('a', 7)];
    const { header, offsets, fileSize } = layoutGguf(entries, [
      { name: 'x', shape: [3], type: 'f32' },
      { name: 'y', shape: [2, 64], type: 'q8_0' },
      { name: 'z', shape: [5], type: 'f16' },
    ]);
    expect(header.length % 32).toBe(0);
    expect(offsets).toEqual([header.length, header.length + 32, header.length + 32 + 160]);
    expect(fileSize).toBe(header.length + 32 + 160 + 32);
  });

  it('keeps long strings whole when its buffer grows', () => {
    const values = Array.from({ length: 50 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(4000));
    const { header } = layoutGguf(
      values.map((value, i) => string(`key${i}`, value)),
      [],
    );
    const text = header.toString('latin1');
    for (const [i, value] of values.entries())
      expect(text).toContain(`key${i}\u0008\0\0\0\u00a0\u000f\0\0\0\0\0\0${value}`);
  });
});
