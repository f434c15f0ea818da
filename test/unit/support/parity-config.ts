import type { LlamaSizes, OptSizes, T5Sizes, TextSizes } from './checkpoint-shapes.js';
import type { ParityRecipe } from './parity-recipe.js';

type Fields = Record<string, unknown>;

const llamaConfig = (sizes: LlamaSizes): Fields => ({
  // Not the hub's 'LLaMAForCausalLM', for which transformers rewrites id 0 in the result of `generate`.
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: sizes.vocabulary,
  hidden_size: sizes.hidden,
  intermediate_size: sizes.feedForward,
  num_hidden_layers: sizes.layers,
  num_attention_heads: sizes.heads,
  num_key_value_heads: sizes.kvHeads,
  tie_word_embeddings: sizes.tied,
  attention_bias: sizes.attentionBias,
  max_position_embeddings: 256,
});

const t5Config = (sizes: T5Sizes): Fields => ({
  architectures: ['T5ForConditionalGeneration'],
  model_type: 't5',
  vocab_size: sizes.vocabulary,
  d_model: sizes.hidden,
  d_ff: sizes.feedForward,
  d_kv: sizes.headDim,
  num_layers: sizes.layers,
  num_decoder_layers: sizes.decoderLayers,
  num_heads: sizes.heads,
  relative_attention_num_buckets: sizes.buckets,
  tie_word_embeddings: sizes.tied,
});

const optConfig = (sizes: OptSizes): Fields => ({
  architectures: ['OPTForCausalLM'],
  model_type: 'opt',
  vocab_size: sizes.vocabulary,
  hidden_size: sizes.hidden,
  word_embed_proj_dim: sizes.hidden,
  ffn_dim: sizes.feedForward,
  num_hidden_layers: sizes.layers,
  num_attention_heads: sizes.heads,
  max_position_embeddings: sizes.positions,
  do_layer_norm_before: sizes.normBefore,
  enable_bias: sizes.bias,
  tie_word_embeddings: sizes.tied,
});

function textConfig(sizes: TextSizes): Fields {
  if (sizes.type === 't5') return t5Config(sizes);
  return sizes.type === 'opt' ? optConfig(sizes) : llamaConfig(sizes);
}

/** config.json of a recipe. */
export const configOf = ({ sizes, vision, qformer, text, imageTokenId }: ParityRecipe): Fields => ({
  architectures: ['InstructBlipForConditionalGeneration'],
  model_type: 'instructblip',
  num_query_tokens: sizes.qformer.queries,
  ...(imageTokenId === undefined ? {} : { image_token_index: imageTokenId }),
  vision_config: {
    model_type: 'instructblip_vision_model',
    hidden_size: sizes.vision.hidden,
    intermediate_size: sizes.vision.feedForward,
    num_hidden_layers: sizes.vision.layers,
    num_attention_heads: sizes.vision.heads,
    image_size: sizes.vision.image,
    patch_size: sizes.vision.patch,
    qkv_bias: sizes.vision.qkvBias,
    ...vision,
  },
  qformer_config: {
    model_type: 'instructblip_qformer',
    vocab_size: sizes.qformer.vocabulary,
    hidden_size: sizes.qformer.hidden,
    intermediate_size: sizes.qformer.feedForward,
    num_hidden_layers: sizes.qformer.layers,
    num_attention_heads: sizes.qformer.heads,
    max_position_embeddings: sizes.qformer.positions,
    cross_attention_frequency: sizes.qformer.crossAttentionFrequency,
    encoder_hidden_size: sizes.vision.hidden,
    ...qformer,
  },
  text_config: { ...textConfig(sizes.text), ...text },
});
