import { checkpointShapes } from './checkpoint-shapes.js';
import { type ParityRecipe, stopIdsOf } from './parity-recipe.js';
import { randomNumbers } from './random.js';
import type { TestTensor } from './safetensors.js';

/** FNV-1a: each tensor has random numbers of its own, so order does not matter. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ character.charCodeAt(0), 0x01000193);
  return value >>> 0;
}

interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** What T5 has otherwise: no 1/sqrt(d) in attention, so queries and keys are smaller; a table of relative positions that counts as much. */
function t5Spread(name: string, scaled: (gain: number) => Spread, recipe: ParityRecipe): Spread | undefined {
  const { text } = recipe.sizes;
  if (text.type !== 't5' || !name.startsWith('language_model.')) return undefined;
  const { feedForward, attention } = ('gains' in recipe && recipe.gains) || { feedForward: 1, attention: 1 };
  if (name.endsWith('relative_attention_bias.weight')) return { mean: 0, deviation: 1 };
  if (name.endsWith('shared.weight')) return { mean: 0, deviation: recipe.embeddingScale };
  if (/\.[qk]\.weight$/.test(name)) return scaled(Math.sqrt(2 / Math.sqrt(text.headDim)));
  if (/\.wi(_[01])?\.weight$/.test(name)) return scaled(1.2 * feedForward);
  if (name.endsWith('.o.weight')) return scaled(1.2 * attention);
  return undefined;
}

/** Activations of size one, attention that is far from uniform, biases and norms that matter. */
function spreadOf(name: string, shape: readonly number[], recipe: ParityRecipe): Spread {
  const fanIn = shape.slice(1).reduce((product, length) => product * length, 1);
  const scaled = (gain: number): Spread => ({ mean: 0, deviation: gain / Math.sqrt(fanIn) });
  if (name.endsWith('bias')) return { mean: 0, deviation: 0.2 };
  if (shape.length === 1) return { mean: 1, deviation: 0.2 };
  const special = t5Spread(name, scaled, recipe);
  if (special) return special;
  if (name.endsWith('embed_tokens.weight')) return { mean: 0, deviation: recipe.embeddingScale };
  if (/embedding(s\.weight)?$|query_tokens|embed_positions/.test(name)) return { mean: 0, deviation: 0.7 };
  if (name.endsWith('lm_head.weight')) return scaled(recipe.headGain);
  if (/(q_proj|k_proj|query|key|qkv)\.weight$/.test(name)) return scaled(1.5);
  return scaled(1.2);
}

function favourStops(head: Float32Array, width: number, recipe: ParityRecipe): void {
  for (const id of stopIdsOf(recipe)) for (let i = id * width; i < (id + 1) * width; i++) head[i]! *= recipe.stopFactor;
}

/** Tensors by HF name. Uniform numbers; nothing but + - * / and sqrt, so that they are the same everywhere. */
export function parityTensors(recipe: ParityRecipe): Map<string, TestTensor> {
  const tensors = new Map<string, TestTensor>();
  for (const [name, shape] of checkpointShapes(recipe.sizes)) {
    const random = randomNumbers(recipe.seed + hash(name));
    const { mean, deviation } = spreadOf(name, shape, recipe);
    const scale = deviation * Math.sqrt(3);
    const size = shape.reduce((product, length) => product * length, 1);
    const values = new Float32Array(size);
    for (let i = 0; i < size; i++) values[i] = mean + scale * random();
    if (name.endsWith('lm_head.weight')) favourStops(values, shape[1]!, recipe);
    const alias = name.endsWith('.shared.weight') && 'embeddingName' in recipe ? recipe.embeddingName : undefined;
    tensors.set(alias ?? name, { shape, values });
  }
  return tensors;
}
