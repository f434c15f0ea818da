import { createError } from '../errors.js';
import { type BaseVocabulary, TOKEN_TYPES, type VocabularyToken } from './base-vocabulary.js';
import { isObject, type JsonObject } from './json-fields.js';

const SPACE = '\u2581';
const onlySpaces = (text: string): boolean => text.length > 0 && [...text].every(char => char === SPACE);

const unsupported = (reason: string): Error =>
  createError(
    'CHECKPOINT_UNSUPPORTED',
    `tokenizer.json ${reason}; only LLaMA's kind of tokenizer is supported (BPE with byte fallback)`,
  );

/** Whether text gets a space in front: a `Prepend` normalizer, or newer files' `Metaspace`. Any other treatment of text is refused. */
function readSpacePrefix(tokenizer: JsonObject): boolean {
  const steps = [tokenizer.normalizer, tokenizer.pre_tokenizer].flatMap(step => {
    if (!isObject(step)) return [];
    const nested = step.normalizers ?? step.pretokenizers;
    return Array.isArray(nested) ? nested.filter(isObject) : [step];
  });
  let prefix = false;
  for (const step of steps) {
    if (step.type === 'Prepend') prefix = true;
    else if (step.type === 'Metaspace') prefix = step.prepend_scheme !== 'never' && step.add_prefix_space !== false;
    else if (step.type !== 'Replace') throw unsupported(`has the step ${String(step.type)}`);
  }
  return prefix;
}

function readTexts(vocab: unknown): string[] {
  if (!isObject(vocab)) throw createError('CHECKPOINT_INVALID', 'tokenizer.json has no model.vocab');
  const texts: string[] = [];
  for (const [text, id] of Object.entries(vocab)) texts[Number(id)] = text;
  const size = Object.keys(vocab).length;
  for (let id = 0; id < size; id++) {
    if (texts[id] === undefined || texts.length !== size)
      throw createError(
        'CHECKPOINT_INVALID',
        `tokenizer.json: the ids of model.vocab are not 0..${size - 1}, each once`,
      );
  }
  return texts;
}

/** Texts that merges make, in the order of their first merge. */
function mergedTexts(merges: unknown): string[] {
  if (!Array.isArray(merges)) throw createError('CHECKPOINT_INVALID', 'tokenizer.json has no model.merges');
  const texts = new Set<string>();
  for (const merge of merges) {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2)
      throw createError('CHECKPOINT_INVALID', `tokenizer.json has the impossible merge ${JSON.stringify(merge)}`);
    texts.add(`${pair[0]}${pair[1]}`);
  }
  return [...texts];
}

const isAscending = (ids: readonly number[]): boolean => ids.every((id, i) => i === 0 || id > ids[i - 1]!);

/**
 * Scores that make llama.cpp merge in the order of HF's list of merges. LLaMA's SentencePiece model numbers its pieces in that order and scores them
 * 0, -1, -2, …, except that pieces of spaces alone, merged last, all have -1e9: where the merges show this, the very same scores come out.
 */
function scoreTexts(texts: readonly string[], merges: unknown, firstNormal: number): number[] {
  const idOf = new Map(texts.map((text, id) => [text, id]));
  const order = mergedTexts(merges).filter(text => idOf.has(text));
  const words = order.filter(text => !onlySpaces(text));
  const spaces = order.slice(words.length);
  const spacesLast = spaces.length > 0 && spaces.every(onlySpaces);
  const ids = (spacesLast ? words : order).map(text => idOf.get(text)!);
  if (isAscending(ids)) return texts.map((text, id) => (spacesLast && onlySpaces(text) ? -1e9 : firstNormal - id));
  const rank = new Map(order.map((text, index) => [text, index]));
  return texts.map(text => -(rank.get(text) ?? order.length));
}

function typeOf(text: string, unknown: unknown, controls: ReadonlySet<string>): number {
  if (text === unknown) return TOKEN_TYPES.unknown;
  if (controls.has(text)) return TOKEN_TYPES.control;
  return /^<0x[0-9A-F]{2}>$/.test(text) ? TOKEN_TYPES.byte : TOKEN_TYPES.normal;
}

/**
 * Reads a `tokenizer.json` of LLaMA's kind: the same vocabulary as its `tokenizer.model` gives.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export function parseTokenizerJson(tokenizer: JsonObject): BaseVocabulary {
  const { model } = tokenizer;
  if (!isObject(model)) throw createError('CHECKPOINT_INVALID', 'tokenizer.json has no model');
  if (model.type !== 'BPE' || model.byte_fallback !== true)
    throw unsupported(`has a model of type ${String(model.type)}`);
  const addSpacePrefix = readSpacePrefix(tokenizer);
  const texts = readTexts(model.vocab);
  const added = Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens.filter(isObject) : [];
  const controls = new Set(added.filter(token => token.special === true).map(token => String(token.content)));
  const types = texts.map(text => typeOf(text, model.unk_token, controls));
  const scores = scoreTexts(texts, model.merges, types.indexOf(TOKEN_TYPES.normal));
  const tokens = texts.map((text, id): VocabularyToken => {
    const type = types[id]!;
    return { text, score: type === TOKEN_TYPES.normal ? scores[id]! : 0, type };
  });
  return { tokens, addSpacePrefix };
}
