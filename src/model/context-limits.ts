/** What a call needs of the KV cache, and whether it can have it. */
import { createError } from '../errors.js';
import { type GenerationSettings, withMaxNewTokens } from '../generation/generation-settings.js';
import type { Engine } from './loaded-model.js';

/** Rows that the answers of one prompt take. */
export const rowsOf = ({ numBeams, numReturnSequences }: GenerationSettings): number =>
  Math.max(numBeams, numReturnSequences);

/** Cells that a prompt and its answers need: every row has its own answer; the last token is never read back, so it takes none. */
export const cellsOf = (
  promptTokens: number,
  settings: GenerationSettings,
  maxNewTokens: number = settings.maxNewTokens,
): number => promptTokens + settings.answerStart.length + rowsOf(settings) * (maxNewTokens - 1);

/** Before the text is tokenized, which can take long. @throws CONTEXT_LENGTH_EXCEEDED */
export function checkLength(engine: Engine, question: string): void {
  const least = engine.tokenizer.leastTokens(question);
  const { most, remedy } = limitOf(engine);
  if (least <= most) return;
  throw createError(
    'CONTEXT_LENGTH_EXCEEDED',
    `the question alone needs at least ${least} tokens of context, but there are ${most}: shorten it${remedy}`,
  );
}

/** Tokens that one sequence can have: what the cache holds, or what the model has positions for. */
function limitOf({ model, queue }: Engine): { most: number; remedy: string } {
  const { maxPositions } = model.info;
  if (maxPositions > 0 && maxPositions < queue.cells) return { most: maxPositions, remedy: '' };
  return { most: queue.cells, remedy: ', or load with a larger contextSize' };
}

/**
 * A limit that the caller set must fit; a default one is lowered to what is there. `promptTokens`: with those of the pictures.
 * @throws CONTEXT_LENGTH_EXCEEDED
 */
export function fitContext(engine: Engine, promptTokens: number, settings: GenerationSettings): GenerationSettings {
  const rows = rowsOf(settings);
  engine.queue.checkSequences(rows);
  const { most, remedy } = limitOf(engine);
  const before = promptTokens + settings.answerStart.length;
  const room = 1 + Math.min(most - before, Math.floor((engine.queue.cells - before) / rows));
  if (settings.maxNewTokens <= room) return settings;
  const shortest = Math.max(1, settings.minNewTokens, settings.minLength);
  if (!settings.maxNewTokensGiven && room >= shortest) return withMaxNewTokens(settings, room);
  const wanted = settings.maxNewTokensGiven ? settings.maxNewTokens : shortest;
  const fitsOnce = before + wanted - 1 <= most;
  const needed = fitsOnce ? cellsOf(promptTokens, settings, wanted) : before + wanted - 1;
  throw createError(
    'CONTEXT_LENGTH_EXCEEDED',
    `picture, question and answer${fitsOnce ? ` (${rows} times)` : ''} need ${needed} tokens of context, but there are ` +
      `${fitsOnce ? engine.queue.cells : most}: shorten the question or maxNewTokens${fitsOnce ? ', or load with a larger contextSize' : remedy}`,
  );
}
