import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { GenerateArguments } from '../../../src/model/generate-batch.js';
import { Tensor } from '../../../src/tensor.js';
import type { ParityRecipe } from '../../unit/support/parity-recipes.js';

type Ids = number[][];

/** A padded batch of test/reference/batches.py or hf5_batches.py, and the rows that `generate` of transformers returns. */
export interface BatchCase {
  readonly pictures: number[];
  readonly options: Partial<GenerateArguments>;
  readonly sequences: Ids;
  readonly inputIds: Ids;
  readonly attentionMask: Ids;
  readonly qformerInputIds: Ids;
  readonly qformerAttentionMask: Ids;
}

/** By name of checkpoint. */
export const readBatches = <T>(name: string, part = 'checkpoints'): Record<string, T> =>
  JSON.parse(gunzipSync(readFileSync(`test/fixtures/parity/${name}.json.gz`)).toString())[part];

const ints = (rows: Ids) => new Tensor(Int32Array.from(rows.flat()), [rows.length, rows[0]!.length]);

/** `pixels`: of all pictures. */
export function argumentsOf(
  recipe: ParityRecipe,
  pixels: readonly Float32Array[],
  batch: BatchCase,
): GenerateArguments {
  const { pictures, options, inputIds, attentionMask, qformerInputIds, qformerAttentionMask } = batch;
  const side = recipe.sizes.vision.image;
  const data = Float32Array.from(pictures.flatMap(picture => [...pixels[picture]!]));
  return {
    pixelValues: new Tensor(data, [pictures.length, 3, side, side]),
    inputIds: ints(inputIds),
    attentionMask: ints(attentionMask),
    qformerInputIds: ints(qformerInputIds),
    qformerAttentionMask: ints(qformerAttentionMask),
    ...options,
  };
}
