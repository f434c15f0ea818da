import { bool, f32, f32s, f64, type GgufEntry, i32, i32s, string, strings, u32 } from '../gguf/gguf-header.js';
import { fileTypeId, type VisionType } from '../gguf/tensor-types.js';
import type { CheckpointConfig } from './checkpoint-config.js';
import { QUANTIZATION_VERSION } from './language-model-metadata.js';
import type { QFormerVocabulary } from './qformer-vocabulary.js';
import type { TextTokenizer } from './text-tokenizer.js';

function vision({ vision: config, text, image }: CheckpointConfig): GgufEntry[] {
  return [
    bool('clip.has_vision_encoder', true),
    string('clip.projector_type', 'instructblip'),
    u32('clip.vision.image_size', config.imageSize),
    u32('clip.vision.patch_size', config.patchSize),
    u32('clip.vision.embedding_length', config.hiddenSize),
    u32('clip.vision.feed_forward_length', config.intermediateSize),
    u32('clip.vision.block_count', config.layers),
    u32('clip.vision.attention.head_count', config.heads),
    f32('clip.vision.attention.layer_norm_epsilon', config.layerNormEps),
    u32('clip.vision.projection_dim', text.hiddenSize),
    f32s('clip.vision.image_mean', image.mean),
    f32s('clip.vision.image_std', image.std),
    f32('instructblip.vision.post_layernorm_epsilon', config.layerNormEps),
    string('instructblip.vision.hidden_act', 'gelu'),
    u32('instructblip.image.resample', image.resample),
    f64('instructblip.image.rescale_factor', image.rescaleFactor),
    u32('instructblip.image.height', image.height),
    u32('instructblip.image.width', image.width),
  ];
}

function qformer({ qformer: config, queryCount }: CheckpointConfig): GgufEntry[] {
  return [
    u32('instructblip.qformer.embedding_length', config.hiddenSize),
    u32('instructblip.qformer.feed_forward_length', config.intermediateSize),
    u32('instructblip.qformer.block_count', config.layers),
    u32('instructblip.qformer.attention.head_count', config.heads),
    f32('instructblip.qformer.attention.layer_norm_epsilon', config.layerNormEps),
    u32('instructblip.qformer.cross_attention_frequency', config.crossAttentionFrequency),
    u32('instructblip.qformer.context_length', config.maxPositions),
    u32('instructblip.qformer.vocab_size', config.vocabSize),
    string('instructblip.qformer.hidden_act', 'gelu'),
    bool('instructblip.qformer.text_input', true),
    u32('instructblip.query_count', queryCount),
  ];
}

/** Token ids of generation are those of text_config: HF generates with the inner language model, whose defaults come from there. */
function text(
  { text: config, textArchitecture, imageTokenId }: CheckpointConfig,
  tokenizer: TextTokenizer,
): GgufEntry[] {
  return [
    string('instructblip.text.model_type', config.type),
    string('instructblip.text.architecture', textArchitecture),
    u32('instructblip.text.vocab_size', config.vocabSize),
    i32('instructblip.text.prompt_bos_token_id', tokenizer.promptBosTokenId),
    i32('instructblip.text.prompt_eos_token_id', tokenizer.promptEosTokenId),
    i32('instructblip.text.decoder_start_token_id', config.decoderStartTokenId),
    bool('instructblip.text.clean_up_tokenization_spaces', tokenizer.cleanUpSpaces),
    i32('instructblip.text.bos_token_id', config.bosTokenId),
    i32('instructblip.text.pad_token_id', config.padTokenId),
    // A token that the model cannot give never ends an answer, nor does it in HF.
    i32s(
      'instructblip.text.eos_token_ids',
      config.eosTokenIds.filter(id => id < config.vocabSize),
    ),
    i32('instructblip.image_token_id', imageTokenId),
  ];
}

function qformerTokenizer(vocabulary: QFormerVocabulary): GgufEntry[] {
  const root = 'instructblip.qformer.tokenizer';
  return [
    strings(`${root}.tokens`, vocabulary.tokens),
    u32(`${root}.cls_token_id`, vocabulary.clsTokenId),
    u32(`${root}.sep_token_id`, vocabulary.sepTokenId),
    u32(`${root}.pad_token_id`, vocabulary.padTokenId),
    u32(`${root}.unk_token_id`, vocabulary.unknownTokenId),
    bool(`${root}.lowercase`, vocabulary.lowercase),
    bool(`${root}.strip_accents`, vocabulary.stripAccents),
    bool(`${root}.tokenize_chinese_chars`, vocabulary.tokenizeChineseChars),
    i32s(`${root}.special_tokens`, vocabulary.specialTokenIds),
  ];
}

/** Metadata of the mmproj file: the table of docs/gguf.md. */
export function visionMetadata(
  name: string,
  type: VisionType,
  config: CheckpointConfig,
  tokenizer: TextTokenizer,
  qformerVocabulary: QFormerVocabulary,
): GgufEntry[] {
  return [
    string('general.architecture', 'clip'),
    string('general.type', 'mmproj'),
    string('general.name', name),
    u32('general.file_type', fileTypeId(type)),
    u32('general.quantization_version', QUANTIZATION_VERSION),
    ...vision(config),
    ...qformer(config),
    ...text(config, tokenizer),
    ...qformerTokenizer(qformerVocabulary),
  ];
}
