import { OptionError } from '../../../src/errors.js';
import { InstructBlipProcessor } from '../../../src/processor/instruct-blip-processor.js';
import { IMAGE_RULES, type ProcessOptions, TEXT_RULES } from '../../../src/processor/processor-options.js';
import { Tensor } from '../../../src/tensor.js';

const nan = Number.NaN;
const notBoolean = [0, 1, 'true', null, [], {}];
const notCount = [0, -1, 1.5, nan, Number.POSITIVE_INFINITY, 2 ** 31, '4', true, null, [4], 4n];

/** By option: values of the wrong type or range. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  padding: [0, 1, 'left', 'maxLength', '', null, ['longest']],
  truncation: [0, 1, 'left', 'longestFirst', '', null, {}],
  maxLength: notCount,
  padToMultipleOf: notCount,
  addSpecialTokens: notBoolean,
  doResize: notBoolean,
  size: [
    224,
    '224',
    null,
    [224, 224],
    {},
    { height: 224 },
    { shortest_edge: 224 },
    { height: 0, width: 5 },
    { height: 5, width: 1.5 },
    { height: 9000, width: 1 },
    { height: 5, width: 5, depth: 5 },
  ],
  resample: [-1, 6, 3.5, '3', 'BICUBIC', null, true],
  doRescale: notBoolean,
  rescaleFactor: [nan, Number.POSITIVE_INFINITY, 1e39, '1', null, [1], true],
  doNormalize: notBoolean,
  imageMean: [nan, '0', null, [], [0, 0], [0, 0, 0, 0], [0, 0, '0'], [0, 0, nan], 1e39],
  imageStd: [0, -1, 1e-50, nan, '1', null, [1, 1], [1, 1, 0], [1, 1, -1], [1, 1, nan]],
  doConvertRgb: notBoolean,
  signal: [null, {}, 5, 'x'],
  text: [5, null, [], [5], ['a', null], ['a', ['b']], {}],
  images: [[]],
};
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  truncation: ['only_second'],
  resample: [0, 1, 2, 4, 5, 'bilinear', 'lanczos'],
  returnTensors: ['pt', undefined],
  stride: [0, 2],
  returnTokenTypeIds: [true],
  dataFormat: ['channels_last'],
};

const cases = (table: Readonly<Record<string, readonly unknown[]>>): (readonly [string, unknown])[] =>
  Object.entries(table).flatMap(([name, values]) => values.map(value => [name, value] as const));

let processor: InstructBlipProcessor;
beforeAll(async () => {
  processor = await InstructBlipProcessor.fromPretrained('models/demo');
});

/** With a picture that is not there: what is wrong is said before it is looked for. */
const processing = (options: object): Promise<unknown> =>
  processor.process({ images: '/no/such/picture.png', text: 'q', ...options } as ProcessOptions);

