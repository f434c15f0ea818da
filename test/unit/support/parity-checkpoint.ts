import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { json } from './checkpoint.js';
import { configOf } from './parity-config.js';
import type { ParityRecipe } from './parity-recipe.js';
import { writeTokenizers } from './parity-tokenizers.js';
import { parityTensors } from './parity-weights.js';
import { writeShards } from './safetensors.js';

const CLIP_IMAGE = {
  do_convert_rgb: true,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  resample: 3,
  rescale_factor: 0.00392156862745098,
};

/** Writes the checkpoint of a recipe as a hub-layout folder that transformers 4.34 and our converter read. */
export function writeParityCheckpoint(folder: string, recipe: ParityRecipe): void {
  mkdirSync(folder, { recursive: true });
  const side = recipe.sizes.vision.image;
  writeTokenizers(folder, recipe);
  writeFileSync(join(folder, 'config.json'), json(configOf(recipe)));
  writeFileSync(
    join(folder, 'preprocessor_config.json'),
    json({
      image_processor_type: 'BlipImageProcessor',
      processor_class: 'InstructBlipProcessor',
      size: { height: side, width: side },
      ...CLIP_IMAGE,
      ...recipe.image,
    }),
  );
  writeShards(folder, parityTensors(recipe), recipe.dtype, recipe.shards);
}
