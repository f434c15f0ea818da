import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkpointShapes, type NamedShape, type TextSizes } from './checkpoint-shapes.js';
import { randomNumbers } from './random.js';
import { type Dtype, safetensors, type TestTensor } from './safetensors.js';

/** Sizes of a tiny checkpoint; every one is different, so that a mix-up shows. */
export interface TinySizes {
  readonly vocabulary: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly layers: number;
  readonly feedForward: number;
  readonly tied: boolean;
  readonly attentionBias: boolean;
  readonly qkvBias: boolean;
  readonly imageTokenId: number | undefined;
}

export const TINY: TinySizes = {
  vocabulary: 320,
  hidden: 64,
  heads: 4,
  kvHeads: 2,
  layers: 3,
  feedForward: 96,
  tied: false,
  attentionBias: false,
  qkvBias: true,
  imageTokenId: 301,
};

const VISION = { hidden: 48, feedForward: 80, layers: 2, heads: 3, image: 28, patch: 14 };
const QFORMER = { vocabulary: 40, hidden: 32, feedForward: 56, layers: 3, heads: 2, positions: 24 };
const QUERIES = 5;

/** `config.json` around a language model. */
export const aroundText = (
  text: Record<string, unknown> | undefined,
  { qkvBias, imageTokenId }: Pick<TinySizes, 'qkvBias' | 'imageTokenId'>,
): Record<string, unknown> => ({
  model_type: 'instructblip',
  num_query_tokens: QUERIES,
  ...(imageTokenId === undefined ? {} : { image_token_index: imageTokenId }),
  vision_config: {
    hidden_size: VISION.hidden,
    intermediate_size: VISION.feedForward,
    num_hidden_layers: VISION.layers,
    num_attention_heads: VISION.heads,
    image_size: VISION.image,
    patch_size: VISION.patch,
    layer_norm_eps: 2e-6,
    qkv_bias: qkvBias,
  },
  qformer_config: {
    vocab_size: QFORMER.vocabulary,
    hidden_size: QFORMER.hidden,
    intermediate_size: QFORMER.feedForward,
    num_hidden_layers: QFORMER.layers,
    num_attention_heads: QFORMER.heads,
    max_position_embeddings: QFORMER.positions,
    cross_attention_frequency: 2,
  },
  ...(text && { text_config: text }),
});

export const configJson = (sizes: TinySizes): Record<string, unknown> =>
  aroundText(
    {
      model_type: 'llama',
      vocab_size: sizes.vocabulary,
      hidden_size: sizes.hidden,
      intermediate_size: sizes.feedForward,
      num_hidden_layers: sizes.layers,
      num_attention_heads: sizes.heads,
      num_key_value_heads: sizes.kvHeads,
      tie_word_embeddings: sizes.tied,
      attention_bias: sizes.attentionBias,
      max_position_embeddings: 128,
      bos_token_id: 0,
      eos_token_id: 1,
      pad_token_id: 300,
    },
    sizes,
  );

/** Names and shapes of all tensors, as HF has them. */
export const tinyShapes = (text: TextSizes, qkvBias = true): NamedShape[] =>
  checkpointShapes({
    vision: { ...VISION, qkvBias },
    qformer: { ...QFORMER, crossAttentionFrequency: 2, queries: QUERIES },
    text,
  });

/** Tensors of a checkpoint by HF name. Values are multiples of 1/64: F32, F16 and BF16 hold them exactly. */
export const tinyTensors = (sizes: TinySizes, seed = 1): Map<string, TestTensor> =>
  randomTensors(tinyShapes(sizes, sizes.qkvBias), seed);

export function randomTensors(shapes: readonly NamedShape[], seed = 1): Map<string, TestTensor> {
  const random = randomNumbers(seed);
  return new Map(
    shapes.map(([name, shape]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      return [name, { shape, values: Float32Array.from({ length: size }, () => Math.round(random() * 63) / 64) }];
    }),
  );
}

// --- tokenizers ---------------------------------------------------------------------------------------------------------------------------

