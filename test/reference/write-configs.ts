/**
 * Writes configurations of this package for transformers to load: random values (seed 55) by constructor, by `with`, and as parts of wholes.
 *
 *     npx tsx test/reference/write-configs.ts DIR && python test/reference/configs.py --check DIR
 */
import { join } from 'node:path';
import { InstructBlipConfig, type TextConfig } from '../../src/config/instruct-blip-config.js';
import { LlamaConfig } from '../../src/config/llama-config.js';
import { OPTConfig } from '../../src/config/opt-config.js';
import { InstructBlipQFormerConfig } from '../../src/config/qformer-config.js';
import { T5Config } from '../../src/config/t5-config.js';
import { InstructBlipVisionConfig } from '../../src/config/vision-config.js';
import { seededRandom } from '../../src/generation/random.js';

const COUNT = 40;
const folder = process.argv[2];
if (folder === undefined) throw new Error('name a folder to write to');

const random = seededRandom(55);
const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)] as T;
/** One of many magnitudes, with and without a fraction. */
const float = (): number => pick(1, 0.5, random(), 10 ** -Math.floor(random() * 20), random() * 1e-5);

const common = () => ({
  nameOrPath: pick('', 'a/ä'),
  torchDtype: pick(null, 'float16', 'bfloat16'),
  temperature: float() * 1e18,
  lengthPenalty: -float(),
  earlyStopping: pick<boolean | 'never'>(true, false, 'never'),
  badWordsIds: pick(null, [[1], [2, 3]]),
  exponentialDecayLengthPenalty: pick(null, [3, 2] as const, [3, 1.5] as const),
  numLabels: pick(0, 2, 12),
  architectures: pick(null, ['X']),
  extra: { new_field: [float(), 'ü"\\\n\u{1f600}', { b: 1, a: null }], head_dim: pick(1, 128) },
});
const heads = () => ({ hiddenSize: pick(64, 1024), numAttentionHeads: pick(8, 16) });
const vision = () => ({ ...common(), ...heads(), layerNormEps: float(), initializerRange: float() });
const qformer = () => ({
  ...common(),
  ...heads(),
  hiddenDropoutProb: pick(0, 0.1, 1),
  crossAttentionFrequency: pick(1, 3),
});
const llama = () => ({
  ...common(),
  ...heads(),
  ropeTheta: pick(10000, 1e6, 1e17),
  ropeScaling: pick(null, { type: 'linear', factor: 2 } as const, { type: 'dynamic', factor: 1.25 } as const),
});
const t5 = () => ({
  ...common(),
  numLayers: pick(0, 2, 9),
  feedForwardProj: pick('relu', 'gated-gelu', 'gated-silu'),
  layerNormEpsilon: float(),
  initializerFactor: float(),
});
const opt = () => ({ ...common(), ...heads(), _removeFinalLayerNorm: pick(true, false), dropout: pick(0, 1, 0.25) });
const text = () => pick<TextConfig>(new LlamaConfig(llama()), new T5Config(t5()), new OPTConfig(opt()));

const MAKERS = [
  () => new InstructBlipVisionConfig(vision()).with({ qkvBias: pick(true, false) }),
  () => new InstructBlipQFormerConfig(qformer()).with({ padTokenId: pick(null, 0, 5) }),
  () => new LlamaConfig(llama()).with({ numAttentionHeads: 4 }),
  () => new T5Config(t5()).with({ denseActFn: pick('gelu', 'relu') }),
  () => new OPTConfig(opt()).with({ hiddenSize: 128 }),
  () =>
    new InstructBlipConfig({
      visionConfig: vision(),
      qformerConfig: new InstructBlipQFormerConfig(qformer()),
      textConfig: text(),
    }),
  () => new InstructBlipConfig({ ...common(), imageTokenIndex: 7, textConfig: { modelType: 't5', ...t5() } }),
];

for (let i = 0; i < COUNT * MAKERS.length; i++) {
  const config = MAKERS[i % MAKERS.length]!();
  await config.savePretrained(join(folder, `${config.constructor.name}-${i}`));
}
console.log(COUNT * MAKERS.length, 'configurations in', folder);
