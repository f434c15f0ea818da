import { bool, f32, f32s, type GgufEntry, i32s, string, strings, u32 } from '../gguf/gguf-header.js';
import type { LanguageVocabulary } from './language-vocabulary.js';
import type { LlamaConfig } from './llama-config.js';

/** The keys that llama.cpp's own converter writes. */
export function llamaMetadata(config: LlamaConfig): GgufEntry[] {
  const entries = [
    u32('llama.block_count', config.layers),
    u32('llama.context_length', config.maxPositions),
    u32('llama.embedding_length', config.hiddenSize),
    u32('llama.feed_forward_length', config.intermediateSize),
    u32('llama.attention.head_count', config.heads),
    u32('llama.attention.head_count_kv', config.kvHeads),
    f32('llama.attention.layer_norm_rms_epsilon', config.rmsNormEps),
    u32('llama.rope.dimension_count', config.headDim),
    f32('llama.rope.freq_base', config.ropeTheta),
    u32('llama.vocab_size', config.vocabSize),
  ];
  if (config.headDim * config.heads !== config.hiddenSize)
    entries.push(
      u32('llama.attention.key_length', config.headDim),
      u32('llama.attention.value_length', config.headDim),
    );
  if (config.ropeFactor !== 1)
    entries.push(string('llama.rope.scaling.type', 'linear'), f32('llama.rope.scaling.factor', config.ropeFactor));
  return entries;
}

/** Token ids of the text model itself, so that stock tools chat with it; InstructBLIP's own are in the mmproj file. */
export function llamaTokenizerMetadata(vocabulary: LanguageVocabulary): GgufEntry[] {
  const { tokens } = vocabulary;
  const ids: readonly [string, number][] = [
    ['bos', vocabulary.bosTokenId],
    ['eos', vocabulary.eosTokenId],
    ['unknown', vocabulary.unknownTokenId],
    ['padding', vocabulary.padTokenId],
  ];
  return [
    string('tokenizer.ggml.model', 'llama'),
    string('tokenizer.ggml.pre', 'default'),
    strings(
      'tokenizer.ggml.tokens',
      tokens.map(token => token.text),
    ),
    f32s(
      'tokenizer.ggml.scores',
      tokens.map(token => token.score),
    ),
    i32s(
      'tokenizer.ggml.token_type',
      tokens.map(token => token.type),
    ),
    ...ids.filter(([, id]) => id >= 0).map(([name, id]) => u32(`tokenizer.ggml.${name}_token_id`, id)),
    bool('tokenizer.ggml.add_bos_token', true),
    bool('tokenizer.ggml.add_eos_token', false),
    bool('tokenizer.ggml.add_space_prefix', vocabulary.addSpacePrefix),
  ];
}
