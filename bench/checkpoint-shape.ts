import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CheckpointConfig, readCheckpointConfig } from '../src/convert/checkpoint-config.js';
import { type QFormerVocabulary, readQFormerVocabulary } from '../src/convert/qformer-vocabulary.js';
import { textModel } from '../src/convert/text-models.js';
import type { TextTokenizer } from '../src/convert/text-tokenizer.js';
import { packageRoot } from '../src/native/package-root.js';

/** Shapes of the hub's checkpoints: fields of `text_config`. Vision encoder and Q-Former are the same in all. */
const TEXT_SHAPES = {
  'vicuna-7b': { hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: 32, num_attention_heads: 32 },
  'vicuna-13b': { hidden_size: 5120, intermediate_size: 13824, num_hidden_layers: 40, num_attention_heads: 40 },
} as const;

export type ShapeName = keyof typeof TEXT_SHAPES;
export const SHAPE_NAMES = Object.keys(TEXT_SHAPES) as readonly ShapeName[];

/** Fields of `config.json` in place of those of the shape. */
export interface ShapeOverrides {
  readonly text?: Readonly<Record<string, number>>;
  readonly vision?: Readonly<Record<string, number>>;
  readonly qformer?: Readonly<Record<string, number>>;
}

/** What the conversion knows of a checkpoint besides its weights. */
export interface CheckpointFacts {
  readonly config: CheckpointConfig;
  readonly tokenizer: TextTokenizer;
  readonly qformerVocabulary: QFormerVocabulary;
}

/** `config.json` and the files around it as the hub's Vicuna checkpoints had them in their first revision (32 001 rows, no image token). */
function jsonFiles(shape: ShapeName, overrides: ShapeOverrides): Record<string, unknown> {
  const vision = { image_size: 224, ...overrides.vision };
  const special = { bos_token: '</s>', eos_token: '</s>', unk_token: '</s>' };
  const text = {
    model_type: 'llama',
    vocab_size: 32001,
    bos_token_id: 0,
    eos_token_id: 1,
    pad_token_id: 32000,
    ...TEXT_SHAPES[shape],
    ...overrides.text,
  };
  return {
    'config.json': {
      model_type: 'instructblip',
      num_query_tokens: 32,
      text_config: text,
      vision_config: vision,
      qformer_config: { vocab_size: 30523, ...overrides.qformer },
    },
    'preprocessor_config.json': { size: { height: vision.image_size, width: vision.image_size } },
    'tokenizer_config.json': { tokenizer_class: 'LlamaTokenizer', ...special },
    'special_tokens_map.json': { ...special, pad_token: '[PAD]' },
    'added_tokens.json': { '[PAD]': 32000 },
    'qformer_tokenizer/tokenizer_config.json': { do_lower_case: true, bos_token: '[DEC]' },
  };
}

async function writeFolder(folder: string, shape: ShapeName, overrides: ShapeOverrides): Promise<void> {
  const vocabularies = join(packageRoot(), 'test', 'fixtures', 'vocab');
  await mkdir(join(folder, 'qformer_tokenizer'));
  await copyFile(join(vocabularies, 'llama-tokenizer.model'), join(folder, 'tokenizer.model'));
  await copyFile(join(vocabularies, 'bert-vocab.txt'), join(folder, 'qformer_tokenizer', 'vocab.txt'));
  for (const [name, content] of Object.entries(jsonFiles(shape, overrides)))
    await writeFile(join(folder, name), JSON.stringify(content));
}

/**
 * Facts of a checkpoint of this shape, with the real vocabularies. They are read by the converter's own code from a folder in the hub's layout that has
 * everything but weights, so a made file differs from a converted one in its weights only.
 */
export async function checkpointFacts(shape: ShapeName, overrides: ShapeOverrides = {}): Promise<CheckpointFacts> {
  const folder = await mkdtemp(join(tmpdir(), 'instructblip-bench-'));
  try {
    await writeFolder(folder, shape, overrides);
    const config = await readCheckpointConfig(folder);
    return {
      config,
      tokenizer: await textModel(config.text).readTokenizer(folder, config.text.vocabSize, config.imageTokenId),
      qformerVocabulary: await readQFormerVocabulary(folder, config.qformer.vocabSize),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
