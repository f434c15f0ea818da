import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError } from '../../../src/errors.js';
import { InstructBlipProcessor } from '../../../src/processor/instruct-blip-processor.js';
import type { ProcessorTokenizer } from '../../../src/processor/processor-tokenizer.js';
import {
  camelCased,
  choices,
  type DecodedReference,
  makeAddedFolder,
  makeProcessorFolder,
  reference,
} from './support/processor-folders.js';
import { FIXTURES, sha256 } from './support/settings.js';

const digest = (...parts: (string | Int32Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'string' ? part : new Uint8Array(part.buffer));
  return hash.digest().subarray(0, 4).toString('hex');
};
const digestsOf = (packed: string): string[] => Buffer.from(packed, 'base64').toString('hex').match(/.{8}/g) ?? [];

/** As the script has it: zeros for rows that are no tensor, ff for what HF refuses. */
async function outcome(processor: InstructBlipProcessor, options: Record<string, unknown>): Promise<string> {
  try {
    const { inputIds, attentionMask, qformerInputIds, qformerAttentionMask } = await processor.process(
      options as { text: string },
    );
    return digest(inputIds.data, attentionMask.data, qformerInputIds.data, qformerAttentionMask.data);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return /no tensor/.test(error.message) ? '00000000' : 'ffffffff';
  }
}

function checkDecoding(tokenizer: ProcessorTokenizer, { ids, digests, texts }: DecodedReference): void {
  const decoded = ids.flatMap(each => choices(reference.decode).map(options => tokenizer.decode(each, options)));
  expect(decoded.slice(0, texts.length)).toEqual(texts);
  const differing = digestsOf(digests).flatMap((expected, i) =>
    digest(decoded[i] as string) === expected ? [] : [decoded[i]],
  );
  expect(differing).toEqual([]);
  expect(decoded.length).toBe((digests.length * 3) / 16);
}

describe.each(reference.folders)('InstructBlipProcessor is that of transformers 4.34: $name', expected => {
  const folder = makeProcessorFolder(expected);
  let processor: InstructBlipProcessor;
  beforeAll(async () => {
    processor = await InstructBlipProcessor.fromPretrained(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('sides, lengths and padding', () => {
    for (const [name, tokenizer] of [
      ['tokenizer', processor.tokenizer],
      ['qformer_tokenizer', processor.qformerTokenizer],
    ] as const) {
      const { paddingSide, truncationSide, modelMaxLength, padTokenId } = tokenizer;
      const length = Number.isFinite(modelMaxLength) ? modelMaxLength : null;
      expect([paddingSide, truncationSide, length, padTokenId]).toEqual(expected[name].sides);
      expect(tokenizer.vocabularySize).toBe(expected[name].size);
    }
  });

  it('ids and masks for every combination of options and batches', async () => {
    const cases = reference.batches.flatMap(text => choices(reference.options).map(options => ({ text, ...options })));
    const digests = digestsOf(expected.grid);
    expect(cases.length).toBe(digests.length);
    const differing: unknown[] = [];
    for (const [i, options] of cases.entries()) {
      const found = await outcome(processor, options);
      if (found !== digests[i]) differing.push({ options, found, expected: digests[i] });
    }
    expect(differing).toEqual([]);
  });

  it('texts of ids', () => {
    checkDecoding(processor.tokenizer, expected.tokenizer);
    checkDecoding(processor.qformerTokenizer, expected.qformer_tokenizer);
  });
});

describe("LLaMA's added tokens in text are those of transformers 4.34", () => {
  const { texts, folders } = reference.added;

  it.each(folders)('$name', async expected => {
    const folder = await makeAddedFolder(expected);
    const { tokenizer } = await InstructBlipProcessor.fromPretrained(folder);
    rmSync(folder, { recursive: true });
    const digests = digestsOf(expected.digests);
    expect(digests.length).toBe(texts.length);
    const differing = texts.flatMap((text, i) => {
      const ids = tokenizer.encode(text);
      const decoded = tokenizer.decode(ids, { skipSpecialTokens: true });
      return digest(Int32Array.from(ids), decoded) === digests[i] ? [] : [{ text, ids, decoded }];
    });
    expect(differing).toEqual([]);
  });
});

describe('pictures are those of BlipImageProcessor', () => {
  let processor: InstructBlipProcessor;
  beforeAll(async () => {
    const folder = makeProcessorFolder(reference.folders[0]!);
    processor = await InstructBlipProcessor.fromPretrained(folder);
    rmSync(folder, { recursive: true });
  });
  const picture = (name: string): string => join(FIXTURES, name);

  it.each(reference.images.cases)('$file $options', async ({ file, options, dims, sha256: expected }) => {
    const { pixelValues } = await processor.process({ images: picture(file), ...camelCased(options) });
    expect(pixelValues.dims).toEqual(dims);
    expect(sha256(pixelValues.data)).toBe(expected);
    const alone = await processor.imageProcessor.preprocess(picture(file), camelCased(options));
    expect(sha256(alone.pixelValues.data)).toBe(expected);
  });

  it('a batch', async () => {
    const { batchFiles, batch } = reference.images;
    const { pixelValues } = await processor.process({ images: batchFiles.map(picture) });
    expect(pixelValues.dims).toEqual(batch.dims);
    expect(sha256(pixelValues.data)).toBe(batch.sha256);
  });

  it('without conversion to RGB, RGB pictures only', async () => {
    const found: Record<string, string | null> = {};
    for (const name of Object.keys(reference.images.unconverted)) {
      found[name] = await processor.imageProcessor.preprocess(picture(name), { doConvertRgb: false }).then(
        ({ pixelValues }) => sha256(pixelValues.data),
        error => (error.code === 'IMAGE_FORMAT_UNSUPPORTED' ? null : error),
      );
    }
    // TIFF is refused: see blip-image-processor.ts.
    const expected = Object.entries(reference.images.unconverted).map(([name, pixels]) => [
      name,
      name.endsWith('.tif') ? null : (pixels?.sha256 ?? null),
    ]);
    expect(found).toEqual(Object.fromEntries(expected));
  });
});
