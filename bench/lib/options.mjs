/** Arguments of bench/run.mjs. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, root } from '../../scripts/lib/run.mjs';
import { physicalCores } from './machine.mjs';

const OPTIONS = {
  shape: { type: 'string', default: 'vicuna-7b' },
  'language-model-type': { type: 'string', default: 'Q4_K_M' },
  'vision-type': { type: 'string', default: 'F16' },
  layers: { type: 'string' },
  'vision-layers': { type: 'string' },
  'qformer-layers': { type: 'string' },
  out: { type: 'string', default: join(root, 'bench', 'out') },
  threads: { type: 'string', default: String(physicalCores()) },
  'context-size': { type: 'string', default: '0' },
  tokens: { type: 'string', default: '32' },
  repeats: { type: 'string', default: '3' },
  rounds: { type: 'string', default: '2' },
  parallel: { type: 'string' },
  beams: { type: 'string' },
  batch: { type: 'string' },
  'no-baseline': { type: 'boolean', default: false },
  'no-libllama': { type: 'boolean', default: false },
  dtypes: { type: 'string', default: 'bfloat16,float32' },
  venv: { type: 'string', default: join(root, 'bench', '.venv') },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
};

const HELP = `npm run bench -- [options]
  --no-baseline                 measure only this package, not transformers
  --shape NAME                  shape of the language model: vicuna-7b (default), vicuna-13b, flan-t5-xl, flan-t5-xxl
  --language-model-type TYPE    F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q4_K_M Q4_0 (default Q4_K_M)
  --vision-type TYPE            F32 F16 BF16 Q8_0 Q4_0 (default F16)
  --no-libllama                 do not measure libllama's own language model on the same file
  --layers N, --vision-layers N, --qformer-layers N   fewer layers, for a quick look
  --threads N                   for both sides (default: physical cores)
  --context-size N              tokens of this package's KV cache, 0 = the package's default
  --tokens N                    tokens of an answer (default 32)
  --repeats N                   measured calls a round, after one to warm up (default 3)
  --rounds N                    rounds: this package and the others in turn (default 2)
  --parallel N                  measure N calls at once, too
  --beams N                     measure beam search with N beams, too; 5 or 8 are compared with libllama's own step
  --batch N                     measure N questions in one batch, too; 5 or 8 are compared with libllama's own step
  --dtypes A,B                  dtypes of transformers (default bfloat16,float32); each stage counts with its best
  --venv DIR                    Python environment of the baseline; made where there is none (default bench/.venv)
  --out DIR                     folder for the models (default bench/out)
  --json FILE                   all figures (default <out>/result.json)`;

function count(name, value, least) {
  const number = Number(value);
  if (!Number.isInteger(number) || number < least) fail(`--${name} must be a whole number, at least ${least}`);
  return number;
}

/** Checked options; prints the help and ends when asked to. */
export function readOptions(args = process.argv.slice(2)) {
  let values;
  try {
    values = parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    fail(`${error.message.split('\n')[0]} (--help shows what there is)`);
  }
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const optional = (name, least) => (values[name] === undefined ? undefined : count(name, values[name], least));
  return {
    shape: values.shape,
    languageModelType: values['language-model-type'],
    visionType: values['vision-type'],
    layers: optional('layers', 1),
    visionLayers: optional('vision-layers', 1),
    qformerLayers: optional('qformer-layers', 1),
    out: values.out,
    threads: count('threads', values.threads, 1),
    contextSize: count('context-size', values['context-size'], 0),
    tokens: count('tokens', values.tokens, 2),
    repeats: count('repeats', values.repeats, 1),
    rounds: count('rounds', values.rounds, 1),
    parallel: optional('parallel', 1),
    beams: optional('beams', 2),
    batch: optional('batch', 2),
    baseline: !values['no-baseline'],
    libllama: !values['no-libllama'],
    dtypes: values.dtypes.split(','),
    venv: values.venv,
    json: values.json ?? join(values.out, 'result.json'),
  };
}
