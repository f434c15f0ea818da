import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { GenerateOptions } from '../../../src/generation/generate-options.js';
import { interpretOptions } from '../../../src/generation/generation-settings.js';
import { removeInvalid } from '../../../src/generation/normalization.js';
import { createProcessor, PROCESSOR_STEPS, WARPER_STEPS } from '../../../src/generation/processor-order.js';
import { topK, topP } from '../../../src/generation/warpers.js';

interface Case {
  readonly options: GenerateOptions;
  readonly context: number[];
  readonly logits: number[];
  /** null = minus infinity. */
  readonly scores: (number | null)[];
}

const FIXTURE = join(process.cwd(), 'test', 'fixtures', 'generation', 'logits-processors.json.gz');
const cases: Case[] = JSON.parse(gunzipSync(readFileSync(FIXTURE)).toString());
const MODEL = {
  vocabularySize: 40,
  bosTokenId: 0,
  decoderStartTokenId: -1,
  padTokenId: -1,
  eosTokenIds: [1],
  vocabularyEosTokenId: 2,
};

const ULP = 2 ** -23;

/**
 * Everything is exact but log-softmax, which PyTorch sums in vector lanes with an exponential of its own: 1 ulp each time. When sampling it runs twice,
 * after the processors and after the filters.
 */
function tolerance({ renormalizeLogits, doSample }: GenerateOptions): number {
  if (!renormalizeLogits) return 0;
  return doSample ? 2 * ULP : ULP;
}

function optionsKey(options: GenerateOptions): string {
  const { eosTokenId: _eos, maxLength: _max, doSample: _sample, ...rest } = options;
  return JSON.stringify(rest);
}

const groups = new Map<string, Case[]>();
for (const each of cases) {
  const key = optionsKey(each.options);
  groups.set(key, [...(groups.get(key) ?? []), each]);
}

describe('logits processors equal those of transformers 4.34', () => {
  it('covers every step of the order', () => {
    const named = new Set(cases.flatMap(({ options }) => Object.keys(options)));
    const steps = [...PROCESSOR_STEPS, ...WARPER_STEPS].map(step => step.name);
    // The user's own functions, grammars and NaN (not in JSON) have tests of their own.
    expect(steps.filter(name => !named.has(name))).toEqual(['removeInvalidValues', 'logitsProcessors', 'constraint']);
  });

  it.each([...groups.keys()])('%s', key => {
    for (const { options, context, logits, scores } of groups.get(key) as Case[]) {
      const settings = interpretOptions({ topK: 0, compat: 'hf-4.34', ...options }, MODEL);
      const ours = Float32Array.from(logits);
      createProcessor(settings)(context, ours);
      scores.forEach((expected, id) => {
        if (expected === null) expect([id, ours[id]]).toEqual([id, Number.NEGATIVE_INFINITY]);
        else
          expect(Math.abs((ours[id] as number) - expected)).toBeLessThanOrEqual(
            tolerance(options) * Math.max(1, Math.abs(expected)),
          );
      });
    }
  });
});

describe('what the fixtures cannot hold', () => {
  // Neighbours that only ban tokens commute, so their order does not show in scores.
  it('the order of steps is that of transformers', () => {
    expect(PROCESSOR_STEPS.map(step => step.name).join(' ')).toBe(
      'sequenceBias repetitionPenalty noRepeatNgramSize badWordsIds minLength minNewTokens forcedBosTokenId forcedEosTokenId ' +
        'removeInvalidValues exponentialDecayLengthPenalty suppressTokens beginSuppressTokens logitsProcessors constraint renormalizeLogits',
    );
    expect(WARPER_STEPS.map(step => step.name).join(' ')).toBe(
      'temperature topK topP minP typicalP epsilonCutoff etaCutoff renormalizeLogits',
    );
  });

  it('removeInvalidValues: NaN to 0, infinity to the largest float32, minus infinity stays', () => {
    const scores = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5);
    removeInvalid(false)([], scores);
    expect([...scores]).toEqual([0, 3.4028234663852886e38, Number.NEGATIVE_INFINITY, 1.5]);
    // transformers 5
    removeInvalid(true)([], scores);
    expect([...scores]).toEqual([0, 3.4028234663852886e38, -3.4028234663852886e38, 1.5]);
  });

  it('a processor of the user runs after the built-in ones and may return another row', () => {
    const seen: number[][] = [];
    const settings = interpretOptions(
      {
        suppressTokens: [1],
        logitsProcessors: [
          (tokens, scores) => {
            seen.push([...tokens], [...scores]);
          },
          (_tokens, scores) => scores.map(score => score + 1),
        ],
      },
      MODEL,
    );
    const scores = Float32Array.of(1, 2, 3);
    createProcessor(settings)([7], scores);
    expect(seen).toEqual([[7], [1, Number.NEGATIVE_INFINITY, 3]]);
    expect([...scores]).toEqual([2, Number.NEGATIVE_INFINITY, 4]);
  });

  it('a row of another length is refused', () => {
    const settings = interpretOptions({ logitsProcessors: [() => new Float32Array(2)] }, MODEL);
    expect(() => createProcessor(settings)([], new Float32Array(3))).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });

  it('filters keep as many tokens as they are told', () => {
    const kept = (process: ReturnType<typeof topK>) => {
      const scores = Float32Array.of(5, 1, 4, 2);
      process([], scores);
      return [...scores].map((score, id) => (Number.isFinite(score) ? id : -1)).filter(id => id >= 0);
    };
    expect(kept(topK(1, 1))).toEqual([0]);
    expect(kept(topK(1, 2))).toEqual([0, 2]);
    expect(kept(topP(0, 1))).toEqual([0]);
    expect(kept(topP(0, 3))).toEqual([0, 2, 3]);
  });
});
