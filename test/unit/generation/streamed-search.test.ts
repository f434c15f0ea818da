import { newGenerationState } from '../../../src/generation/answer-writer.js';
import { generate } from '../../../src/generation/generate-loop.js';
import type { GenerateOptions } from '../../../src/generation/generate-options.js';
import { type GenerationSettings, interpretOptions } from '../../../src/generation/generation-settings.js';
import { Vocabulary } from '../../../src/generation/grammar/vocabulary.js';
import { type LogitsSource, runSearches } from '../../../src/generation/run-searches.js';
import { createSearch } from '../../../src/generation/search.js';
import { TextStream, type TokenText } from '../../../src/generation/text-stream.js';
import { validateGenerateOptions } from '../../../src/generation/validate-options.js';
import { randomNumbers } from '../support/random.js';
import { BOS, logitsOf, MODEL } from './support/tables.js';

const TABLES = 6;
const SPECIAL = [MODEL.bosTokenId, MODEL.padTokenId, ...MODEL.eosTokenIds];
/** Words, what clean-up changes, spaces, halves of characters, bytes. */
const PIECES = [
  ' a',
  'b',
  " n't",
  ' .',
  ' ',
  '  c',
  "'",
  's',
  ' x y',
  '\n',
  ' ,',
  'é',
  '?',
  'ab',
  ' ca',
  "'s",
  '.',
  'z',
];
const WORDS: readonly TokenText[] = Array.from({ length: MODEL.vocabularySize }, (_, id) => {
  if (SPECIAL.includes(id)) return { bytes: new Uint8Array(), isByte: false };
  if (id % 7 === 3) return { bytes: Uint8Array.of(id % 2 ? 0xc3 : 0xa9), isByte: false };
  if (id % 7 === 5) return { bytes: Uint8Array.of([0xc3, 0xa9, 0x0a][id % 3] as number), isByte: true };
  return { bytes: Buffer.from(PIECES[id % PIECES.length] as string), isByte: false };
});
const tokenText = (id: number): TokenText => WORDS[id] as TokenText;

/** Logits of table `table` for every row's own context. */
function source(table: number): LogitsSource {
  let rows: number[][] = [[BOS]];
  return {
    prefill: async () => logitsOf(table, [BOS]),
    decode: async (tokens, parents) => {
      rows = Array.from(tokens, (token, i) => [...(rows[parents[i] as number] as number[]), token]);
      return Float32Array.from(rows.flatMap(row => [...logitsOf(table, row)]));
    },
  };
}

function settingsOf(options: GenerateOptions, cleanUpSpaces: boolean): GenerationSettings {
  const vocabulary = new Vocabulary(MODEL.vocabularySize, tokenText);
  const facts = { ...MODEL, cleanUpTokenizationSpaces: cleanUpSpaces };
  return interpretOptions(validateGenerateOptions(options), facts, vocabulary);
}

function textOf(tokens: readonly number[], stopStrings: readonly string[], cleanUpSpaces: boolean) {
  const stream = new TextStream(stopStrings, cleanUpSpaces);
  let text = '';
  for (const id of tokens) text += stream.push(tokenText(id));
  return { text: text + stream.finish(), stopped: stream.stopped };
}

/** Whether they have a stop string, whatever follows. */
function isStopped(tokens: readonly number[], stopStrings: readonly string[], cleanUpSpaces: boolean): boolean {
  const stream = new TextStream(stopStrings, cleanUpSpaces);
  for (const id of tokens) stream.push(tokenText(id));
  return stream.stopped;
}

const SEARCHES: Record<string, GenerateOptions> = {
  'greedy search': {},
  sampling: { doSample: true },
  beams: { numBeams: 4 },
  'few beams, early stopping': { numBeams: 2, earlyStopping: true, lengthPenalty: 0 },
  'beam sampling': { numBeams: 3, doSample: true, temperature: 1.3 },
  groups: { numBeams: 4, numBeamGroups: 2, diversityPenalty: 0.7 },
};
const STOPS = [[], ['ab'], ['é', "n'"], ['.', ' x'], ['\n']];

describe.each(Object.entries(SEARCHES))('text as it comes: %s', (_, search) => {
  it('is never taken back, and joins to the text of the best answer, up to the stop string', async () => {
    const random = randomNumbers(7);
    let early = 0;
    let stopped = 0;
    for (let i = 0; i < 120; i++) {
      const table = i % TABLES;
      const stopStrings = STOPS[i % STOPS.length] as string[];
      const cleanUpSpaces = random() > 0;
      const options = { ...search, stopStrings, seed: i, maxNewTokens: 4 + (i % 14), compat: 'hf-4.34' as const };
      const settings = settingsOf(options, cleanUpSpaces);
      const found = createSearch(settings);
      await runSearches(source(table), [found], false, async () => false);
      const [best] = found.hypotheses();
      const tokens = best?.tokens ?? [];

      const state = newGenerationState();
      const pieces: string[] = [];
      const counted = source(table);
      const { decode } = counted;
      counted.decode = (...rows) => {
        if (pieces.length > 0) early++;
        return decode(...rows);
      };
      await generate(counted, settings, { tokenText, cleanUpSpaces, onText: piece => pieces.push(piece) }, state);
      const whole = textOf(tokens, stopStrings, cleanUpSpaces);
      expect({ i, pieces: pieces.join(''), text: state.text, tokens: state.tokens }).toEqual({
        i,
        pieces: whole.text,
        text: whole.text,
        tokens,
      });
      expect(pieces).not.toContain('');
      // The first token that completes a stop string is the last.
      expect(isStopped(tokens.slice(0, -1), stopStrings, cleanUpSpaces)).toBe(false);
      if (whole.stopped) expect([state.finishReason, best?.stopped]).toEqual(['stop', true]);
      if (whole.stopped) stopped++;
    }
    expect(early).toBeGreaterThan(20);
    expect(stopped).toBeGreaterThan(10);
  });
});

it('a stop string ends a beam, which competes with the others by its score', async () => {
  const settings = settingsOf({ numBeams: 4, stopStrings: ['a', 'b'], maxNewTokens: 12, eosTokenId: [] }, false);
  for (let table = 0; table < TABLES; table++) {
    const search = createSearch({ ...settings, numReturnSequences: 4 });
    await runSearches(source(table), [search], false, async () => false);
    for (const { tokens, stopped, score } of search.hypotheses()) {
      const { text } = textOf(tokens, [], false);
      expect([stopped, /[ab]/.test(text)]).toEqual([stopped, stopped]);
      expect(/[ab]/.test(textOf(tokens.slice(0, -1), [], false).text)).toBe(false);
      expect(score).toBeLessThan(0);
    }
  }
});
