import {
  checkHeads,
  count,
  flag,
  notNegative,
  positive,
  ropeScaling,
  size,
  text,
  tokenId,
  tokenIdOrIds,
} from './fields.js';
import { type ConfigInit, configClass } from './pretrained-config.js';

const FIELDS = {
  /** Rows of the token embedding. */
  vocabSize: size(32000),
  /** Width of the model. */
  hiddenSize: size(4096),
  /** Width inside the feed-forward layers. */
  intermediateSize: size(11008),
  /** Layers. */
  numHiddenLayers: count(32),
  /** Attention heads; they share `hiddenSize` evenly. */
  numAttentionHeads: size(32),
  /** Heads of keys and values, each for equally many attention heads; as many as those by default. */
  numKeyValueHeads: size(32),
  /** Activation inside the feed-forward layers, by transformers' name. */
  hiddenAct: text('silu'),
  /** Longest text, in tokens. */
  maxPositionEmbeddings: size(2048),
  /** Standard deviation of new weights. */
  initializerRange: notNegative(0.02),
  /** Epsilon of the RMS norms. */
  rmsNormEps: notNegative(1e-6),
  /** Whether keys and values are kept while generating. */
  useCache: flag(true),
  /** First token of a text. */
  bosTokenId: tokenId(1),
  /** Token, or tokens, that end a text. */
  eosTokenId: tokenIdOrIds(2),
  /** Slices that the weights were trained in. */
  pretrainingTp: size(1),
  /** Whether the head is the token embedding. */
  tieWordEmbeddings: flag(false),
  /** Base of the rotary positions' wavelengths. */
  ropeTheta: positive(10000),
  /** How positions are stretched; null = not at all. */
  ropeScaling,
  /** Whether the attention's projections have a bias. */
  attentionBias: flag(false),
};
type Table = typeof FIELDS;
/** A name of its own: declarations refer to it, and editors find the comments above. */
interface Fields extends Table {}

/** What `new LlamaConfig` takes. */
export interface LlamaConfigInit extends ConfigInit<Fields> {}

/** LLaMA, and so Vicuna, by transformers' `LlamaConfig`. */
export class LlamaConfig extends configClass({
  modelType: 'llama',
  place: 'text_config',
  fields: FIELDS as Fields,
  derive: given => {
    const heads = given.get('num_attention_heads') ?? FIELDS.numAttentionHeads.default!;
    if ((given.get('num_key_value_heads') ?? null) === null) given.set('num_key_value_heads', heads);
  },
  check: (values, fail) => {
    checkHeads(values, fail);
    const { numAttentionHeads, numKeyValueHeads } = values;
    if (Number(numAttentionHeads) % Number(numKeyValueHeads) !== 0)
      fail('numKeyValueHeads', `a divisor of numAttentionHeads (${numAttentionHeads})`);
  },
}) {}
