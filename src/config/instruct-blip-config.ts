import { ConfigError } from '../errors.js';
import { shown } from '../generation/validate-options.js';
import { derived, flag, notNegative, number, optional, size, tokenId } from './fields.js';
import type { PartClass } from './given-values.js';
import { LlamaConfig, type LlamaConfigInit } from './llama-config.js';
import { OPTConfig, type OPTConfigInit } from './opt-config.js';
import { type ConfigInit, configClass } from './pretrained-config.js';
import { floatOf } from './python-json.js';
import { InstructBlipQFormerConfig, type InstructBlipQFormerConfigInit } from './qformer-config.js';
import { T5Config, type T5ConfigInit } from './t5-config.js';
import { InstructBlipVisionConfig, type InstructBlipVisionConfigInit } from './vision-config.js';

/** The configuration of a language model; `modelType` tells which. */
export type TextConfig = LlamaConfig | T5Config | OPTConfig;
/** A text configuration as a plain object; without a `modelType` it is OPT's, as in transformers. */
export type TextConfigInit =
  | (LlamaConfigInit & { readonly modelType: 'llama' })
  | (T5ConfigInit & { readonly modelType: 't5' })
  | (OPTConfigInit & { readonly modelType?: 'opt' });

/** transformers' two lists of language models: those that only have a decoder, and the rest. */
const TEXT_MODELS = {
  llama: { Class: LlamaConfig, decoderOnly: true },
  t5: { Class: T5Config, decoderOnly: false },
  opt: { Class: OPTConfig, decoderOnly: true },
};

const FIELDS = {
  /** Rows that the Q-Former makes of a picture, and the language model reads in front of the prompt. */
  numQueryTokens: size(32),
  /** Token that stands for a row of the picture, from transformers 4.45 on; 4.34 only keeps it. */
  imageTokenIndex: optional(tokenId(null)),
  /** Whether the language model only has a decoder. */
  useDecoderOnlyLanguageModel: derived(flag(true), 'taken from the kind of textConfig'),
  /** Whether the head of the language model is its token embedding. */
  tieWordEmbeddings: derived(flag(true), "textConfig's"),
  /** Whether the language model has an encoder and a decoder. */
  isEncoderDecoder: derived(flag(false), "textConfig's"),
  /** Factor of new weights. */
  initializerFactor: derived(number(1), 'always 1 in transformers'),
  /** Standard deviation of new weights. */
  initializerRange: derived(notNegative(0.02), 'always 0.02 in transformers'),
};
type Table = typeof FIELDS;
/** A name of its own: declarations refer to it, and editors find the comments above. */
interface Fields extends Table {}

interface Parts {
  /** The vision encoder. */
  readonly visionConfig: InstructBlipVisionConfig;
  /** The Q-Former; its `encoderHiddenSize` is the vision encoder's `hiddenSize`. */
  readonly qformerConfig: InstructBlipQFormerConfig;
  /** The language model. */
  readonly textConfig: TextConfig;
}

interface InitParts {
  /** The vision encoder: a configuration or its fields. */
  readonly visionConfig?: InstructBlipVisionConfig | InstructBlipVisionConfigInit | undefined;
  /** The Q-Former: a configuration or its fields. */
  readonly qformerConfig?: InstructBlipQFormerConfig | InstructBlipQFormerConfigInit | undefined;
  /** The language model: a configuration, or its fields and `modelType`. */
  readonly textConfig?: TextConfig | TextConfigInit | undefined;
}

function textClass(modelType: unknown = 'opt'): PartClass {
  if (typeof modelType === 'string' && Object.hasOwn(TEXT_MODELS, modelType))
    return TEXT_MODELS[modelType as keyof typeof TEXT_MODELS].Class;
  throw new ConfigError(
    'CONFIG_UNSUPPORTED',
    `InstructBlipConfig: model_type of text_config is ${shown(modelType)}; supported are ${Object.keys(TEXT_MODELS).join(', ')}`,
  );
}

/** `language_projection` ends in `hidden_size`, and its rows are joined with embeddings of `word_embed_proj_dim`. */
function checkWidth(text: TextConfig): void {
  if (text.modelType !== 'opt' || text.wordEmbedProjDim === text.hiddenSize) return;
  throw new ConfigError(
    'CONFIG_INVALID',
    `InstructBlipConfig: wordEmbedProjDim (word_embed_proj_dim) of textConfig is ${text.wordEmbedProjDim}; it must be hiddenSize (${text.hiddenSize}): the picture's rows are that wide and are joined with the token embeddings. Such an OPT can only be used alone`,
  );
}

/** What `new InstructBlipConfig` takes. */
export interface InstructBlipConfigInit extends ConfigInit<Fields>, InitParts {}

/** A whole model, by transformers' `InstructBlipConfig`: vision encoder, Q-Former and language model. */
export class InstructBlipConfig extends configClass<'instructblip', Fields, Parts, InitParts>({
  modelType: 'instructblip',
  fields: FIELDS as Fields,
  parts: {
    visionConfig: () => InstructBlipVisionConfig,
    qformerConfig: () => InstructBlipQFormerConfig,
    textConfig: textClass,
  },
  derive: (given, parts) => {
    const { visionConfig, qformerConfig, textConfig } = parts as unknown as Parts;
    checkWidth(textConfig);
    parts.qformerConfig = qformerConfig.with({ encoderHiddenSize: visionConfig.hiddenSize });
    given.set('use_decoder_only_language_model', TEXT_MODELS[textConfig.modelType].decoderOnly);
    given.set('tie_word_embeddings', textConfig.tieWordEmbeddings);
    given.set('is_encoder_decoder', textConfig.isEncoderDecoder);
    given.set('initializer_factor', floatOf(1));
    given.set('initializer_range', 0.02);
  },
}) {
  /** A whole from three parts, and what else it has. @throws ConfigError */
  static fromVisionQFormerTextConfigs(
    visionConfig: InstructBlipVisionConfig,
    qformerConfig: InstructBlipQFormerConfig,
    textConfig: TextConfig,
    rest: Omit<InstructBlipConfigInit, keyof InitParts> = {},
  ): InstructBlipConfig {
    return new InstructBlipConfig({ ...rest, visionConfig, qformerConfig, textConfig });
  }
}
