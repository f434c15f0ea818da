import { bool, f32s, type GgufEntry, i32s, string, strings, u8s, u32 } from '../gguf/gguf-header.js';
import type { VocabularyToken } from './base-vocabulary.js';

/** The tokenizer of a language model with an own graph (T5, OPT): what its file and the vision file say about it. */
export interface GraphVocabulary {
  /** `tokenizer.ggml.model`: SentencePiece Unigram or byte-level BPE. */
  readonly kind: 't5' | 'gpt2';
  /** One for every row of the embedding. */
  readonly tokens: readonly VocabularyToken[];
  /** `a b`, best first; empty for Unigram. */
  readonly merges: readonly string[];
  /** SentencePiece's precompiled normalization; empty = none. */
  readonly charsmap: Uint8Array;
  readonly addSpacePrefix: boolean;
  /** Runs of spaces become one; Unigram only. */
  readonly removeExtraWhitespaces: boolean;
  /** -1 = none, as all ids here. */
  readonly bosTokenId: number;
  readonly eosTokenId: number;
  readonly unknownTokenId: number;
  readonly padTokenId: number;
  /** What the tokenizer of this checkpoint puts in front of a prompt, and behind it. */
  readonly promptBosTokenId: number;
  readonly promptEosTokenId: number;
  /** `clean_up_tokenization_spaces`: decoded text loses the space in ` .` and the like. */
  readonly cleanUpSpaces: boolean;
}

/** The keys `tokenizer.ggml.*` of docs/gguf.md. */
export function graphTokenizerMetadata(vocabulary: GraphVocabulary): GgufEntry[] {
  const { kind, tokens } = vocabulary;
  const texts = tokens.map(token => token.text);
  const types = tokens.map(token => token.type);
  return [
    string('tokenizer.ggml.model', kind),
    string('tokenizer.ggml.pre', kind === 'gpt2' ? 'gpt-2' : 'default'),
    strings('tokenizer.ggml.tokens', texts),
    i32s('tokenizer.ggml.token_type', types),
    ...(kind === 't5' ? unigramEntries(vocabulary) : [strings('tokenizer.ggml.merges', vocabulary.merges)]),
    ...tokenIdEntries(vocabulary),
    bool('tokenizer.ggml.add_bos_token', vocabulary.promptBosTokenId >= 0),
    bool('tokenizer.ggml.add_eos_token', vocabulary.promptEosTokenId >= 0),
    bool('tokenizer.ggml.add_space_prefix', vocabulary.addSpacePrefix),
  ];
}

function unigramEntries({ tokens, charsmap, removeExtraWhitespaces }: GraphVocabulary): GgufEntry[] {
  const scores = tokens.map(token => token.score);
  const normalization = charsmap.length > 0 ? [u8s('tokenizer.ggml.precompiled_charsmap', charsmap)] : [];
  return [
    f32s('tokenizer.ggml.scores', scores),
    ...normalization,
    bool('tokenizer.ggml.remove_extra_whitespaces', removeExtraWhitespaces),
  ];
}

function tokenIdEntries(vocabulary: GraphVocabulary): GgufEntry[] {
  const ids: readonly [string, number][] = [
    ['bos', vocabulary.bosTokenId],
    ['eos', vocabulary.eosTokenId],
    ['unknown', vocabulary.unknownTokenId],
    ['padding', vocabulary.padTokenId],
  ];
  return ids.filter(([, id]) => id >= 0).map(([name, id]) => u32(`tokenizer.ggml.${name}_token_id`, id));
}
