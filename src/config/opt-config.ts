import { checkHeads, count, flag, notNegative, rate, size, text, tokenId, tokenIdOrIds } from './fields.js';
import { type ConfigInit, configClass } from './pretrained-config.js';

const FIELDS = {
  /** Rows of the token embedding. */
  vocabSize: size(50272),
  /** Width of the model. */
  hiddenSize: size(768),
  /** Layers. */
  numHiddenLayers: count(12),
  /** Width inside the feed-forward layers. */
  ffnDim: size(3072),
  /** Longest text, in tokens. */
  maxPositionEmbeddings: size(2048),
  /** Whether layer norms stand before attention and feed-forward (true) or behind them (OPT-350m). */
  doLayerNormBefore: flag(true),
  /** Whether the last layer norm is left out, as in models fine-tuned before transformers 4.20.1. */
  _removeFinalLayerNorm: flag(false),
  /** Width of the token embedding; `hiddenSize` by default, and always inside an `InstructBlipConfig`. */
  wordEmbedProjDim: size(768),
  /** Share of states dropped in training. */
  dropout: rate(0.1),
  /** Share of attention weights dropped in training. */
  attentionDropout: rate(0),
  /** Attention heads; they share `hiddenSize` evenly. */
  numAttentionHeads: size(12),
  /** Activation inside the feed-forward layers, by transformers' name. */
  activationFunction: text('relu'),
  /** Probability of skipping a layer in training. */
  layerdrop: rate(0),
  /** Standard deviation of new weights. */
  initStd: notNegative(0.02),
  /** Whether keys and values are kept while generating. */
  useCache: flag(true),
  /** Token that fills up shorter rows. */
  padTokenId: tokenId(1),
  /** First token of a text. */
  bosTokenId: tokenId(2),
  /** Token, or tokens, that end a text. */
  eosTokenId: tokenIdOrIds(2),
  /** Whether the linear layers have a bias. */
  enableBias: flag(true),
  /** Whether the layer norms have weights. */
  layerNormElementwiseAffine: flag(true),
};
type Table = typeof FIELDS;
/** A name of its own: declarations refer to it, and editors find the comments above. */
interface Fields extends Table {}

/** What `new OPTConfig` takes. */
export interface OPTConfigInit extends ConfigInit<Fields> {}

/** OPT, by transformers' `OPTConfig`. */
export class OPTConfig extends configClass({
  modelType: 'opt',
  place: 'text_config',
  fields: FIELDS as Fields,
  derive: given => {
    const width = given.get('hidden_size') ?? FIELDS.hiddenSize.default!;
    if ((given.get('word_embed_proj_dim') ?? null) === null) given.set('word_embed_proj_dim', width);
  },
  check: checkHeads,
}) {}
