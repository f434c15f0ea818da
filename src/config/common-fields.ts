import {
  choiceOrNull,
  count,
  countOrNull,
  decay,
  dtypeOrNull,
  flag,
  labelIds,
  labels,
  named,
  number,
  objectOrNull,
  prunedHeads,
  size,
  stopRule,
  textOrNull,
  textsOrNull,
  tokenId,
  tokenIdOrIds,
  tokenIdsOrNull,
  tokenSequencesOrNull,
} from './fields.js';

/** What every configuration has, by transformers' `PretrainedConfig`. Few of these say anything to a model; all of them are kept. */
export const COMMON_FIELDS = {
  /** Name or folder of the checkpoint. */
  nameOrPath: named('_name_or_path', textOrNull('')),
  /** Classes of transformers that the weights belong to. */
  architectures: textsOrNull,
  /** Type that the weights are stored in, such as 'float16'. */
  torchDtype: dtypeOrNull,
  /** Whether the head of the language model is its token embedding. */
  tieWordEmbeddings: flag(true),

  /** First token of a text. */
  bosTokenId: tokenId(null),
  /** Token, or tokens, that end a text. */
  eosTokenId: tokenIdOrIds(null),
  /** Token that fills up shorter rows. */
  padTokenId: tokenId(null),
  /** Token between two texts. */
  sepTokenId: tokenId(null),
  /** First token of a decoder that has an encoder. */
  decoderStartTokenId: tokenId(null),
  /** Tokenizer class of transformers. */
  tokenizerClass: textOrNull(null),
  /** Text put in front of every text. */
  prefix: textOrNull(null),

  /** Whether there is an encoder and a decoder. */
  isEncoderDecoder: flag(false),
  /** Whether it is used as a decoder. */
  isDecoder: flag(false),
  /** Whether a decoder gets cross-attention. */
  addCrossAttention: flag(false),
  /** Width of the states that cross-attention reads. */
  crossAttentionHiddenSize: countOrNull,
  /** Whether encoder and decoder share their weights. */
  tieEncoderDecoder: flag(false),
  /** Heads that were taken out, by layer. */
  prunedHeads,
  /** Tokens per piece of the feed-forward layers; 0 = all at once. */
  chunkSizeFeedForward: count(0),

  /** Whether forward returns named outputs in transformers. */
  returnDict: flag(true),
  /** Whether forward returns all hidden states. */
  outputHiddenStates: flag(false),
  /** Whether forward returns all attentions. */
  outputAttentions: flag(false),
  /** TorchScript, in transformers. */
  torchscript: flag(false),
  /** bfloat16, in TensorFlow. */
  useBfloat16: flag(false),
  /** Old losses, in TensorFlow. */
  tfLegacyLoss: flag(false),

  /** Tokens of prompt and answer together. */
  maxLength: count(20),
  /** Least tokens of prompt and answer together. */
  minLength: count(0),
  /** Whether tokens are drawn by chance. */
  doSample: flag(false),
  /** When beam search ends: with enough hypotheses (true), when better ones are unlikely (false), when they are impossible ('never'). */
  earlyStopping: stopRule,
  /** Beams of beam search; 1 = none. */
  numBeams: size(1),
  /** Groups of beams that are kept apart. */
  numBeamGroups: size(1),
  /** How far the groups are kept apart. */
  diversityPenalty: number(0),
  /** Divisor of the logits. */
  temperature: number(1),
  /** How many tokens sampling chooses from; 0 = all. */
  topK: count(50),
  /** Probability that the tokens to choose from sum up to. */
  topP: number(1),
  /** Share of typical tokens to choose from. */
  typicalP: number(1),
  /** Penalty of tokens that were there; 1 = none. */
  repetitionPenalty: number(1),
  /** Exponent of the length in beam scores. */
  lengthPenalty: number(1),
  /** Length of token sequences that may come only once; 0 = no limit. */
  noRepeatNgramSize: count(0),
  /** Length of token sequences of the encoder's input that may not come; 0 = no limit. */
  encoderNoRepeatNgramSize: count(0),
  /** Token sequences that may not come. */
  badWordsIds: tokenSequencesOrNull,
  /** Answers per prompt. */
  numReturnSequences: size(1),
  /** Whether generate returns scores. */
  outputScores: flag(false),
  /** Whether generate returns named outputs in transformers. */
  returnDictInGenerate: flag(false),
  /** Token that an answer begins with. */
  forcedBosTokenId: tokenId(null),
  /** Token, or tokens, that an answer of full length ends with. */
  forcedEosTokenId: tokenIdOrIds(null),
  /** Whether NaN and infinite logits are replaced. */
  removeInvalidValues: flag(false),
  /** From which token on, and how fast, the end becomes likelier. */
  exponentialDecayLengthPenalty: decay,
  /** Tokens that may not come. */
  suppressTokens: tokenIdsOrNull,
  /** Tokens that may not come first. */
  beginSuppressTokens: tokenIdsOrNull,

  /** Task of a fine-tuned model. */
  finetuningTask: textOrNull(null),
  /** Labels of a classifier, by number. */
  id2label: labels,
  /** Numbers of a classifier's labels. */
  label2id: labelIds,
  /** Settings by task. */
  taskSpecificParams: objectOrNull,
  /** Kind of a classifier's loss. */
  problemType: choiceOrNull('regression', 'single_label_classification', 'multi_label_classification'),
};

type Table = typeof COMMON_FIELDS;
/** A name of its own, so that declarations refer to it, and editors find the comments above. */
export interface CommonFields extends Table {}
