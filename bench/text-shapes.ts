import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { packageRoot } from '../src/native/package-root.js';

/** What differs between the checkpoints that can be made: the language model. Vision encoder and Q-Former are the same in all. */
export interface TextShape {
  /** `text_config`. */
  readonly text: Readonly<Record<string, unknown>>;
  /** Fields of `text_config` for another number of layers; of an encoder-decoder, in both halves. */
  readonly layers: (count: number) => Readonly<Record<string, number>>;
  /** Writes the tokenizer's files, with the real vocabulary, as the hub has them. */
  readonly writeTokenizer: (folder: string) => Promise<void>;
}

export const vocabularyFolder = (): string => join(packageRoot(), 'test', 'fixtures', 'vocab');

export async function writeJsonFiles(folder: string, files: Readonly<Record<string, unknown>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(content));
}

/** As the hub's Vicuna checkpoints had it in their first revision: 32 001 rows, no image token. */
const vicuna = (sizes: Readonly<Record<string, number>>): TextShape => ({
  text: {
    model_type: 'llama',
    vocab_size: 32001,
    bos_token_id: 0,
    eos_token_id: 1,
    pad_token_id: 32000,
    ...sizes,
  },
  layers: count => ({ num_hidden_layers: count }),
  async writeTokenizer(folder) {
    const special = { bos_token: '</s>', eos_token: '</s>', unk_token: '</s>' };
    await copyFile(join(vocabularyFolder(), 'llama-tokenizer.model'), join(folder, 'tokenizer.model'));
    await writeJsonFiles(folder, {
      'tokenizer_config.json': { tokenizer_class: 'LlamaTokenizer', ...special },
      'special_tokens_map.json': { ...special, pad_token: '[PAD]' },
      'added_tokens.json': { '[PAD]': 32000 },
    });
  },
});

/** As the hub's Flan-T5 checkpoints have it: gated, but with the exact GELU, and untied. */
const flanT5 = (sizes: Readonly<Record<string, number>>): TextShape => ({
  text: {
    model_type: 't5',
    vocab_size: 32128,
    d_kv: 64,
    feed_forward_proj: 'gated-gelu',
    dense_act_fn: 'gelu',
    is_gated_act: true,
    tie_word_embeddings: false,
    decoder_start_token_id: 0,
    eos_token_id: 1,
    pad_token_id: 0,
    ...sizes,
  },
  layers: count => ({ num_layers: count }),
  async writeTokenizer(folder) {
    const json = await promisify(gunzip)(await readFile(join(vocabularyFolder(), 't5-tokenizer.json.gz')));
    await writeFile(join(folder, 'tokenizer.json'), json);
    const special = { eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' };
    await writeJsonFiles(folder, {
      'tokenizer_config.json': { tokenizer_class: 'T5Tokenizer', extra_ids: 100, ...special },
      'special_tokens_map.json': special,
    });
  },
});

/** Shapes of the hub's checkpoints. */
const TEXT_SHAPES = {
  'vicuna-7b': vicuna({
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
  }),
  'vicuna-13b': vicuna({
    hidden_size: 5120,
    intermediate_size: 13824,
    num_hidden_layers: 40,
    num_attention_heads: 40,
  }),
  'flan-t5-xl': flanT5({ d_model: 2048, d_ff: 5120, num_heads: 32, num_layers: 24 }),
  'flan-t5-xxl': flanT5({ d_model: 4096, d_ff: 10240, num_heads: 64, num_layers: 24 }),
} as const;

export type ShapeName = keyof typeof TEXT_SHAPES;
export const SHAPE_NAMES = Object.keys(TEXT_SHAPES) as readonly ShapeName[];
export const textShape = (name: ShapeName): TextShape => TEXT_SHAPES[name];
