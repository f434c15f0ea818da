import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CheckpointConfig, readCheckpointConfig } from '../src/convert/checkpoint-config.js';
import { type QFormerVocabulary, readQFormerVocabulary } from '../src/convert/qformer-vocabulary.js';
import { textModel } from '../src/convert/text-models.js';
import type { TextTokenizer } from '../src/convert/text-tokenizer.js';
import { type ShapeName, textShape, vocabularyFolder, writeJsonFiles } from './text-shapes.js';

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

/** `config.json` and the files around it in the hub's layout, but for the weights and the language model's tokenizer. */
function jsonFiles(text: object, overrides: ShapeOverrides): Record<string, unknown> {
  const vision = { image_size: 224, ...overrides.vision };
  return {
    'config.json': {
      model_type: 'instructblip',
      num_query_tokens: 32,
      text_config: { ...text, ...overrides.text },
      vision_config: vision,
      qformer_config: { vocab_size: 30523, ...overrides.qformer },
    },
    'preprocessor_config.json': { size: { height: vision.image_size, width: vision.image_size } },
    'qformer_tokenizer/tokenizer_config.json': { do_lower_case: true, bos_token: '[DEC]' },
  };
}

async function writeFolder(folder: string, shape: ShapeName, overrides: ShapeOverrides): Promise<void> {
  const { text, writeTokenizer } = textShape(shape);
  await mkdir(join(folder, 'qformer_tokenizer'));
  await copyFile(join(vocabularyFolder(), 'bert-vocab.txt'), join(folder, 'qformer_tokenizer', 'vocab.txt'));
  await writeTokenizer(folder);
  await writeJsonFiles(folder, jsonFiles(text, overrides));
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
