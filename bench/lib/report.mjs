/** Medians of all rounds, side by side. Times in milliseconds, memory in bytes. */

const TIMES = ['load', 'preprocess', 'vision', 'qformer', 'prefill', 'decode', 'firstToken', 'total'];
/** What the process may hold besides its files. */
export const MEMORY_ALLOWANCE = 0.6e9;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const medianOf = (rounds, value) => median(rounds.map(value));

/** This package: the median of each stage; the most memory of any round. */
export function summarizeOurs(rounds, fileSize) {
  const peakMemory = Math.max(...rounds.map(round => round.peakMemory));
  return {
    ...rounds[0],
    ...Object.fromEntries(TIMES.map(stage => [stage, medianOf(rounds, round => round[stage])])),
    ...(rounds[0].parallel === undefined
      ? {}
      : { parallelTokensPerSecond: medianOf(rounds, round => round.parallelTokensPerSecond) }),
    peakMemory,
    fileSize,
    memoryLimit: fileSize + MEMORY_ALLOWANCE,
    withinMemoryLimit: peakMemory <= fileSize + MEMORY_ALLOWANCE,
  };
}

/** The best of several named values: `{ value, by }`. */
function best(named) {
  const [by, value] = Object.entries(named).sort(([, a], [, b]) => a - b)[0];
  return { value, by };
}

/** transformers: each stage with the dtype (and the image processor) that is fastest on this machine. */
export function summarizeTransformers(byDtype, tokens) {
  const dtypes = Object.keys(byDtype);
  const stage = name =>
    best(Object.fromEntries(dtypes.map(dtype => [dtype, 1000 * medianOf(byDtype[dtype], round => round[name])])));
  const processors = Object.keys(byDtype[dtypes[0]][0].preprocess);
  const preprocess = best(
    Object.fromEntries(
      processors.map(name => [
        name,
        1000 *
          median(
            Object.values(byDtype)
              .flat()
              .map(round => round.preprocess[name]),
          ),
      ]),
    ),
  );
  const [vision, qformer, prefill, decode] = ['vision', 'qformer', 'prefill', 'decode'].map(stage);
  const firstToken = preprocess.value + vision.value + qformer.value + prefill.value;
  const used = byDtype[decode.by];
  return {
    preprocess,
    vision,
    qformer,
    prefill,
    decode,
    firstToken: { value: firstToken, by: 'sum' },
    total: { value: firstToken + decode.value * (tokens - 1), by: 'sum' },
    // Where the language model did not fit, the weights are the least that a process with all of it would hold.
    memory: {
      value: used[0].whole ? Math.max(...used.map(round => round.peakMemory)) : used[0].weights,
      by: used[0].whole ? decode.by : `${decode.by}, weights alone`,
    },
    extended: dtypes.filter(dtype => byDtype[dtype].some(round => !round.whole)),
    versions: { torch: used[0].torch, transformers: used[0].transformers },
    bfloat16Kernels: used[0].bfloat16Kernels,
    threads: used[0].threads,
  };
}

const ms = value => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
const rate = value => `${ms(value)} (${(1000 / value).toFixed(1)} tokens/s)`;
const gigabytes = value => `${(value / 1e9).toFixed(2)} GB`;

function rows(ours, theirs) {
  const row = (label, mine, other, show) => [
    label,
    show(mine),
    ...(theirs
      ? [other ? `${show(other.value)}, ${other.by}` : '-', other ? `${(other.value / mine).toFixed(2)}` : '']
      : []),
  ];
  const prefill = `prefill, ${ours.imageTokens} + ${ours.promptTokens} tokens`;
  return [
    row('load (files in the system’s cache)', ours.load, undefined, ms),
    row('preprocess (JPEG 1600 x 1200)', ours.preprocess, theirs?.preprocess, ms),
    row('vision encoder', ours.vision, theirs?.vision, ms),
    row('Q-Former and projection', ours.qformer, theirs?.qformer, ms),
    row(prefill, ours.prefill, theirs?.prefill, ms),
    row('decode, one token', ours.decode, theirs?.decode, rate),
    row('first token', ours.firstToken, theirs?.firstToken, ms),
    row(`answer of ${ours.generatedTokens} tokens`, ours.total, theirs?.total, ms),
    row('peak memory (RSS)', ours.peakMemory, theirs?.memory, gigabytes),
    ...(ours.parallel === undefined
      ? []
      : [
          row(
            `${ours.parallel} calls at once`,
            ours.parallelTokensPerSecond,
            undefined,
            value => `${value.toFixed(1)} tokens/s`,
          ),
        ]),
  ];
}

const line = cells => `| ${cells.join(' | ')} |`;

/** The result as Markdown. */
export function markdown({ command, machine, options, package: { version, engine }, ours, theirs }) {
  const header = [
    '',
    `instructblip ${version}`,
    ...(theirs ? [`transformers ${theirs.versions.transformers}`, 'ratio'] : []),
  ];
  const cpu = [machine.cpu, machine.family, machine.features.join(' ')].filter(Boolean).join(', ');
  const memory = `peak memory ${gigabytes(ours.peakMemory)}, files ${gigabytes(ours.fileSize)} + 0.6 GB = ${gigabytes(ours.memoryLimit)}`;
  const notes = [
    `\`${command}\``,
    `${cpu}; ${options.threads} threads; ${machine.system}, Node ${machine.node}, engine of ${engine}${
      theirs ? `, torch ${theirs.versions.torch}` : ''
    }. ${ours.model}: language model ${options.languageModelType}, vision ${options.visionType}, context of ${options.contextSize || 'the default'} tokens. Medians of ${options.rounds} rounds of ${options.repeats}.`,
    ...(theirs?.extended.length
      ? [`transformers in ${theirs.extended.join(', ')}: language model extended linearly from 2 and 6 layers.`]
      : []),
    `${memory}: ${ours.withinMemoryLimit ? 'within the limit' : 'ABOVE THE LIMIT'}.`,
  ];
  const table = [header, header.map(() => '---'), ...rows(ours, theirs)].map(line);
  return `${notes.join('\n\n')}\n\n${table.join('\n')}\n`;
}