const SPACE = '\u2581';
const bytePieces = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
// After SentencePiece's special and byte pieces: merged pieces in merge order (with one of spaces alone), then single characters.
const MERGED = [`${SPACE}${SPACE}`, `${SPACE}a`, 'bc', `${SPACE}abc`, 'abc'];
const CHARACTERS = [SPACE, 'a', 'b', 'c'];
const MERGES = [`${SPACE} a`, 'b c', `${SPACE}a bc`, 'a bc', `${SPACE} ${SPACE}`];
export const PIECES = ['<unk>', '<s>', '</s>', ...bytePieces, ...MERGED, ...CHARACTERS];

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const field = (id: number, bytes: Uint8Array): number[] => [(id << 3) | 2, ...varint(bytes.length), ...bytes];

function scoreOf(text: string, id: number): number {
  if (id < 259) return 0;
  return text.replaceAll(SPACE, '') === '' ? -1e9 : 259 - id;
}

/** A SentencePiece model of the pieces, written by hand. */
export function sentencePieceModel(modelType = 2): Buffer {
  const pieces = PIECES.flatMap((text, id) => {
    const type = id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
    const score = Buffer.alloc(4);
    score.writeFloatLE(scoreOf(text, id));
    const body = [...field(1, Buffer.from(text)), (2 << 3) | 5, ...score, 3 << 3, type];
    return field(1, Uint8Array.from(body));
  });
  // trainer_spec: model_type and byte_fallback.
  return Buffer.from([...pieces, ...field(2, Uint8Array.from([3 << 3, modelType, ...varint(35 << 3), 1]))]);
}

/** The same vocabulary as HF's fast tokenizer saves it. */
export function tokenizerJson(): Record<string, unknown> {
  const special = (content: string, id: number) => ({ id, content, special: true, normalized: false });
  return {
    added_tokens: [
      special('<unk>', 0),
      special('<s>', 1),
      special('</s>', 2),
      special('[PAD]', 300),
      special('<image>', 301),
    ],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: SPACE },
        { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
      ],
    },
    pre_tokenizer: null,
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      byte_fallback: true,
      vocab: Object.fromEntries(PIECES.map((text, id) => [text, id])),
      merges: MERGES,
    },
  };
}

export const QFORMER_WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'what', 'is', 'this', '##s', '?'];

// --- folder -------------------------------------------------------------------------------------------------------------------------------

export interface CheckpointFilesOptions {
  readonly sizes?: Partial<TinySizes>;
  readonly dtype?: Dtype;
  readonly seed?: number;
  /** Leave the weights to the test. */
  readonly withoutWeights?: boolean;
}

export const json = (value: unknown): string => JSON.stringify(value, null, 1);

/** A temporary folder with these files, and those that no language model changes: pictures and the Q-Former's tokenizer. */
export function writeFolder(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'instructblip-checkpoint-'));
  mkdirSync(join(folder, 'qformer_tokenizer'));
  const all = {
    'preprocessor_config.json': json({ size: { height: 28, width: 28 }, image_mean: [0.5, 0.25, 0.125] }),
    'qformer_tokenizer/vocab.txt': `${QFORMER_WORDS.join('\n')}\n`,
    'qformer_tokenizer/tokenizer_config.json': json({ do_lower_case: true, bos_token: '[DEC]' }),
    'qformer_tokenizer/added_tokens.json': json({ '[DEC]': 10 }),
    ...files,
  };
  for (const [name, content] of Object.entries(all)) writeFileSync(join(folder, name), content);
  return folder;
}

/** A hub-layout folder with a random checkpoint of tiny sizes, both tokenizer sources, and everything that the converter reads. */
export function makeCheckpoint(options: CheckpointFilesOptions = {}): string {
  const sizes = { ...TINY, ...options.sizes };
  const folder = writeFolder({
    'config.json': json(configJson(sizes)),
    'tokenizer.model': sentencePieceModel(),
    'tokenizer.json': json(tokenizerJson()),
    'tokenizer_config.json': json({
      tokenizer_class: 'LlamaTokenizer',
      bos_token: '</s>',
      eos_token: '</s>',
      unk_token: '</s>',
    }),
    'special_tokens_map.json': json({ bos_token: '</s>', eos_token: '</s>', unk_token: '</s>', pad_token: '[PAD]' }),
    'added_tokens.json': json({ '[PAD]': 300, '<image>': 301 }),
  });
  if (!options.withoutWeights)
    writeFileSync(
      join(folder, 'model.safetensors'),
      safetensors(tinyTensors(sizes, options.seed), options.dtype ?? 'F32'),
    );
  return folder;
}
