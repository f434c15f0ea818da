import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { languageTensorType, visionMatrixType } from '../../src/convert/type-policy.js';
import { layoutGguf, string, u32 } from '../../src/gguf/gguf-header.js';
import { type LanguageModelType, parseFileType, VISION_TYPES } from '../../src/gguf/tensor-types.js';

interface Mixture {
  layers: number;
  embedding: number;
  feedForward: number;
  heads: number;
  kvHeads: number;
  vocabulary: number;
  tied: boolean;
  types: Record<LanguageModelType, string>;
}

// Made by llama.cpp itself: test/reference/llama-cpp-oracle.cpp.
const fixture = join(__dirname, '../fixtures/quantize-mixtures.json');
const mixtures = JSON.parse(readFileSync(fixture, 'utf8')) as Mixture[];

function tensorsOf({
  layers,
  embedding: n,
  feedForward: f,
  heads,
  kvHeads,
  vocabulary,
  tied,
}: Mixture): [string, number[]][] {
  const kv = (n / heads) * kvHeads;
  const blocks = Array.from({ length: layers }, (_, i): [string, number[]][] => [
    [`blk.${i}.attn_q.weight`, [n, n]],
    [`blk.${i}.attn_k.weight`, [kv, n]],
    [`blk.${i}.attn_v.weight`, [kv, n]],
    [`blk.${i}.attn_output.weight`, [n, n]],
    [`blk.${i}.ffn_gate.weight`, [f, n]],
    [`blk.${i}.ffn_up.weight`, [f, n]],
    [`blk.${i}.ffn_down.weight`, [n, f]],
  ]).flat();
  const embedding: [string, number[]] = ['token_embd.weight', [vocabulary, n]];
  return [embedding, ...blocks, ...(tied ? [] : [['output.weight', [vocabulary, n]] as [string, number[]]])];
}

describe('language model types', () => {
  const cases = mixtures.flatMap(mixture =>
    Object.keys(mixture.types).map(type => ({ mixture, type: type as LanguageModelType, ...mixture })),
  );
  it.each(cases)('$type of $layers layers, $embedding wide, $kvHeads/$heads heads, tied $tied: as llama.cpp', ({
    mixture,
    type,
  }) => {
    const types = tensorsOf(mixture).map(([name, shape]) => languageTensorType(type, name, shape, mixture));
    expect(types.join(' ')).toBe(mixture.types[type]);
  });

  it('leaves norms and biases in F32', () => {
    const model = { layers: 2, heads: 4, kvHeads: 4, tied: false };
    expect(languageTensorType('Q4_K_M', 'blk.0.attn_norm.weight', [256], model)).toBe('f32');
    expect(languageTensorType('F16', 'blk.0.attn_q.bias', [256], model)).toBe('f32');
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
