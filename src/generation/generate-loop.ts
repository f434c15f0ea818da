import { AnswerWriter, type FinishReason, type GenerateHooks, type GenerationState } from './answer-writer.js';
import { BeamSearch } from './beam-search.js';
import { logSumExp } from './float32.js';
import type { GenerationSettings } from './generation-settings.js';
import { createProcessor } from './processor-order.js';
import { seededRandom } from './random.js';
import { greedy, multinomial } from './token-selector.js';

/** Where logits come from: a session of the engine, or a script in tests. Rows are sequences: one, or beams. */
export interface LogitsSource {
  /** Reads the prompt; logits [V] of its last position. */
  prefill(): Promise<Float32Array>;
  /** Row i continues the sequence `parents[i]` of the last step (default: i) with `tokens[i]`; logits [rows,V]. */
  decode(tokens: Int32Array, parents?: Int32Array): Promise<Float32Array>;
}

/**
 * Generates one answer into `state`, until a stop id, a stop string or the length limit. A throw from `source`, from a callback or of the signal's reason
 * ends it and leaves `state` with what was delivered, `finishReason` 'abort'.
 */
export async function generate(
  source: LogitsSource,
  settings: GenerationSettings,
  hooks: GenerateHooks,
  state: GenerationState,
): Promise<void> {
  const writer = new AnswerWriter(settings, hooks, state);
  await (settings.numBeams > 1 ? searchBeams : searchOne)(source, settings, hooks, writer);
}

/** Greedy search and sampling: scores → processors → token → text. */
async function searchOne(
  source: LogitsSource,
  settings: GenerationSettings,
  { signal, onToken }: GenerateHooks,
  writer: AnswerWriter,
): Promise<void> {
  const process = createProcessor(settings);
  const select = settings.doSample ? multinomial(seededRandom(settings.seed)) : greedy;
  const context = [...settings.contextPrefix];
  let scores = await source.prefill();
  for (let count = 1; ; count++) {
    signal?.throwIfAborted();
    const raw = onToken ? scores.slice() : scores;
    process(context, scores);
    const id = select(scores);
    context.push(id);
    const end = endOf(settings.stopIds.includes(id), count >= settings.maxNewTokens);
    if (await writer.write(id, () => (raw[id] as number) - logSumExp(raw), end)) return;
    scores = await source.decode(Int32Array.of(id));
  }
}

const endOf = (stopped: boolean, isFull: boolean): FinishReason | null => (stopped ? 'stop' : isFull ? 'length' : null);

/** Beams: what all of them agree on is text already while they search on. */
async function searchBeams(
  source: LogitsSource,
  settings: GenerationSettings,
  { signal }: GenerateHooks,
  writer: AnswerWriter,
): Promise<void> {
  const search = new BeamSearch(settings, seededRandom(settings.seed));
  let written = 0;
  let rows = [await source.prefill()];
  for (;;) {
    signal?.throwIfAborted();
    const next = search.advance(rows);
    if (!next) break;
    const { tokens, logprobs } = search.settled();
    for (; written < tokens.length; written++) {
      const index = written;
      await writer.write(tokens[index] as number, () => logprobs[index] as number, null);
    }
    rows = rowsOf(await source.decode(Int32Array.from(next.tokens), Int32Array.from(next.parents)), next.tokens.length);
  }
  const [best] = search.hypotheses();
  for (; best && written < best.tokens.length; written++) {
    const index = written;
    const end = index === best.tokens.length - 1 ? endOf(best.stopped, true) : null;
    await writer.write(best.tokens[index] as number, () => best.logprobs[index] as number, end);
  }
}

/** logits [count,V] → rows [V] */
function rowsOf(logits: Float32Array, count: number): Float32Array[] {
  const width = logits.length / count;
  return Array.from({ length: count }, (_, i) => logits.subarray(i * width, (i + 1) * width));
}
