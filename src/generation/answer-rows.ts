/** Answers as rows of ids and scores, as transformers' `generate` returns them. */
import type { GenerationSettings } from './generation-settings.js';
import type { Hypothesis, Search } from './search.js';

/** Answers of one prompt. */
export interface Answers {
  readonly settings: GenerationSettings;
  readonly search: Search;
}

/** What comes before the answer (compat.ts: `contextPrefix`), the generated ids, padding to the longest row. */
export function sequencesOf(answers: readonly Answers[]): number[][] {
  const rows = answers.flatMap(({ settings, search }) => search.hypotheses().map(each => rowOf(settings, each)));
  const padTokenId = answers[0]?.settings.padTokenId ?? 0;
  const length = Math.max(...rows.map(row => row.length));
  return rows.map(row => padded(row, length, padTokenId));
}

const padded = (row: readonly number[], length: number, value: number): number[] => [
  ...row,
  ...new Array<number>(length - row.length).fill(value),
];

function rowOf({ contextPrefix, stopIds, numBeams, beamPolicy }: GenerationSettings, answer: Hypothesis): number[] {
  const { tokens, stopped } = answer;
  // Not of one that a stop string ended.
  const endsWithId = stopped && stopIds.includes(tokens.at(-1) as number);
  const showsFirst = endsWithId && numBeams > 1 && beamPolicy.shownStopId === 'first';
  return [...contextPrefix, ...(showsFirst ? [...tokens.slice(0, -1), stopIds[0] as number] : tokens)];
}

/** Rows that a prompt takes of each step's scores: its beams, or its answers. */
const rowsOf = ({ numBeams, numReturnSequences }: GenerationSettings): number =>
  numBeams > 1 ? numBeams : numReturnSequences;

/** HF's `scores`: for each step a flat [rows, V], the rows of all prompts; NaN in those that had ended. */
export function scoresOf(answers: readonly Answers[], vocabularySize: number): Float32Array[] {
  const steps = Math.max(...answers.map(({ search }) => search.scores.length));
  return Array.from({ length: steps }, (_, step) => scoresOfStep(answers, vocabularySize, step));
}

function scoresOfStep(answers: readonly Answers[], vocabularySize: number, step: number): Float32Array {
  const rows = answers.reduce((sum, { settings }) => sum + rowsOf(settings), 0);
  const scores = new Float32Array(rows * vocabularySize).fill(Number.NaN);
  let first = 0;
  for (const { settings, search } of answers) {
    for (const [row, values] of search.scores[step] ?? []) scores.set(values, (first + row) * vocabularySize);
    first += rowsOf(settings);
  }
  return scores;
}

/** HF's `beam_indices`: for each answer and token the row of `scores` that it was chosen by; -1 behind its end. */
export function beamIndicesOf(answers: readonly Answers[]): number[][] {
  const rows = answers.flatMap(({ settings, search }, i) =>
    search.hypotheses().map(each => each.rows.map(row => i * rowsOf(settings) + row)),
  );
  const length = Math.max(...rows.map(row => row.length));
  return rows.map(row => padded(row, length, -1));
}
