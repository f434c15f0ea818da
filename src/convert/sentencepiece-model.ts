import protobuf from 'protobufjs/light.js';
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
    Trainer: { fields: { modelType: { type: 'int32', id: 3, options: { default: 1 } } } },
    Normalizer: { fields: { addDummyPrefix: { type: 'bool', id: 3, options: { default: true } } } },
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
  readonly trainer: { readonly modelType: number } | null;
  readonly normalizer: { readonly addDummyPrefix: boolean } | null;
}

const Model = protobuf.Root.fromJSON(SCHEMA).lookupType('Model');
const BPE = 2;

/**
 * Reads a `tokenizer.model`. Piece types of SentencePiece and token types of GGUF have the same numbers.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED when it is not a BPE model
 */
export function parseSentencePiece(bytes: Uint8Array): BaseVocabulary {
  let message: ModelMessage;
  try {
    message = Model.decode(bytes) as unknown as ModelMessage;
  } catch (error) {
    throw createError('CHECKPOINT_INVALID', 'tokenizer.model is not a SentencePiece model; download it again', {
      cause: error,
    });
  }
  if (message.pieces.length === 0)
    throw createError('CHECKPOINT_INVALID', 'tokenizer.model has no pieces; download it again');
  if (message.trainer?.modelType !== BPE)
    throw createError('CHECKPOINT_UNSUPPORTED', 'tokenizer.model is not a BPE model, as those of LLaMA models are');
  return {
    tokens: message.pieces.map(({ piece, score, type }) => ({ text: piece, score, type })),
    addSpacePrefix: message.normalizer?.addDummyPrefix ?? true,
  };
}
