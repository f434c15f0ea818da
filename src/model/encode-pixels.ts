import type { Tensor } from '../tensor.js';
import { StageClock } from './answer.js';
import { checkNamed, signalRule } from './ask-options.js';
import { featuresOf, ownFeatures } from './engine-stages.js';
import { pixelsOf } from './generate-inputs.js';
import type { ImageFeatures } from './image-features.js';
import { underSignals } from './linked-signal.js';
import type { Engine } from './loaded-model.js';

/** pixelValues [B,3,S,S] or [B,F,3,S,S] → features of each row's frames; of a picture: of the one */
export async function encodePixels(
  engine: Engine,
  pixelValues: Tensor<Float32Array>,
  options: { signal?: AbortSignal },
): Promise<ImageFeatures[][]> {
  const { signal: outer } = checkNamed(options, { signal: signalRule });
  const frames = pixelsOf(pixelValues, engine.model.info);
  return underSignals([outer, engine.lifetime], async signal => {
    const call = { engine, clock: new StageClock(), signal };
    const rows: ImageFeatures[][] = [];
    for (const row of frames) {
      const features: ImageFeatures[] = [];
      for (const pixels of row) features.push(ownFeatures(engine, await featuresOf(call, pixels)));
      rows.push(features);
    }
    return rows;
  });
}
