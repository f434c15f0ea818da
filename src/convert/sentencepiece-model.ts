import { createError } from '../errors.js';
import { type BaseVocabulary, TOKEN_TYPES } from './base-vocabulary.js';

// The fields of sentencepiece_model.proto that matter here.
const SCHEMA = {
  nested: {
    Piece: {
      fields: {
        piece: { type: 'string', id: 1 },
        score: { type: 'float', id: 2 },
        type: { type: 'int32', id: 3, options: { default: TOKEN_TYPES.normal } },
      },
    },
    Trainer: {
      fields: {
        modelType: { type: 'int32', id: 3, options: { default: 1 } },
        unkId: { type: 'int32', id: 40, options: { default: 0 } },
      },
    },
    Normalizer: {
      fields: {
        precompiledCharsmap: { type: 'bytes', id: 2 },
        addDummyPrefix: { type: 'bool', id: 3, options: { default: true } },
      },
    },
    Model: {
      fields: {
        pieces: { rule: 'repeated', type: 'Piece', id: 1 },
        trainer: { type: 'Trainer', id: 2 },
        normalizer: { type: 'Normalizer', id: 3 },
      },
    },
  },
};

interface ModelMessage {
  readonly pieces: readonly { readonly piece: string; readonly score: number; readonly type: number }[];
  readonly trainer: { readonly modelType: number; readonly unkId: number } | null;
  readonly normalizer: { readonly precompiledCharsmap: Uint8Array; readonly addDummyPrefix: boolean } | null;
}

/** protobufjs is loaded when it is needed: only conversion of some checkpoints does. */
async function messageType() {
  const { default: protobuf } = await import('protobufjs/light.js');
  return protobuf.Root.fromJSON(SCHEMA).lookupType('Model');
}

const UNIGRAM = 1;
const BPE = 2;

async function decode(bytes: Uint8Array, file: string): Promise<ModelMessage> {
  const type = await messageType();
  let message: ModelMessage;
  try {
    message = type.decode(bytes) as unknown as ModelMessage;
  } catch (error) {
    throw createError('CHECKPOINT_INVALID', `${file} is not a SentencePiece model; download it again`, {
      cause: error,
    });
  }
  if (message.pieces.length > 0) return message;
  throw createError('CHECKPOINT_INVALID', `${file} has no pieces; download it again`);
}

/**
 * Reads a `tokenizer.model`. Piece types of SentencePiece and token types of GGUF have the same numbers.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED when it is not a BPE model
 */
export async function parseSentencePiece(bytes: Uint8Array): Promise<BaseVocabulary> {
  const message = await decode(bytes, 'tokenizer.model');
  if (message.trainer?.modelType !== BPE)
    throw createError('CHECKPOINT_UNSUPPORTED', 'tokenizer.model is not a BPE model, as those of LLaMA models are');
  return {
    tokens: message.pieces.map(({ piece, score, type }) => ({ text: piece, score, type })),
    addSpacePrefix: message.normalizer?.addDummyPrefix ?? true,
  };
}

/** A SentencePiece Unigram model without added tokens. */
export interface UnigramModel {
  readonly pieces: readonly (readonly [text: string, score: number])[];
  readonly unknownTokenId: number;
  /** Empty = no normalization. */
  readonly charsmap: Uint8Array;
  readonly addSpacePrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
}

/**
 * Reads a `spiece.model` as transformers' converter to fast tokenizers does, which asks neither for the types of pieces nor for the model's treatment of spaces:
 * one in front, runs of them joined.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED when it is not a Unigram model
 */
export async function parseUnigramModel(bytes: Uint8Array, file: string): Promise<UnigramModel> {
  const { pieces, trainer, normalizer } = await decode(bytes, file);
  if ((trainer?.modelType ?? UNIGRAM) !== UNIGRAM)
    throw createError('CHECKPOINT_UNSUPPORTED', `${file} is not a Unigram model, as those of T5 models are`);
  return {
    pieces: pieces.map(({ piece, score }) => [piece, score]),
    unknownTokenId: trainer?.unkId ?? 0,
    charsmap: Uint8Array.from(normalizer?.precompiledCharsmap ?? []),
    addSpacePrefix: true,
    removeExtraWhitespaces: true,
  };
}
