/** Token types, numbered as in SentencePiece and GGUF. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface VocabularyToken {
  readonly text: string;
  /** llama.cpp merges the pair whose result has the highest score first. */
  readonly score: number;
  /** One of TOKEN_TYPES. */
  readonly type: number;
}

/** A language model's vocabulary without added tokens. */
export interface BaseVocabulary {
  readonly tokens: readonly VocabularyToken[];
  /** Text gets a space in front. */
  readonly addSpacePrefix: boolean;
}
