/**
 * Writes the random checkpoints and pictures of the parity tests for `stages.py`:
 *
 *     npx tsx test/reference/make-checkpoints.ts <out>
 *
 * <out>/<name>/ in the hub's layout, <out>/pictures/<i>.rgb, <out>/parity.json (what to run on them).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeParityCheckpoint } from '../unit/support/parity-checkpoint.js';
import { PARITY_RECIPES, questionsOf } from '../unit/support/parity-recipes.js';
import { PARITY_PICTURES, randomPicture } from '../unit/support/pictures.js';

const [out] = process.argv.slice(2);
if (!out) throw new Error('usage: npx tsx test/reference/make-checkpoints.ts <out>');

mkdirSync(join(out, 'pictures'), { recursive: true });
for (const recipe of PARITY_RECIPES) writeParityCheckpoint(join(out, recipe.name), recipe);
for (const [i, picture] of PARITY_PICTURES.entries())
  writeFileSync(join(out, 'pictures', `${i}.rgb`), randomPicture(picture).data);
writeFileSync(
  join(out, 'parity.json'),
  JSON.stringify({
    checkpoints: PARITY_RECIPES.map(recipe => ({
      name: recipe.name,
      seed: recipe.seed,
      questions: questionsOf(recipe),
    })),
    pictures: PARITY_PICTURES,
  }),
);
