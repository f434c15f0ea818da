import { formatBytes } from './progress.js';

/** What `instructblip bench` measured: medians. Times in milliseconds; of the model's files nothing is cached but by the system. */
export interface BenchResult {
  readonly model: string;
  readonly device: string;
  readonly imageTokens: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly repeats: number;
  readonly load: number;
  readonly preprocess: number;
  readonly vision: number;
  readonly qformer: number;
  readonly prefill: number;
  /** Of one token after the first, with everything that JavaScript does for it. */
  readonly decode: number;
  /** Share of `decode` that JavaScript takes. */
  readonly scriptShare: number;
  /** From the call to the first token. */
  readonly firstToken: number;
  /** The same for a second question about a picture. */
  readonly secondQuestion: number;
  /** How long the event loop was held up while answers came: 99 of 100 times no longer. */
  readonly eventLoopDelay: number;
  readonly total: number;
  /** Most memory that the process held at once, bytes. Resident pages of mapped model files count. */
  readonly peakMemory: number;
  readonly beams?: number;
  /** Of that many beams. */
  readonly beamStep?: number;
  /** Share of `beamStep` that JavaScript takes, at most. */
  readonly beamScriptShare?: number;
  readonly batch?: number;
  /** Of that many questions, a token each. */
  readonly batchStep?: number;
  readonly parallel?: number;
  /** Of all parallel calls together. */
  readonly parallelTokensPerSecond?: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;

export function describeBench(result: BenchResult): string {
  const tokensIn = result.imageTokens + result.promptTokens;
  const rows: [string, string][] = [
    ['load', milliseconds(result.load)],
    ['preprocess', milliseconds(result.preprocess)],
    ['vision encoder', milliseconds(result.vision)],
    ['Q-Former', milliseconds(result.qformer)],
    [
      `prefill (${result.imageTokens} + ${result.promptTokens} tokens)`,
      `${milliseconds(result.prefill)}, ${((tokensIn * 1000) / result.prefill).toFixed(1)} tokens/s`,
    ],
    ['decode', `${milliseconds(result.decode)} per token, ${(1000 / result.decode).toFixed(1)} tokens/s`],
    ['JavaScript’s share of it', percent(result.scriptShare)],
    ['first token', milliseconds(result.firstToken)],
    ['second question, first token', milliseconds(result.secondQuestion)],
    [`whole answer (${result.generatedTokens} tokens)`, milliseconds(result.total)],
    ['event-loop delay (99 %)', milliseconds(result.eventLoopDelay)],
    ['peak memory', formatBytes(result.peakMemory)],
  ];
  if (result.beamStep !== undefined) rows.push([`a step of ${result.beams} beams`, milliseconds(result.beamStep)]);
  if (result.beamScriptShare !== undefined) rows.push(['JavaScript’s share of it', percent(result.beamScriptShare)]);
  if (result.batchStep !== undefined)
    rows.push([`a step of ${result.batch} questions in one batch`, milliseconds(result.batchStep)]);
  if (result.parallelTokensPerSecond !== undefined)
    rows.push([`${result.parallel} calls at once`, `${result.parallelTokensPerSecond.toFixed(1)} tokens/s together`]);
  const width = Math.max(...rows.map(([label]) => label.length));
  const lines = rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}\n`);
  return `${result.model} on ${result.device}, medians of ${result.repeats}\n${lines.join('')}`;
}
