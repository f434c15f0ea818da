/** The engine's work for a call: the stages between pixels and logits. Each is timed, and ends with the call's signal. */
import type { LogitsSource } from '../generation/run-searches.js';
import { nativeCall, nativeWork } from '../native/native-call.js';
import { joined } from '../tensor.js';
import type { StageClock } from './answer.js';
import { ImageFeatures } from './image-features.js';
import type { Engine } from './loaded-model.js';

/** What every stage of a call works with. */
export interface EngineCall {
  readonly engine: Engine;
  readonly clock: StageClock;
  readonly signal: AbortSignal;
}

/** pixels [1,3,S,S] → features [tokens,hidden], not to be changed */
export async function featuresOf({ engine, clock, signal }: EngineCall, pixels: Float32Array): Promise<Float32Array> {
  const key = engine.images.keyOf(pixels);
  const known = key && engine.images.get(key);
  if (known) {
    clock.countCachedImage();
    return known;
  }
  return clock.measure('vision', async () => {
    const features = await nativeWork(engine.addon, signal, cancel => engine.model.encodeImage(pixels, cancel));
    if (key) engine.images.add(key, features);
    return features;
  });
}

/** features, instruction → soft tokens [imageTokens,hidden] */
const softTokensOf = (
  { engine, clock, signal }: EngineCall,
  features: Float32Array,
  instruction: Int32Array,
): Promise<Float32Array> =>
  clock.measure('qformer', () =>
    nativeWork(engine.addon, signal, cancel => engine.model.queryImage(features, instruction, cancel)),
  );

/** Features [tokens,hidden] that this model made. */
export const ownFeatures = ({ owner, model }: Engine, data: Float32Array): ImageFeatures =>
  new ImageFeatures(owner, data, [model.info.visionTokens, model.info.visionHiddenSize]);

/** Features [tokens,hidden] of a picture, when they are needed. */
export type PictureFeatures = (call: EngineCall) => Promise<Float32Array>;

/** Each picture with the instruction through the Q-Former → soft tokens of all, in their order [pictures x imageTokens,hidden] */
export async function softTokensOfAll(
  call: EngineCall,
  pictures: readonly PictureFeatures[],
  instruction: Int32Array,
): Promise<Float32Array> {
  const softTokens: Float32Array[] = [];
  for (const picture of pictures) softTokens.push(await softTokensOf(call, await picture(call), instruction));
  return joined(softTokens);
}

/** What one sequence of a session begins with. */
export interface SessionPrompt {
  /** [N,hidden] */
  readonly softTokens: Float32Array;
  readonly ids: Int32Array;
}

/** Room that a session reserves: see `admission-queue.ts`. */
export interface SessionRoom {
  readonly cells: number;
  readonly sequences: number;
}

/** Waits for room, and hands `work` the logits of a session that begins with `prompts`; the room is free again when it has ended. */
export async function inSession(
  call: EngineCall,
  { cells, sequences }: SessionRoom,
  prompts: readonly SessionPrompt[],
  answerStart: readonly number[],
  work: (source: LogitsSource) => Promise<void>,
): Promise<void> {
  const { engine, clock, signal } = call;
  const giveBack = await engine.queue.acquire(cells, sequences, signal);
  try {
    const session = nativeCall(() => engine.model.createSession(cells, sequences));
    const start = Int32Array.from(answerStart);
    const waiting = prompts.values();
    const prefill = () => {
      const { softTokens, ids } = waiting.next().value as SessionPrompt;
      return nativeWork(engine.addon, signal, cancel => session.prefill(softTokens, ids, start, cancel));
    };
    const decode = (tokens: Int32Array, parents: Int32Array) =>
      nativeWork(engine.addon, signal, cancel => session.decode(tokens, parents, cancel));
    try {
      await work({
        prefill: () => clock.measure('prefill', prefill),
        decode: (tokens, parents) => clock.measure('decode', () => decode(tokens, parents)),
      });
    } finally {
      session.dispose();
    }
  } finally {
    giveBack();
  }
}
