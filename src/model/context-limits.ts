/** What a call needs of the KV cache, and whether it can have it. */
import { createError } from '../errors.js';
import type { TrieLimits } from '../generation/candidate-tries.js';
import { type GenerationSettings, withMaxNewTokens } from '../generation/generation-settings.js';
import type { Engine } from './loaded-model.js';

/** Rows that the answers of one prompt take. */
export const rowsOf = ({ numBeams, numReturnSequences }: GenerationSettings): number =>
  Math.max(numBeams, numReturnSequences);

/**
 * Cells that are reserved for a prompt and its answers: all that they can need, as far as there are so many. Every row has its own answer, whose last token
 * is never read back; but beams have most of their tokens in common, and most answers end before the limit, so they rarely take all.
 * `promptTokens`: with those of the pictures.
 */
export const cellsOf = ({ queue }: Engine, promptTokens: number, settings: GenerationSettings): number =>
  Math.min(promptTokens + settings.answerStart.length + rowsOf(settings) * (settings.maxNewTokens - 1), queue.cells);

/** Before a text is tokenized, which can take long. @throws CONTEXT_LENGTH_EXCEEDED */
export function checkLength(engine: Engine, text: string, what: 'question' | 'candidate'): void {
  const least = engine.tokenizer.leastTokens(text);
  const { most, remedy } = limitOf(engine);
  if (least <= most) return;
  throw createError(
    'CONTEXT_LENGTH_EXCEEDED',
    `the ${what} alone needs at least ${least} tokens of context, but there are ${most}: shorten it${remedy}`,
  );
}

/** Tokens that one sequence can have: what the cache holds, or what the model has positions for. */
function limitOf({ model, queue }: Engine): { most: number; remedy: string } {
  const { maxPositions } = model.info;
  if (maxPositions > 0 && maxPositions < queue.cells) return { most: maxPositions, remedy: '' };
  return { most: queue.cells, remedy: ', or load with a larger contextSize' };
}

/**
 * A limit that the caller set must fit, at least once; a default one is lowered to what is there. `promptTokens`: with those of the pictures.
 * @throws CONTEXT_LENGTH_EXCEEDED
 */
export function fitContext(engine: Engine, promptTokens: number, settings: GenerationSettings): GenerationSettings {
  engine.queue.checkSequences(rowsOf(settings));
  const { most, remedy } = limitOf(engine);
  const before = promptTokens + settings.answerStart.length;
  const room = 1 + most - before;
  if (settings.maxNewTokens <= room) return settings;
  const shortest = Math.max(1, settings.minNewTokens, settings.minLength - settings.contextPrefix.length);
  if (!settings.maxNewTokensGiven && room >= shortest) return withMaxNewTokens(settings, room);
  const wanted = settings.maxNewTokensGiven ? settings.maxNewTokens : shortest;
  throw createError(
    'CONTEXT_LENGTH_EXCEEDED',
    `picture, question and answer need ${before + wanted - 1} tokens of context, but there are ${most}: shorten the question or maxNewTokens${remedy}`,
  );
}

/**
 * Room for candidates behind a prompt that all of them share, with a sequence for the prompt itself where there is more than one. `promptCells`: with pictures
 * and what the answer starts with; `longest`: tokens of the longest candidate, whose last one is never read back.
 * @throws CONTEXT_LENGTH_EXCEEDED
 */
export function roomForCandidates(engine: Engine, promptCells: number, longest: number): TrieLimits {
  const { most, remedy } = limitOf(engine);
  const needed = promptCells + longest - 1;
  if (needed > most)
    throw createError(
      'CONTEXT_LENGTH_EXCEEDED',
      `picture, prompt and the longest candidate need ${needed} tokens of context, but there are ${most}: shorten them${remedy}`,
    );
  const { cells, sequences } = engine.queue;
  return { width: Math.max(1, sequences - 1), inner: cells - promptCells };
}
