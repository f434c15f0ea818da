/** The result as Markdown. */

const ms = value => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
const rate = value => `${ms(value)} (${(1000 / value).toFixed(1)} tokens/s)`;
const gigabytes = value => `${(value / 1e9).toFixed(2)} GB`;
const percent = value => `${(100 * value).toFixed(1)} %`;
const tokensPerSecond = value => `${value.toFixed(1)} tokens/s`;

/** One line of the table: what each program took; the others may not have it. */
const row = (label, show, mine, transformers, libllama) => ({ label, show, mine, transformers, libllama });

/** The language model alone: without JavaScript, several rows a step. */
function languageModelRows({ languageModel, libllama, theirs }) {
  if (!languageModel) return [];
  const steps = Object.entries(languageModel).filter(([name]) => /^decode\d+$/.test(name));
  return [
    ...(languageModel.encode
      ? [row('the encoder alone', ms, languageModel.encode, theirs?.encode, libllama?.encode)]
      : []),
    row('prefill, language model alone', ms, languageModel.prefill, undefined, libllama?.prefill),
    ...steps.map(([name, value]) => {
      const count = Number(name.slice('decode'.length));
      return row(
        `a step of ${count} ${count === 1 ? 'row' : 'rows'}, language model alone`,
        ms,
        value,
        undefined,
        libllama?.[name],
      );
    }),
  ];
}

/** Steps of several rows, from JavaScript. */
function stepRows({ ours, libllama }) {
  const { beams, batch } = ours;
  return [
    ...(beams === undefined
      ? []
      : [
          row(`a step of ${beams} beams`, ms, ours.beamStep, undefined, libllama?.[`decode${beams}`]),
          row('of it JavaScript', percent, ours.beamScriptShare),
        ]),
    ...(batch === undefined
      ? []
      : [
          row(
            `a step of ${batch} questions in one batch`,
            step => `${ms(step)} (${tokensPerSecond((1000 * batch) / step)})`,
            ours.batchStep,
            undefined,
            libllama?.[`decode${batch}`],
          ),
        ]),
  ];
}

function rows(result) {
  const { ours, theirs, libllama } = result;
  const prefill = `prefill, ${ours.imageTokens} + ${ours.promptTokens} tokens`;
  return [
    row('load (files in the system’s cache)', ms, ours.load),
    row('preprocess (JPEG of 12 megapixels)', ms, ours.preprocess, theirs?.preprocess),
    row('vision encoder', ms, ours.vision, theirs?.vision),
    row('Q-Former and projection', ms, ours.qformer, theirs?.qformer),
    row(prefill, ms, ours.prefill, theirs?.prefill, libllama?.prefill),
    row('decode, one token', rate, ours.decode, theirs?.decode, libllama?.decode1),
    row('of it JavaScript', percent, ours.scriptShare),
    ...languageModelRows(result),
    ...stepRows(result),
    row('first token', ms, ours.firstToken, theirs?.firstToken),
    row('first token of a second question', ms, ours.secondQuestion),
    row('event-loop delay, 99 %', ms, ours.eventLoopDelay),
    row(`answer of ${ours.generatedTokens} tokens`, ms, ours.total, theirs?.total),
    row('peak memory (RSS)', gigabytes, ours.peakMemory, theirs?.memory),
    ...(ours.parallel === undefined
      ? []
      : [row(`${ours.parallel} calls at once`, tokensPerSecond, ours.parallelTokensPerSecond)]),
  ];
}

/** A line's cells: ours, and each of the others with its ratio to ours. */
function cells({ label, show, mine, transformers, libllama }, result) {
  const ratio = other => (other === undefined ? '' : (other / mine).toFixed(2));
  return [
    label,
    show(mine),
    ...(result.theirs
      ? [transformers ? `${show(transformers.value)}, ${transformers.by}` : '-', ratio(transformers?.value)]
      : []),
    ...(result.libllama ? [libllama === undefined ? '-' : show(libllama), ratio(libllama)] : []),
  ];
}

function describe({ machine, options, package: { engine }, ours, theirs }) {
  const cpu = [machine.cpu, machine.family, machine.features.join(' ')].filter(Boolean).join(', ');
  const torch = theirs ? `, torch ${theirs.versions.torch}` : '';
  const context = `context of ${options.contextSize || 'the default'} tokens`;
  return (
    `${cpu}; ${options.threads} threads; ${machine.system}, Node ${machine.node}, engine of ${engine}${torch}. ` +
    `${ours.model}: language model ${options.languageModelType}, vision ${options.visionType}, ${context}. ` +
    `Medians of ${options.rounds} rounds of ${options.repeats}.`
  );
}

/** What bounds decoding: every weight is read once a token. */
function describeBound({ memorySpeed, tokenBytes, ours }) {
  const bound = memorySpeed / tokenBytes;
  const share = Math.round((100 * 1000) / ours.decode / bound);
  return (
    `A token reads ${gigabytes(tokenBytes)} of weights, memory gives ${gigabytes(memorySpeed)} a second (sums over 1 GiB, best of 8): ` +
    `at most ${tokensPerSecond(bound)}, of which decode reaches ${share} %.`
  );
}

function notes(result) {
  const { command, ours, theirs, memorySpeed, busy } = result;
  const percent = Math.round(100 * busy);
  const memory = `peak memory ${gigabytes(ours.peakMemory)}, files ${gigabytes(ours.fileSize)} + 0.6 GB = ${gigabytes(ours.memoryLimit)}`;
  return [
    `\`${command}\``,
    describe(result),
    ...(theirs?.extended.length
      ? [`transformers in ${theirs.extended.join(', ')}: language model extended linearly from 2 and 6 layers.`]
      : []),
    ...(memorySpeed ? [describeBound(result)] : []),
    `${memory}: ${ours.withinMemoryLimit ? 'within the limit' : 'ABOVE THE LIMIT'}.`,
    `Other programs used at most ${percent} % of the CPUs before a measurement${percent > 10 ? ': THE FIGURES ARE NOT TO BE TRUSTED' : ''}.`,
  ];
}

const line = texts => `| ${texts.join(' | ')} |`;

export function markdown(result) {
  const { theirs, libllama } = result;
  const header = [
    '',
    `instructblip ${result.package.version}`,
    ...(theirs ? [`transformers ${theirs.versions.transformers}`, 'ratio'] : []),
    ...(libllama ? ['libllama', 'ratio'] : []),
  ];
  const table = [header, header.map(() => '---'), ...rows(result).map(each => cells(each, result))].map(line);
  return `${notes(result).join('\n\n')}\n\n${table.join('\n')}\n`;
}
