import { InstructBlipConfig } from '../../src/config/instruct-blip-config.js';
import { T5Config } from '../../src/config/t5-config.js';
import { InstructBlipForConditionalGeneration } from '../../src/model/conditional-generation.js';
import type { ForwardInputs } from '../../src/model/forward-inputs.js';
import { InstructBlipQFormerModel } from '../../src/model/qformer-model.js';
import { InstructBlipVisionModel } from '../../src/model/vision-model.js';
import { Tensor } from '../../src/tensor.js';
import { LLAMA_RECIPES } from '../unit/support/parity-recipes.js';
import { ints, randomTensor } from './support/forward.js';
import { ParityFiles } from './support/parity.js';
import { ScriptedModel } from './support/scripted-model.js';

type Wrong = readonly [what: string, inputs: Record<string, unknown>, message: RegExp, code?: string];
const table = (rows: readonly Wrong[]) => rows.map(row => ({ what: row[0], row }));
const floats = (value: number, ...dims: number[]) => {
  const tensor = randomTensor(dims);
  tensor.data[dims.length] = value;
  return tensor;
};
const refused = (work: Promise<unknown>, message: RegExp, code = 'OPTION_INVALID') =>
  expect(work).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

/** Of every kind of option that all forwards have. */
const COMMON: readonly Wrong[] = [
  ['a flag that is none', { outputHiddenStates: 1 }, /outputHiddenStates must be true or false/],
  ['another', { outputAttentions: 'yes' }, /outputAttentions must be true or false/],
  ['a signal that is none', { signal: {} }, /signal must be an AbortSignal/],
  ['an unknown input', { outputAttention: true }, /outputAttention/, 'OPTION_UNKNOWN'],
];
/** Of a picture of `side`. */
const PIXELS = (side: number): readonly Wrong[] => [
  ['no pixels', { pixelValues: undefined }, /pixelValues must be a Tensor of Float32Array/],
  ['integers', { pixelValues: ints([[1]]) }, /pixelValues must be a Tensor of Float32Array/],
  [
    'an empty batch',
    { pixelValues: new Tensor(new Float32Array(0), [0, 3, side, side]) },
    /pixelValues must be .*batch of at least 1/,
  ],
  ['two channels', { pixelValues: randomTensor([2, 2, side, side]) }, /pixelValues must be \[batch, 3, /],
  ['three dimensions', { pixelValues: randomTensor([3, side, side]) }, /pixelValues must be/],
  ['another size', { pixelValues: randomTensor([2, 3, side, side + 1]) }, /interpolatePosEncoding takes other sizes/],
  ['a pixel that is no number', { pixelValues: floats(Number.NaN, 2, 3, side, side) }, /pixelValues has NaN at 4/],
  ['an infinite one', { pixelValues: floats(Number.NEGATIVE_INFINITY, 2, 3, side, side) }, /pixelValues has -Infinity/],
];

describe('forward of the whole model refuses', () => {
  /** Work rejects with "not scripted": whatever else comes, came before it. */
  const modelOf = (config: InstructBlipConfig) =>
    new InstructBlipForConditionalGeneration(
      new ScriptedModel().parts(),
      { sequences: 1 },
      { config, textInput: true },
    );
  const small = { visionConfig: { imageSize: 4, patchSize: 2 }, qformerConfig: { maxPositionEmbeddings: 6 } };
  const opt = modelOf(
    new InstructBlipConfig({ ...small, numQueryTokens: 2, textConfig: { modelType: 'opt', vocabSize: 50 } }),
  );
  const t5 = modelOf(
    new InstructBlipConfig({ ...small, numQueryTokens: 2, textConfig: new T5Config({ vocabSize: 50 }) }),
  );
  const both: ForwardInputs = {
    pixelValues: randomTensor([2, 3, 4, 4]),
    qformerInputIds: ints([
      [1, 2],
      [3, 4],
    ]),
    inputIds: ints([
      [1, 2, 3],
      [4, 5, 6],
    ]),
  };
  const decoderInputIds = ints([
    [0, 1],
    [0, 2],
  ]);

  const ids = (name: string, maskName: string, least: number): readonly Wrong[] => [
    ['ids of another batch', { [name]: ints([[1, 2]]) }, new RegExp(`${name} must be \\[2, tokens\\]`)],
    ['rows without ids', { [name]: new Tensor(new Int32Array(0), [2, 0]) }, new RegExp(`${name} must be`)],
    ['ids in one dimension', { [name]: new Tensor(Int32Array.of(1, 2), [2]) }, new RegExp(`${name} must be`)],
    ['floats for ids', { [name]: randomTensor([2, 2]) }, new RegExp(`${name} must be a Tensor of Int32Array`)],
    [
      'an id below 0',
      {
        [name]: ints([
          [1, 2],
          [-1, 2],
        ]),
      },
      new RegExp(`${name} has the id -1`),
    ],
    [
      'an id above',
      {
        [name]: ints([
          [1, 2],
          [least, 2],
        ]),
      },
      new RegExp(`${name} has the id ${least}, .* ${least} tokens`),
    ],
    ['a mask of another size', { [maskName]: ints([[1], [1]]) }, new RegExp(`${maskName} must be \\[2, `)],
    [
      'a mask of twos',
      {
        [name]: ints([
          [1, 2],
          [3, 4],
        ]),
        [maskName]: ints([
          [1, 2],
          [1, 1],
        ]),
      },
      new RegExp(`${maskName} must be of 0 and 1`),
    ],
    [
      'a mask that hides a row',
      {
        [name]: ints([
          [1, 2],
          [3, 4],
        ]),
        [maskName]: ints([
          [1, 0],
          [0, 0],
        ]),
      },
      new RegExp(`row 1 of ${maskName} hides everything`),
    ],
  ];
  const every: readonly Wrong[] = [
    ...COMMON,
    ...PIXELS(4),
    ...ids('qformerInputIds', 'qformerAttentionMask', 30522),
    ...ids('inputIds', 'attentionMask', 50),
    ['no instruction', { qformerInputIds: undefined }, /qformerInputIds are needed/],
    [
      'a long instruction',
      {
        qformerInputIds: ints([
          [1, 2, 3, 4, 5, 6, 7],
          [1, 2, 3, 4, 5, 6, 7],
        ]),
      },
      /7 tokens, .* 6 positions/,
    ],
    ['no ids', { inputIds: undefined }, /inputIds must be a Tensor/],
    ['labels of another batch', { labels: ints([[1, 2]]) }, /labels must be \[2, labels\]/],
    [
      'labels outside the vocabulary',
      {
        labels: ints([
          [1, 50],
          [1, 1],
        ]),
      },
      /labels has 50/,
    ],
    [
      'negative labels',
      {
        labels: ints([
          [1, -1],
          [1, 1],
        ]),
      },
      /labels has -1/,
    ],
    [
      'labels that do not count',
      {
        labels: ints([
          [-100, -100],
          [-100, -100],
        ]),
      },
      /labels has none that counts/,
    ],
  ];
  const decoderOnly: readonly Wrong[] = [
    ...every,
    ['ids of a decoder', { decoderInputIds }, /decoderInputIds and decoderAttentionMask are for encoder-decoders/],
    [
      'more labels than rows',
      {
        labels: ints([
          [1, 2, 3, 4, 5, 6],
          [1, 2, 3, 4, 5, 6],
        ]),
      },
      /labels must have at most 5 in a row/,
    ],
    ['labels that nothing predicts', { labels: ints([[7], [7]]) }, /labels has none that counts/],
  ];
  const encoderDecoder: readonly Wrong[] = [
    ...every,
    ...ids('decoderInputIds', 'decoderAttentionMask', 50),
    ['nothing to decode', { decoderInputIds: undefined }, /decoderInputIds or labels are needed/],
    [
      'a decoder that sees nothing',
      {
        decoderAttentionMask: ints([
          [1, 1],
          [0, 1],
        ]),
      },
      /row 1 of decoderAttentionMask hides the first token/,
    ],
    [
      'labels of another length',
      {
        labels: ints([
          [1, 2, 3],
          [1, 2, 3],
        ]),
      },
      /labels must be as decoderInputIds, \[2, 2\]/,
    ],
  ];

  it.each(table(decoderOnly))('decoder-only: $what', ({ row: [, wrong, message, code] }) =>
    refused(opt.forward({ ...both, ...wrong } as ForwardInputs), message, code));
  it.each(table(encoderDecoder))('encoder-decoder: $what', ({ row: [, wrong, message, code] }) =>
    refused(t5.forward({ ...both, decoderInputIds, ...wrong } as ForwardInputs), message, code));
  it('and starts work with what is right', async () => {
    await expect(opt.forward(both)).rejects.toThrow('not scripted');
    await expect(
      opt.forward({
        ...both,
        labels: ints([
          [-100, 2],
          [-100, -100],
        ]),
      }),
    ).rejects.toThrow('not scripted');
    await expect(t5.forward({ ...both, labels: decoderInputIds })).rejects.toThrow('not scripted');
  });
});

describe('forward of a stage refuses', () => {
  const recipe = LLAMA_RECIPES.find(({ name }) => name === 'old-revision')!;
  const { vision, qformer } = recipe.sizes;
  const files = new ParityFiles(recipe);
  let vit: InstructBlipVisionModel;
  let asker: InstructBlipQFormerModel;
  beforeAll(async () => {
    const { folder } = await files.convert('F32', 'F32');
    vit = await InstructBlipVisionModel.fromPretrained(folder, { device: 'cpu', threads: 1 });
    asker = await InstructBlipQFormerModel.fromPretrained(folder, { device: 'cpu', threads: 1 });
  });
  afterAll(async () => {
    await Promise.all([vit?.dispose(), asker?.dispose()]);
    files.dispose();
  });

  const pixelValues = randomTensor([2, 3, vision.image, vision.image]);
  it.each(
    table([
      ...COMMON,
      ...PIXELS(vision.image),
      ['a flag of no kind', { interpolatePosEncoding: 1 }, /interpolatePosEncoding must be true or false/],
      [
        'no whole patch',
        { pixelValues: randomTensor([1, 3, vision.patch - 1, 50]), interpolatePosEncoding: true },
        /no whole patch/,
      ],
      [
        'a picture of no height',
        { pixelValues: new Tensor(new Float32Array(0), [1, 3, 0, 9]), interpolatePosEncoding: true },
        /pixelValues must be/,
      ],
    ]),
  )('vision: $what', ({ row: [, wrong, message, code] }) =>
    refused(vit.forward({ pixelValues, ...wrong }), message, code));

  const encoderHiddenStates = randomTensor([2, 4, vision.hidden]);
  const inputIds = ints([
    [1, 2],
    [3, 4],
  ]);
  const queries = qformer.queries;
  it.each(
    table([
      ...COMMON,
      ['no picture', { encoderHiddenStates: undefined }, /encoderHiddenStates must be a Tensor/],
      [
        'a picture of another width',
        { encoderHiddenStates: randomTensor([2, 4, vision.hidden + 1]) },
        /encoderHiddenStates must be/,
      ],
      [
        'an empty batch',
        { encoderHiddenStates: new Tensor(new Float32Array(0), [0, 4, vision.hidden]) },
        /encoderHiddenStates must be/,
      ],
      [
        'a picture without rows',
        { encoderHiddenStates: new Tensor(new Float32Array(0), [2, 0, vision.hidden]) },
        /at least one row/,
      ],
      ['no number', { encoderHiddenStates: floats(Number.NaN, 2, 4, vision.hidden) }, /encoderHiddenStates has NaN/],
      ['ids of another batch', { inputIds: ints([[1, 2]]) }, /inputIds must be \[2, tokens\]/],
      [
        'an id above',
        {
          inputIds: ints([
            [1, 2],
            [3, qformer.vocabulary],
          ]),
        },
        /inputIds has the id/,
      ],
      ['too many ids', { inputIds: randomIds(2, qformer.positions + 1) }, /positions/],
      [
        'a mask of the ids alone',
        {
          attentionMask: ints([
            [1, 1],
            [1, 1],
          ]),
        },
        new RegExp(`attentionMask must be \\[2, ${queries + 2}\\]`),
      ],
      [
        'a mask that hides a row',
        { attentionMask: new Tensor(new Int32Array(2 * (queries + 2)), [2, queries + 2]) },
        /row 0 of attentionMask hides/,
      ],
      [
        'a mask of another picture',
        {
          encoderAttentionMask: ints([
            [1, 1],
            [1, 1],
          ]),
        },
        /encoderAttentionMask must be \[2, 4\]/,
      ],
      [
        'a hidden picture',
        {
          encoderAttentionMask: ints([
            [1, 1, 1, 0],
            [0, 0, 0, 0],
          ]),
        },
        /row 1 of encoderAttentionMask/,
      ],
      ['queries of another width', { queryEmbeds: randomTensor([2, 3, qformer.hidden + 1]) }, /queryEmbeds must be/],
      ['queries of another batch', { queryEmbeds: randomTensor([3, 3, qformer.hidden]) }, /queryEmbeds must be/],
      ['queries that are no numbers', { queryEmbeds: floats(Number.NaN, 2, 3, qformer.hidden) }, /queryEmbeds has NaN/],
      ['nothing to ask', { queryEmbeds: null, inputIds: undefined }, /inputIds are needed/],
    ]),
  )('Q-Former: $what', ({ row: [, wrong, message, code] }) =>
    refused(asker.forward({ encoderHiddenStates, inputIds, ...wrong }), message, code));

  it('and takes what is right, until it is disposed', async () => {
    await vit.forward({ pixelValues });
    const { lastHiddenState } = await asker.forward({ encoderHiddenStates, inputIds });
    expect(lastHiddenState.dims).toEqual([2, queries + 2, qformer.hidden]);
    await refused(
      vit
        .forward({ pixelValues, signal: AbortSignal.abort(new Error('enough')) })
        .catch(error => Promise.reject({ code: 'none', message: String(error.message) })),
      /enough/,
      'none',
    );
    await Promise.all([vit.dispose(), asker.dispose()]);
    await refused(vit.forward({ pixelValues }), /disposed/, 'DISPOSED');
    await refused(asker.forward({ encoderHiddenStates }), /disposed/, 'DISPOSED');
  });

  it('options that are about the language model', async () => {
    const options = { contextSize: 5 } as object;
    await refused(InstructBlipVisionModel.fromPretrained('nowhere', options), /contextSize/, 'OPTION_UNKNOWN');
    await refused(InstructBlipQFormerModel.fromPretrained({} as string), /a vision model is a folder/);
    await refused(InstructBlipQFormerModel.fromPretrained('nowhere'), /no model folder/, 'MODEL_NOT_FOUND');
  });
});

function randomIds(rows: number, length: number): Tensor<Int32Array> {
  return new Tensor(new Int32Array(rows * length).fill(1), [rows, length]);
}
