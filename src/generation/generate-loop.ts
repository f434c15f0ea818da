import { AnswerWriter, type FinishReason, type GenerateHooks, type GenerationState } from './answer-writer.js';
import type { GenerationSettings } from './generation-settings.js';
import { type LogitsSource, runSearches } from './run-searches.js';
import { createSearch } from './search.js';

/**
 * Generates one answer into `state`, until a stop id, a stop string or the length limit; what is settled is text at once. A throw from `source`, from a
 * callback or of the signal's reason ends it and leaves `state` with what was delivered, `finishReason` 'abort'.
 */
export async function generate(
  source: LogitsSource,
  settings: GenerationSettings,
  hooks: GenerateHooks,
  state: GenerationState,
): Promise<void> {
  const writer = new AnswerWriter(settings, hooks, state);
  const search = createSearch(settings, { logprobs: hooks.onToken !== undefined });
  await runSearches(source, [search], settings.removeInvalidValues, async (_, isOver) => {
    hooks.signal?.throwIfAborted();
    const [best] = isOver ? search.hypotheses() : [];
    const { tokens, logprobs } = best ?? search.settled();
    for (let index = state.tokens.length; index < tokens.length; index++) {
      const isLast = best !== undefined && index === tokens.length - 1;
      const end: FinishReason | null = isLast ? (best.stopped ? 'stop' : 'length') : null;
      if (await writer.write(tokens[index] as number, () => logprobs[index] as number, end)) return true;
    }
    return false;
  });
}
