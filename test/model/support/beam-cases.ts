import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { GenerateOptions } from '../../../src/generation/generate-options.js';

/** A beam search of test/reference/beams.py, about one or several pictures. */
export interface BeamCase {
  readonly pictures: number[];
  readonly question: string;
  readonly options: Omit<GenerateOptions, 'stopStrings'>;
  readonly ids: number[];
}

const { checkpoints }: { checkpoints: Record<string, BeamCase[]> } = JSON.parse(
  gunzipSync(readFileSync('test/fixtures/parity/beams.json.gz')).toString(),
);

/** Those of one checkpoint. */
export const beamCases = (checkpoint: string): readonly BeamCase[] => checkpoints[checkpoint]!;
