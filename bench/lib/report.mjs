/** Medians of all rounds, side by side. Times in milliseconds, memory in bytes. */

const TIMES = [
  'load',
  'preprocess',
  'vision',
  'qformer',
  'prefill',
  'decode',
  'firstToken',
  'secondQuestion',
  'eventLoopDelay',
  'total',
];
/** What is measured only when it is asked for, or has no time. */
const OTHERS = ['scriptShare', 'parallelTokensPerSecond', 'beamStep', 'beamScriptShare', 'batchStep'];
/** What the process may hold besides its files. */
const MEMORY_ALLOWANCE = 0.6e9;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const medianOf = (rounds, value) => median(rounds.map(value));

/** This package: the median of each stage; the most memory of any round. */
function summarizeOurs(rounds, fileSize) {
  const peakMemory = Math.max(...rounds.map(round => round.peakMemory));
  return {
    ...rounds[0],
    ...Object.fromEntries(
      [...TIMES, ...OTHERS]
        .filter(name => rounds[0][name] !== undefined)
        .map(name => [name, medianOf(rounds, round => round[name])]),
    ),
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
function summarizeTransformers(byDtype, tokens) {
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
  const encode = byDtype[dtypes[0]][0].encode === undefined ? undefined : stage('encode');
  const firstToken = preprocess.value + vision.value + qformer.value + prefill.value;
  const used = byDtype[decode.by];
  return {
    preprocess,
    vision,
    qformer,
    ...(encode && { encode }),
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

/** A language model alone: medians of every repeat of every round. `decode<N>`: a step of N rows. */
function summarizeLanguageModel(rounds) {
  const of = values => median(rounds.flatMap(values));
  const encode = of(round => round.encode);
  return {
    ...(encode > 0 && { encode }),
    prefill: of(round => round.prefill),
    ...Object.fromEntries(
      Object.keys(rounds[0].decode).map(rows => [`decode${rows}`, of(round => round.decode[rows])]),
    ),
  };
}

export function summarize(rounds, model, options) {
  const measured = Object.keys(rounds.transformers).length > 0;
  return {
    ours: summarizeOurs(rounds.ours, model.size),
    theirs: measured ? summarizeTransformers(rounds.transformers, options.tokens) : undefined,
    ...(rounds.languageModel.length > 0 && { languageModel: summarizeLanguageModel(rounds.languageModel) }),
    ...(rounds.libllama.length > 0 && { libllama: summarizeLanguageModel(rounds.libllama) }),
    busy: Math.max(...rounds.busy),
  };
}
