import type { GenerateOptions } from '../../../src/generation/generate-options.js';
import { type GenerationSettings, interpretOptions } from '../../../src/generation/generation-settings.js';
import { type LogitsSource, runSearches } from '../../../src/generation/run-searches.js';
import { createSearch, type Search } from '../../../src/generation/search.js';
import { validateGenerateOptions } from '../../../src/generation/validate-options.js';
import { BOS, logitsOf, MODEL } from './support/tables.js';

const settingsOf = (options: GenerateOptions, changes: Partial<GenerationSettings> = {}): GenerationSettings => ({
  ...interpretOptions(validateGenerateOptions({ ...options, compat: 'hf-4.34' }), MODEL),
  ...changes,
});

/** A session: prompt i is the language of table i. Counts what it computes. */
function session(): { source: LogitsSource; steps: number[] } {
  let rows: { table: number; context: number[] }[] = [];
  const steps: number[] = [];
  const source: LogitsSource = {
    prefill: async () => {
      rows.push({ table: rows.length, context: [BOS] });
      return logitsOf(rows.length - 1, [BOS]);
    },
    decode: async (tokens, parents) => {
      steps.push(tokens.length);
      const before = rows;
      rows = Array.from(tokens, (token, i) => {
        const { table, context } = before[parents[i]!]!;
        return { table, context: [...context, token] };
      });
      return Float32Array.from(rows.flatMap(({ table, context }) => [...logitsOf(table, context)]));
    },
  };
  return { source, steps };
}

async function run(count: number, settings: GenerationSettings): Promise<{ searches: Search[]; steps: number[] }> {
  const { source, steps } = session();
  const searches = Array.from({ length: count }, () => createSearch(settings));
  await runSearches(source, searches, false, async () => false);
  return { searches, steps };
}

const tokensOf = (search: Search) => search.hypotheses().map(({ tokens }) => [...tokens]);

describe('searches of several prompts in the same steps', () => {
  it.each<[string, GenerateOptions, Partial<GenerationSettings>]>([
    ['greedy', { maxNewTokens: 12 }, {}],
    ['beams', { maxNewTokens: 12, numBeams: 3 }, { numReturnSequences: 2 }],
    ['groups', { maxNewTokens: 12, numBeams: 4, numBeamGroups: 2, diversityPenalty: 1 }, {}],
    ['samples', { maxNewTokens: 12, temperature: 1.5, seed: 4 }, { numReturnSequences: 3 }],
  ])('find what each would find alone: %s', async (_, options, changes) => {
    const settings = settingsOf(options, changes);
    const together = (await run(6, settings)).searches.map(tokensOf);
    for (const [table, found] of together.entries()) {
      const alone = await run(table + 1, settings);
      expect(tokensOf(alone.searches[table]!)).toEqual(found);
    }
    expect(new Set(together.map(String)).size).toBe(6);
  });

  it('leave no row behind when they are over', async () => {
    const { searches, steps } = await run(
      6,
      settingsOf({ maxNewTokens: 12, temperature: 2, seed: 1 }, { numReturnSequences: 2 }),
    );
    const lengths = searches.flatMap(tokensOf).map(tokens => tokens.length);
    expect(steps).toEqual(
      Array.from({ length: Math.max(...lengths) - 1 }, (_, step) => lengths.filter(length => length > step + 1).length),
    );
    expect(new Set(steps).size).toBeGreaterThan(2);
  });

  it('end when the caller has seen enough', async () => {
    const { source, steps } = session();
    const searches = [0, 1].map(() => createSearch(settingsOf({ maxNewTokens: 12, eosTokenId: [] })));
    await runSearches(
      source,
      searches,
      false,
      async search => search === searches[0] && search.settled().tokens.length === 3,
    );
    expect(steps).toEqual([2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('refuse scores that are no numbers, unless they are looked after', async () => {
    const logits = () => Float32Array.of(1, Number.NaN, 3, ...new Array<number>(20).fill(0));
    const source: LogitsSource = { prefill: async () => logits(), decode: async () => logits() };
    const settings = settingsOf({ maxNewTokens: 2, removeInvalidValues: true });
    const search = createSearch(settings);
    await expect(runSearches(source, [search], false, async () => false)).rejects.toMatchObject({
      code: 'MODEL_FILE_CORRUPT',
    });
    await runSearches(source, [createSearch(settings)], true, async () => false);
  });

  it('refuse to search with beams when no token is possible', async () => {
    const all = Array.from({ length: 23 }, (_, id) => id);
    await expect(run(1, settingsOf({ numBeams: 2, suppressTokens: all }))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/no token is possible/),
    });
  });
});
