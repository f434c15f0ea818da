import { checkHeads, count, notNegative, rate, size, text, tokenId } from './fields.js';
import { type ConfigInit, configClass } from './pretrained-config.js';

const FIELDS = {
  /** Rows of the token embedding. */
  vocabSize: size(30522),
  /** Width of the Q-Former. */
  hiddenSize: size(768),
  /** Layers. */
  numHiddenLayers: count(12),
  /** Attention heads; they share `hiddenSize` evenly. */
  numAttentionHeads: size(12),
  /** Width inside the feed-forward layers. */
  intermediateSize: size(3072),
  /** Activation inside the feed-forward layers, by transformers' name. */
  hiddenAct: text('gelu'),
  /** Share of states dropped in training. */
  hiddenDropoutProb: rate(0.1),
  /** Share of attention weights dropped in training. */
  attentionProbsDropoutProb: rate(0.1),
  /** Longest instruction, in tokens. */
  maxPositionEmbeddings: size(512),
  /** Standard deviation of new weights. */
  initializerRange: notNegative(0.02),
  /** Epsilon of the layer norms. */
  layerNormEps: notNegative(1e-12),
  /** Token that fills up shorter rows. */
  padTokenId: tokenId(0),
  /** 'absolute', 'relative_key' or 'relative_key_query'. */
  positionEmbeddingType: text('absolute'),
  /** Every so many layers, from the first on, one reads the picture. */
  crossAttentionFrequency: size(2),
  /** Width of the picture's states. Inside an `InstructBlipConfig` always the vision encoder's `hiddenSize`. */
  encoderHiddenSize: size(1408),
};
type Table = typeof FIELDS;
/** A name of its own: declarations refer to it, and editors find the comments above. */
interface Fields extends Table {}

/** What `new InstructBlipQFormerConfig` takes. */
export interface InstructBlipQFormerConfigInit extends ConfigInit<Fields> {}

/** The Q-Former, by transformers' `InstructBlipQFormerConfig`. */
export class InstructBlipQFormerConfig extends configClass({
  modelType: 'instructblip_qformer',
  place: 'qformer_config',
  fields: FIELDS as Fields,
  check: checkHeads,
}) {}
