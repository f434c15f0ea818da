import { beamIndicesOf, scoresOf, sequencesOf } from '../../../src/generation/answer-rows.js';
import { BeamSearch } from '../../../src/generation/beam-search.js';
import { type BeamPolicy, COMPAT_PRESETS, type Compat } from '../../../src/generation/compat.js';
import { type GenerationSettings, settingsOfPrompts } from '../../../src/generation/generation-settings.js';
import { IndependentSearch } from '../../../src/generation/independent-search.js';
import type { Search } from '../../../src/generation/search.js';
import { validateGenerateOptions } from '../../../src/generation/validate-options.js';
import { draws, factsOf, languageOf, readSearches, type SearchCase, type SearchFixture } from './support/languages.js';

// Whole searches of transformers, one prompt or a padded batch, with every rule of a preset: rows, scores, beam indices and scores of tokens.

const WANTED = { scores: true, tokenScores: true };
/** A distance below this may be decided by rounding. */
const NEAR_TIE = 1e-4;

interface Answers {
  readonly settings: GenerationSettings;
  readonly search: Search;
}

function run(
  fixture: SearchFixture,
  each: SearchCase,
  settings: GenerationSettings,
  prompt: readonly number[],
): Answers {
  const logitsOf = languageOf(fixture, each);
  const Kind = settings.numBeams > 1 ? BeamSearch : IndependentSearch;
  const search = new Kind(settings, draws(each.seed + 1), WANTED);
  let contexts: (readonly number[])[] = [prompt];
  for (;;) {
    const next = search.advance(contexts.map(logitsOf));
    if (!next) return { settings, search };
    contexts = next.tokens.map((token, i) => [...contexts[next.parents[i]!]!, token]);
  }
}

function answersOf(
  fixture: SearchFixture,
  compat: Compat,
  each: SearchCase,
  changes: Partial<GenerationSettings> = {},
): Answers[] {
  const { numReturnSequences = 1, ...options } = each.options;
  const noLength = options.maxLength === undefined && options.maxNewTokens === undefined;
  const asked = validateGenerateOptions({
    ...(noLength ? COMPAT_PRESETS[compat].generateLength : {}),
    ...options,
    compat,
  });
  const settingsOf = settingsOfPrompts(asked, factsOf(fixture, each.type));
  return each.prompts.map(prompt =>
    run(fixture, each, { ...settingsOf(() => prompt), numReturnSequences, ...changes }, prompt),
  );
}

const areClose = (a: number, b: number): boolean => a === b || Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b));

/** What differs from transformers, in words. */
function differences(fixture: SearchFixture, compat: Compat, each: SearchCase): string[] {
  const answers = answersOf(fixture, compat, each);
  const hypotheses = answers.flatMap(({ search }) => search.hypotheses());
  const prefix = answers[0]!.settings.contextPrefix.length;
  const found: string[] = [];
  const say = (what: string, ours: unknown, theirs: unknown) =>
    found.push(`${what}: ${JSON.stringify(ours)}, transformers ${JSON.stringify(theirs)}`);
  const sequences = sequencesOf(answers);
  if (JSON.stringify(sequences) !== JSON.stringify(each.sequences)) {
    say('sequences', sequences, each.sequences);
    return found;
  }
  for (const [i, { score, tokens, tokenScores, rows }] of hypotheses.entries()) {
    const theirs = each.sequencesScores?.[i];
    if (theirs !== undefined && !areClose(score!, theirs)) say('score', score, theirs);
    for (const [step, value] of tokenScores.entries()) {
      // Of a stop id that is shown as another one, transformers takes the other one's score.
      if (sequences[i]![prefix + step] !== tokens[step]) continue;
      const expected = each.transitionScores[i]![step] ?? Number.NEGATIVE_INFINITY;
      if (!areClose(value, expected)) say(`token score ${i},${step}`, value, expected);
    }
    expect(rows.length).toBe(each.beamIndices ? tokenScores.length : 0);
  }
  // Which one of equal beams goes on has no meaning.
  if (each.beamIndices && !each.equal) {
    const indices = beamIndicesOf(answers);
    const shown = each.beamIndices.map(row => row.slice(0, indices[0]!.length));
    if (JSON.stringify(indices) !== JSON.stringify(shown)) say('beam indices', indices, shown);
  }
  for (const [step, scores] of scoresOf(answers, fixture.vocabulary).entries()) {
    if (!each.scores) break;
    const theirs = new Float32Array(Uint8Array.from(Buffer.from(each.scores[step]!, 'base64')).buffer);
    expect(scores.length).toBe(theirs.length);
    // Of rows that have ended there are none.
    expect(scores.some(score => !Number.isNaN(score))).toBe(true);
    const wrong = scores.findIndex((score, i) => !Number.isNaN(score) && !areClose(score, theirs[i]!));
    if (wrong >= 0) say(`score ${wrong} of step ${step}`, scores[wrong], theirs[wrong]);
  }
  return found;
}

const MODES = {
  'hf-5': ['greedy', 'beams', 'sample', 'beam-sample'],
  'hf-4.34': ['greedy', 'sample', 'beam-sample'],
  lavis: ['greedy', 'beams', 'sample', 'beam-sample'],
} as const;

describe.each(Object.keys(MODES) as Compat[])('%s', compat => {
  const fixture = readSearches(compat);

  it.each(MODES[compat])('%s: the rows of transformers, with their scores', mode => {
    const cases = fixture.cases.filter(each => each.mode === mode);
    expect(cases.length).toBeGreaterThanOrEqual(200);
    const differing = cases
      .map(({ closest, ...each }, i) => ({
        i,
        closest,
        found: differences(fixture, compat, { ...each, closest }),
        each,
      }))
      .filter(({ found }) => found.length > 0);
    const near = differing.filter(({ closest }) => closest < NEAR_TIE);
    // Reported apart; so far there is none.
    expect(near.map(({ i, found }) => ({ i, found }))).toEqual([]);
    expect(differing.map(({ i, found, each }) => ({ i, found, options: each.options, prompts: each.prompts }))).toEqual(
      [],
    );
  });
});

describe('each rule of beams decides something', () => {
  const fixture = readSearches('hf-5');
  const [now, before] = [COMPAT_PRESETS['hf-5'].beams, COMPAT_PRESETS['hf-4.34'].beams];
  const rules = (Object.keys(now) as (keyof BeamPolicy)[])
    // The first three are not asked in the search: they are in generate-options.test.ts.
    .filter(rule => !['groups', 'keptByFilters', 'padding'].includes(rule));

  it.each(rules)('%s of 4.34 gives other rows or scores than hf-5', rule => {
    const beamPolicy = { ...now, [rule]: before[rule] };
    const shown = (answers: readonly Answers[]) =>
      JSON.stringify([
        sequencesOf(answers),
        answers.map(({ search }) => search.hypotheses().map(({ score }) => score)),
      ]);
    const differs = fixture.cases
      .filter(({ mode }) => mode === 'beams' || mode === 'beam-sample')
      .some(
        each => shown(answersOf(fixture, 'hf-5', each)) !== shown(answersOf(fixture, 'hf-5', each, { beamPolicy })),
      );
    expect(differs).toBe(true);
  });
});
