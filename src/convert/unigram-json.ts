import { createError } from '../errors.js';
import { isObject, type JsonObject } from './json-fields.js';
import type { UnigramModel } from './sentencepiece-model.js';

const SPACE = '\u2581';

const invalid = (reason: string): Error => createError('CHECKPOINT_INVALID', `tokenizer.json: ${reason}`);
const unsupported = (part: string, value: unknown): Error =>
  createError(
    'CHECKPOINT_UNSUPPORTED',
    `tokenizer.json: ${part} is ${JSON.stringify(value)?.slice(0, 200)}; supported is T5's kind of tokenizer (Unigram; normalizer Precompiled, then Replace of spaces; pre_tokenizer and decoder Metaspace)`,
  );

/** The steps of a normalizer, without sequences. */
function stepsOf(normalizer: unknown): JsonObject[] {
  if (normalizer === null || normalizer === undefined) return [];
  if (!isObject(normalizer)) throw unsupported('normalizer', normalizer);
  if (normalizer.type !== 'Sequence') return [normalizer];
  return Array.isArray(normalizer.normalizers) ? normalizer.normalizers.flatMap(stepsOf) : [];
}

/** A `Replace` that joins runs of spaces; newer files write the one that is left as ▁, which it becomes anyway. */
function joinsSpaces({ pattern, content }: JsonObject): boolean {
  return isObject(pattern) && pattern.Regex === ' {2,}' && (content === ' ' || content === SPACE);
}

function readNormalizer(normalizer: unknown): Pick<UnigramModel, 'charsmap' | 'removeExtraWhitespaces'> {
  let charsmap = new Uint8Array();
  let removeExtraWhitespaces = false;
  for (const step of stepsOf(normalizer)) {
    // The order matters: the map makes spaces.
    if (step.type === 'Precompiled' && charsmap.length === 0 && !removeExtraWhitespaces) {
      if (typeof step.precompiled_charsmap !== 'string') throw invalid('normalizer has no precompiled_charsmap');
      charsmap = Uint8Array.from(Buffer.from(step.precompiled_charsmap, 'base64'));
    } else if (step.type === 'Replace' && joinsSpaces(step)) removeExtraWhitespaces = true;
    else throw unsupported('a step of the normalizer', step);
  }
  return { charsmap, removeExtraWhitespaces };
}

/** Whether a `Metaspace` puts a space in front of every text. Newer files say `prepend_scheme`. */
function readMetaspace(part: string, step: unknown): boolean {
  if (!isObject(step) || step.type !== 'Metaspace' || (step.replacement ?? SPACE) !== SPACE || step.split === false)
    throw unsupported(part, step ?? null);
  const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? 'never' : 'always');
  if (scheme !== 'always' && scheme !== 'never') throw unsupported(part, step);
  return scheme === 'always';
}

function readPieces(vocab: unknown): [string, number][] {
  if (!Array.isArray(vocab) || vocab.length === 0) throw invalid('model.vocab is no list of pieces');
  return vocab.map((entry: unknown, id): [string, number] => {
    const [text, score] = Array.isArray(entry) ? entry : [];
    if (typeof text === 'string' && typeof score === 'number') return [text, score];
    throw invalid(`piece ${id} of model.vocab is ${JSON.stringify(entry)}; it must be a text and a score`);
  });
}

/**
 * Reads a `tokenizer.json` of T5's kind.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export function parseUnigramJson(tokenizer: JsonObject): UnigramModel {
  const { model, normalizer, pre_tokenizer: preTokenizer, decoder } = tokenizer;
  if (!isObject(model)) throw invalid('there is no model');
  if (model.type !== 'Unigram') throw unsupported('the type of the model', model.type ?? null);
  if (model.byte_fallback === true) throw unsupported('byte_fallback', true);
  if (!Number.isInteger(model.unk_id)) throw invalid(`model.unk_id is ${JSON.stringify(model.unk_id)}`);
  const addSpacePrefix = readMetaspace('pre_tokenizer', preTokenizer);
  if (readMetaspace('decoder', decoder) !== addSpacePrefix) throw unsupported('decoder', decoder);
  return {
    pieces: readPieces(model.vocab),
    unknownTokenId: model.unk_id as number,
    addSpacePrefix,
    ...readNormalizer(normalizer),
  };
}
