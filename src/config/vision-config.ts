import { checkHeads, count, flag, notNegative, rate, size, text } from './fields.js';
import { type ConfigInit, configClass } from './pretrained-config.js';

const FIELDS = {
  /** Width of the encoder: numbers per patch. */
  hiddenSize: size(1408),
  /** Width inside the feed-forward layers. */
  intermediateSize: size(6144),
  /** Layers of the encoder. */
  numHiddenLayers: count(39),
  /** Attention heads; they share `hiddenSize` evenly. */
  numAttentionHeads: size(16),
  /** Height and width of the picture, in pixels. */
  imageSize: size(224),
  /** Height and width of a patch, in pixels. */
  patchSize: size(14),
  /** Activation inside the feed-forward layers, by transformers' name. */
  hiddenAct: text('gelu'),
  /** Epsilon of the layer norms. */
  layerNormEps: notNegative(1e-6),
  /** Share of attention weights dropped in training. */
  attentionDropout: rate(0),
  /** Standard deviation of new weights. */
  initializerRange: notNegative(1e-10),
  /** Whether queries and values have a bias. */
  qkvBias: flag(true),
};
type Table = typeof FIELDS;
/** A name of its own: declarations refer to it, and editors find the comments above. */
interface Fields extends Table {}

/** What `new InstructBlipVisionConfig` takes. */
export interface InstructBlipVisionConfigInit extends ConfigInit<Fields> {}

/** The vision encoder (EVA-CLIP-g), by transformers' `InstructBlipVisionConfig`. */
export class InstructBlipVisionConfig extends configClass({
  modelType: 'instructblip_vision_model',
  place: 'vision_config',
  fields: FIELDS as Fields,
  check: (values, fail) => {
    checkHeads(values, fail);
    const { imageSize, patchSize } = values;
    if (Number(patchSize) > Number(imageSize)) fail('patchSize', `at most imageSize (${imageSize})`);
  },
}) {}
