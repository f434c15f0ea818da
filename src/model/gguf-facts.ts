/** What model files say, as Hugging Face's configurations. Fields that no key says have HF's defaults. */
import { type GenerationFields, generationFieldsOf } from '../config/generation-fields.js';
import { InstructBlipConfig, type TextConfig } from '../config/instruct-blip-config.js';
import { LlamaConfig } from '../config/llama-config.js';
import { OPTConfig } from '../config/opt-config.js';
import { InstructBlipQFormerConfig } from '../config/qformer-config.js';
import { T5Config } from '../config/t5-config.js';
import { InstructBlipVisionConfig } from '../config/vision-config.js';
import { createError } from '../errors.js';
import type { NativeAddon, NativeModelInfo } from '../native/addon.js';
import { nativeCall } from '../native/native-call.js';

/** What one GGUF file says; the engine has checked the keys that it reads. */
export class GgufFacts {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #tensors: ReadonlySet<string>;

  /** @throws MODEL_FILE_* */
  constructor(addon: Pick<NativeAddon, 'readGguf'>, path: string) {
    const { metadata, tensors } = nativeCall(() => addon.readGguf(path));
    this.#values = new Map(metadata.map(({ key, value }) => [key, value]));
    this.#tensors = new Set(tensors.map(({ name }) => name));
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  hasTensor(name: string): boolean {
    return this.#tensors.has(name);
  }

  number(key: string, fallback?: number): number {
    return (this.#values.get(key) ?? fallback) as number;
  }

  /** A number of float32, as the shortest that is the same there: 1e-6 comes as 9.999999974752427e-7. */
  float(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    for (let digits = 1; digits < 9; digits++) {
      const short = Number(value.toPrecision(digits));
      if (Math.fround(short) === Math.fround(value)) return short;
    }
    return value;
  }

  text(key: string, fallback?: string): string {
    return (this.#values.get(key) ?? fallback) as string;
  }

  flag(key: string): boolean {
    return this.#values.get(key) === true;
  }
}

/** @param facts of the `mmproj-*.gguf` */
export const visionConfigOf = (facts: GgufFacts): InstructBlipVisionConfig =>
  new InstructBlipVisionConfig({
    hiddenSize: facts.number('clip.vision.embedding_length'),
    intermediateSize: facts.number('clip.vision.feed_forward_length'),
    numHiddenLayers: facts.number('clip.vision.block_count'),
    numAttentionHeads: facts.number('clip.vision.attention.head_count'),
    imageSize: facts.number('clip.vision.image_size'),
    patchSize: facts.number('clip.vision.patch_size'),
    hiddenAct: facts.text('instructblip.vision.hidden_act'),
    layerNormEps: facts.float('clip.vision.attention.layer_norm_epsilon'),
  });

/** @param facts of the `mmproj-*.gguf` */
export const qformerConfigOf = (facts: GgufFacts): InstructBlipQFormerConfig =>
  new InstructBlipQFormerConfig({
    vocabSize: facts.number('instructblip.qformer.vocab_size'),
    hiddenSize: facts.number('instructblip.qformer.embedding_length'),
    numHiddenLayers: facts.number('instructblip.qformer.block_count'),
    numAttentionHeads: facts.number('instructblip.qformer.attention.head_count'),
    intermediateSize: facts.number('instructblip.qformer.feed_forward_length'),
    hiddenAct: facts.text('instructblip.qformer.hidden_act'),
    maxPositionEmbeddings: facts.number('instructblip.qformer.context_length'),
    layerNormEps: facts.float('instructblip.qformer.attention.layer_norm_epsilon'),
    padTokenId: facts.number('instructblip.qformer.tokenizer.pad_token_id'),
    crossAttentionFrequency: facts.number('instructblip.qformer.cross_attention_frequency'),
    encoderHiddenSize: facts.number('clip.vision.embedding_length'),
  });

/** -1 = none. */
const idOrNull = (id: number): number | null => (id < 0 ? null : id);

/** What `generate` takes by default: the ids of `text_config`, and settings that it has in old checkpoints, where they differ from HF's defaults. */
export interface GenerationConfig extends GenerationFields {
  readonly bosTokenId: number | null;
  /** One, or several; null = none. */
  readonly eosTokenId: number | readonly number[] | null;
  readonly padTokenId: number | null;
  /** What the decoder of an encoder-decoder starts with; else null. */
  readonly decoderStartTokenId: number | null;
}

export function generationConfigOf(info: NativeModelInfo, text: TextConfig): GenerationConfig {
  return { ...idsOf(info), ...generationFieldsOf(text) };
}

function idsOf(info: NativeModelInfo): GenerationConfig {
  const [eos, ...more] = info.eosTokenIds;
  return {
    bosTokenId: idOrNull(info.bosTokenId),
    eosTokenId: more.length > 0 ? [...info.eosTokenIds] : (eos ?? null),
    padTokenId: idOrNull(info.padTokenId),
    decoderStartTokenId: idOrNull(info.decoderStartTokenId),
  };
}

function llamaConfigOf(facts: GgufFacts): LlamaConfig {
  const heads = facts.number('llama.attention.head_count');
  const scaled = facts.has('llama.rope.scaling.factor');
  return new LlamaConfig({
    hiddenSize: facts.number('llama.embedding_length'),
    intermediateSize: facts.number('llama.feed_forward_length'),
    numHiddenLayers: facts.number('llama.block_count'),
    numAttentionHeads: heads,
    numKeyValueHeads: facts.number('llama.attention.head_count_kv', heads),
    maxPositionEmbeddings: facts.number('llama.context_length'),
    rmsNormEps: facts.float('llama.attention.layer_norm_rms_epsilon'),
    ropeTheta: facts.float('llama.rope.freq_base', 10_000),
    ...(scaled ? { ropeScaling: { type: 'linear', factor: facts.float('llama.rope.scaling.factor') } } : {}),
    tieWordEmbeddings: !facts.hasTensor('output.weight'),
    attentionBias: facts.hasTensor('blk.0.attn_q.bias'),
  });
}

function t5ConfigOf(facts: GgufFacts): T5Config {
  const layers = facts.number('t5.block_count');
  const act = facts.text('instructblip.t5.dense_act_fn', 'gelu');
  const gated = facts.hasTensor('enc.blk.0.ffn_gate.weight');
  return new T5Config({
    dModel: facts.number('t5.embedding_length'),
    dKv: facts.number('t5.attention.key_length'),
    dFf: facts.number('t5.feed_forward_length'),
    numLayers: layers,
    numDecoderLayers: facts.number('t5.decoder_block_count', layers),
    numHeads: facts.number('t5.attention.head_count'),
    relativeAttentionNumBuckets: facts.number('t5.attention.relative_buckets_count'),
    relativeAttentionMaxDistance: facts.number('instructblip.t5.relative_attention_max_distance', 128),
    layerNormEpsilon: facts.float('t5.attention.layer_norm_rms_epsilon'),
    feedForwardProj: gated ? `gated-${act}` : act,
    denseActFn: act,
    isGatedAct: gated,
    tieWordEmbeddings: !facts.hasTensor('output.weight'),
  });
}

const optConfigOf = (facts: GgufFacts): OPTConfig =>
  new OPTConfig({
    hiddenSize: facts.number('opt.embedding_length'),
    ffnDim: facts.number('opt.feed_forward_length'),
    numHiddenLayers: facts.number('opt.block_count'),
    numAttentionHeads: facts.number('opt.attention.head_count'),
    maxPositionEmbeddings: facts.number('opt.context_length'),
    wordEmbedProjDim: facts.number('opt.word_embed_proj_dim'),
    doLayerNormBefore: facts.flag('opt.do_layer_norm_before'),
    activationFunction: facts.text('opt.activation_function'),
    enableBias: facts.hasTensor('blk.0.attn_q.bias'),
    tieWordEmbeddings: !facts.hasTensor('output.weight'),
  });

const TEXT_CONFIGS = { llama: llamaConfigOf, t5: t5ConfigOf, opt: optConfigOf };

/** What the checkpoint's `text_config` said of generating, as the converter wrote it. @throws MODEL_FILE_CORRUPT */
function generationOf(facts: GgufFacts): GenerationFields {
  try {
    return JSON.parse(facts.text('instructblip.generation', '{}'));
  } catch (error) {
    throw createError('MODEL_FILE_CORRUPT', `instructblip.generation is no JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function textConfigOf(facts: GgufFacts, info: NativeModelInfo): TextConfig {
  const ofFile = TEXT_CONFIGS[info.languageModel as keyof typeof TEXT_CONFIGS](facts);
  const ids = idsOf(info);
  const eos = ids.eosTokenId;
  return ofFile.with({
    ...generationOf(facts),
    vocabSize: info.vocabularySize,
    bosTokenId: ids.bosTokenId,
    eosTokenId: typeof eos === 'object' && eos !== null ? [...eos] : eos,
    padTokenId: ids.padTokenId,
    decoderStartTokenId: ids.decoderStartTokenId,
    ...(info.languageArchitecture === '' ? {} : { architectures: [info.languageArchitecture] }),
  } as never) as TextConfig;
}

/** Of both files of a loaded pair. */
export const modelConfigOf = (vision: GgufFacts, language: GgufFacts, info: NativeModelInfo): InstructBlipConfig =>
  InstructBlipConfig.fromVisionQFormerTextConfigs(
    visionConfigOf(vision),
    qformerConfigOf(vision),
    textConfigOf(language, info),
    {
      architectures: ['InstructBlipForConditionalGeneration'],
      numQueryTokens: info.imageTokens,
      ...(info.imageTokenId < 0 ? {} : { imageTokenIndex: info.imageTokenId }),
    },
  );