describe('every wrong option is refused before any work', () => {
  it('the table has all options', () => {
    const all = [...Object.keys(TEXT_RULES), ...Object.keys(IMAGE_RULES), 'signal', 'text', 'images'];
    expect(Object.keys(WRONG).sort()).toEqual(all.sort());
  });

  it.each(cases(WRONG))('%s = %p', async (name, value) => {
    const error = await processing({ [name]: value }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(new RegExp(`^${name} must be .* but `)),
    });
  });

  it.each(cases(UNSUPPORTED))('%s = %p is not supported', async (name, value) => {
    const error = await processing({ [name]: value }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ code: 'OPTION_UNSUPPORTED', message: expect.stringContaining(name) });
  });

  it.each([
    ['neither images nor text', { images: undefined, text: undefined }, 'images and text are both missing'],
    ['image options without images', { images: undefined, doResize: false }, 'doResize is given without images'],
    ['two questions, one picture', { text: ['a', 'b'] }, 'images has 1 and text 2 elements'],
    [
      'a length that is no multiple',
      { padding: true, truncation: true, maxLength: 7, padToMultipleOf: 4 },
      'maxLength (7 ',
    ],
    [
      "a tokenizer's own length that is none",
      { padding: true, truncation: true, padToMultipleOf: 7 },
      'maxLength (2048 ',
    ],
    ['no room for special tokens', { truncation: true, maxLength: 1 }, 'maxLength is 1, but'],
    ['lengths that differ', { images: undefined, text: ['a', 'a b'] }, 'padding: true'],
    [
      'lengths that differ after padding',
      { images: undefined, text: ['a', 'a b c'], padding: 'max_length', maxLength: 3 },
      'padding: true',
    ],
  ])('%s', async (_, options, message) => {
    const error = await processing(options).catch(thrown => thrown);
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining(message) });
  });

  it('unknown options, with the nearest one', async () => {
    await expect(processing({ max_length: 5 })).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
      message: expect.stringContaining("'maxLength'"),
    });
    for (const options of [null, 5, 'text', []])
      await expect(processor.process(options as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(processor.imageProcessor.preprocess('x.png', { padding: true } as never)).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
    });
  });

  it('pictures of different sizes without resizing', async () => {
    const raw = (width: number) => ({ data: new Uint8Array(3 * width), width, height: 1, channels: 3 }) as const;
    await expect(processor.process({ images: [raw(2), raw(3)], doResize: false })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('of one size'),
    });
    await expect(processor.process({ images: [raw(2), 5 as never] })).rejects.toMatchObject({
      code: 'IMAGE_INPUT_INVALID',
    });
  });

  it('a signal that has aborted', async () => {
    const reason = new Error('enough');
    await expect(processor.process({ text: 'q', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(processing({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('decode and encode', () => {
  it.each([
    [[1.5]],
    [[-1]],
    [[2 ** 31]],
    [['1']],
    [nan],
    ['12'],
    [null],
    [new Float32Array(1)],
    [new Tensor(new Int32Array(4), [2, 2])],
  ])('ids %p are refused', ids => {
    expect(() => processor.decode(ids as never)).toThrow(OptionError);
    expect(() => processor.batchDecode([ids] as never)).toThrow(OptionError);
  });

  it('wrong options and texts are refused', () => {
    expect(() => processor.decode([1], { skipSpecialTokens: 1 } as never)).toThrow(
      'skipSpecialTokens must be true or false, but is 1',
    );
    expect(() => processor.batchDecode([[1]], { skipSpecial: true } as never)).toThrow(
      "did you mean 'skipSpecialTokens'",
    );
    expect(() => processor.batchDecode(5 as never)).toThrow('sequences must be');
    expect(() => processor.tokenizer.encode(5 as never)).toThrow('text must be a string, but is 5');
    expect(() => processor.tokenizer.encodeBatch(['a'], { doResize: true } as never)).toThrow(OptionError);
  });

  it('takes ids in every form', () => {
    const ids = processor.tokenizer.encode('What is this?');
    expect(ids).toEqual([2, ...processor.tokenizer.encode('What is this?', { addSpecialTokens: false })]);
    const rows = processor.tokenizer.encodeBatch(['What is this?', 'yes'], { padding: true });
    expect(processor.batchDecode(rows.inputIds)).toEqual(['</s> What is this?', '[PAD][PAD][PAD]</s> yes']);
    expect(processor.batchDecode(rows.inputIds, { skipSpecialTokens: true })).toEqual(['What is this?', 'yes']);
    expect(processor.batchDecode([ids, Int32Array.from(ids)])).toEqual(['</s> What is this?', '</s> What is this?']);
    expect(processor.decode(Int32Array.from(ids))).toBe('</s> What is this?');
    expect(processor.decode(new Tensor(Int32Array.from(ids), [ids.length]))).toBe('</s> What is this?');
    expect(processor.decode(2)).toBe('</s>');
    expect(processor.decode([32001, ...ids, 2 ** 31 - 1])).toBe('</s> What is this?');
    expect(processor.qformerTokenizer.decode([50000, 2054])).toBe('what');
    expect(processor.batchDecode([])).toEqual([]);
  });

  it('gives only what was asked for', async () => {
    const raw = { data: new Uint8Array(3), width: 1, height: 1, channels: 3 } as const;
    expect(Object.keys(await processor.process({ images: raw, padding: true }))).toEqual(['pixelValues']);
    const text = await processor.process({ text: '' });
    expect(Object.keys(text)).toEqual(['inputIds', 'attentionMask', 'qformerInputIds', 'qformerAttentionMask']);
    expect(text.inputIds.tolist()).toEqual([[2]]);
    const both = await processor.process({ images: [raw, raw], text: ['a', 'b'] });
    expect(both.pixelValues.dims).toEqual([2, 3, 224, 224]);
    expect(Object.values(both).map(tensor => tensor.dims[0])).toEqual([2, 2, 2, 2, 2]);
  });
});
