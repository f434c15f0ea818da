import { count, flag, notNegative, number, rate, size, text, tokenId, tokenIdOrIds } from './fields.js';
import { type ConfigInit, configClass } from './pretrained-config.js';
import type { Dict } from './python-json.js';

const FIELDS = {
  /** Rows of the token embedding. */
  vocabSize: size(32128),
  /** Width of the model; `hiddenSize` says the same. */
  dModel: size(512),
  /** Size of an attention head; heads need not share `dModel` evenly. */
  dKv: size(64),
  /** Width inside the feed-forward layers. */
  dFf: size(2048),
  /** Layers of the encoder; `numHiddenLayers` says the same. */
  numLayers: count(6),
  /** Layers of the decoder; as many as `numLayers` by default. */
  numDecoderLayers: count(6),
  /** Attention heads; `numAttentionHeads` says the same. */
  numHeads: size(8),
  /** Buckets of relative positions. */
  relativeAttentionNumBuckets: size(32),
  /** Distance, in tokens, from which on all share the last bucket. */
  relativeAttentionMaxDistance: size(128),
  /** Share of states dropped in training. */
  dropoutRate: rate(0.1),
  /** Share of states dropped in a classifier's training. */
  classifierDropout: rate(0),
  /** Epsilon of the RMS norms. */
  layerNormEpsilon: notNegative(1e-6),
  /** Factor of new weights. */
  initializerFactor: number(1),
  /** Feed-forward layers: an activation, or 'gated-' and one. 'gated-gelu' means gelu_new, unless `denseActFn` says otherwise. */
  feedForwardProj: text('relu'),
  /** Activation of the feed-forward layers, by transformers' name; follows from `feedForwardProj` by default. */
  denseActFn: text('relu'),
  /** Whether the feed-forward layers are gated; follows from `feedForwardProj` by default. */
  isGatedAct: flag(false),
  /** Whether there is an encoder and a decoder. */
  isEncoderDecoder: flag(true),
  /** Whether keys and values are kept while generating. */
  useCache: flag(true),
  /** Token that fills up shorter rows. */
  padTokenId: tokenId(0),
  /** Token, or tokens, that end a text. */
  eosTokenId: tokenIdOrIds(1),
};
type Table = typeof FIELDS;
/** A name of its own: declarations refer to it, and editors find the comments above. */
interface Fields extends Table {}

/** The names that all text configurations have. */
const ALIASES = { hidden_size: 'd_model', num_attention_heads: 'num_heads', num_hidden_layers: 'num_layers' };

interface Aliases {
  /** Width of the model: `dModel`. */
  readonly hiddenSize: number;
  /** Attention heads: `numHeads`. */
  readonly numAttentionHeads: number;
  /** Layers of the encoder: `numLayers`. */
  readonly numHiddenLayers: number;
}

function deriveFeedForward(given: Dict): void {
  const projection = given.get('feed_forward_proj') ?? FIELDS.feedForwardProj.default;
  if (typeof projection !== 'string') return;
  const parts = projection.split('-');
  const activation = projection === 'gated-gelu' ? 'gelu_new' : parts.at(-1)!;
  if (!given.has('dense_act_fn')) given.set('dense_act_fn', activation);
  if (!given.has('is_gated_act')) given.set('is_gated_act', parts[0] === 'gated');
}

/** transformers sets the aliases last: `num_hidden_layers` does not reach the decoder, whose layers were counted before. */
function deriveLayers(given: Dict): void {
  const layers = given.get('num_layers') ?? FIELDS.numLayers.default!;
  if ((given.get('num_decoder_layers') ?? null) === null) given.set('num_decoder_layers', layers);
  for (const [alias, json] of Object.entries(ALIASES)) {
    if (given.has(alias)) given.set(json, given.get(alias)!);
    given.delete(alias);
  }
}

/** What `new T5Config` takes. */
export interface T5ConfigInit extends ConfigInit<Fields>, Partial<Aliases> {}

/** T5, and so Flan-T5, by transformers' `T5Config`. */
export class T5Config extends configClass<'t5', Fields, unknown, Partial<Aliases>>({
  modelType: 't5',
  place: 'text_config',
  fields: FIELDS as Fields,
  aliases: ALIASES,
  derive: given => {
    deriveFeedForward(given);
    deriveLayers(given);
  },
  check: ({ feedForwardProj, relativeAttentionNumBuckets, relativeAttentionMaxDistance }, fail) => {
    const parts = String(feedForwardProj).split('-');
    if (parts.length > 2 || (parts.length === 2 && parts[0] !== 'gated'))
      fail('feedForwardProj', "an activation, or 'gated-' and one, such as 'gated-gelu' or 'relu'");
    // Half of the encoder's buckets, and of those again half, hold one distance each; the rest reach up to the maximum on a log scale.
    const buckets = Number(relativeAttentionNumBuckets);
    if (buckets < 4) fail('relativeAttentionNumBuckets', 'a whole number from 4 on');
    if (Number(relativeAttentionMaxDistance) <= Math.floor(buckets / 2))
      fail('relativeAttentionMaxDistance', `above half of relativeAttentionNumBuckets (${buckets})`);
  },
}) {
  /** Width of the model: `dModel`. */
  get hiddenSize(): number {
    return this.dModel;
  }

  /** Attention heads: `numHeads`. */
  get numAttentionHeads(): number {
    return this.numHeads;
  }

  /** Layers of the encoder: `numLayers`. */
  get numHiddenLayers(): number {
    return this.numLayers;
  }
}
