import { LLAMA_RECIPES } from './parity-llama.js';
import { OPT_RECIPES } from './parity-opt.js';
import type { ParityRecipe } from './parity-recipe.js';
import { T5_RECIPES } from './parity-t5.js';

export { LLAMA_RECIPES, OPT_RECIPES, T5_RECIPES };
export type { ParityRecipe };

export const PARITY_RECIPES: readonly ParityRecipe[] = [...LLAMA_RECIPES, ...T5_RECIPES, ...OPT_RECIPES];

export const PARITY_QUESTIONS: readonly string[] = [
  'What is unusual about this image?',
  'How many people are there?',
  'Is this a dog? Answer yes or no.',
  'Describe the picture  in detail:',
  'Où est le café ☕, à gauche?',
  '',
];

export const questionsOf = ({ questions }: ParityRecipe): readonly string[] => questions ?? PARITY_QUESTIONS;
