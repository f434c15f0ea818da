import { createError } from '../errors.js';
import { isObject, type JsonObject } from './json-fields.js';

/** What a tokenizer puts in front of a prompt and behind it; -1 = nothing. */
export interface PromptTemplate {
  readonly promptBosTokenId: number;
  readonly promptEosTokenId: number;
}

export const NO_TEMPLATE: PromptTemplate = { promptBosTokenId: -1, promptEosTokenId: -1 };

const unsupported = (reason: string): Error =>
  createError(
    'CHECKPOINT_UNSUPPORTED',
    `tokenizer.json: post_processor ${reason}; supported is at most one token in front of the text and one behind it`,
  );

function checkedId(id: unknown, what: string): number {
  if (Number.isInteger(id) && (id as number) >= 0) return id as number;
  throw createError('CHECKPOINT_INVALID', `tokenizer.json: post_processor has no valid id for ${what}`);
}

/** `TemplateProcessing`: the template of a single text, e.g. `</s> $A`. */
function fromTemplate({ single, special_tokens: special }: JsonObject): PromptTemplate {
  const pieces = Array.isArray(single) ? single.filter(isObject) : [];
  const text = pieces.findIndex(piece => isObject(piece.Sequence));
  if (
    text < 0 ||
    pieces.findLastIndex(piece => isObject(piece.Sequence)) !== text ||
    text > 1 ||
    pieces.length > text + 2
  )
    throw unsupported(`has the template ${JSON.stringify(single)}`);
  const idOf = (piece: JsonObject | undefined): number => {
    if (!piece) return -1;
    const name = isObject(piece.SpecialToken) ? String(piece.SpecialToken.id) : '';
    const token = isObject(special) && Object.hasOwn(special, name) ? special[name] : undefined;
    const ids = isObject(token) && Array.isArray(token.ids) ? token.ids : [];
    if (ids.length > 1) throw unsupported(`makes ${ids.length} tokens of '${name}'`);
    return checkedId(ids[0], `'${name}'`);
  };
  return { promptBosTokenId: idOf(pieces[text - 1]), promptEosTokenId: idOf(pieces[text + 1]) };
}

/** `BertProcessing`, `RobertaProcessing`: `cls` and `sep` are [text, id]. */
function fromPair({ cls, sep }: JsonObject): PromptTemplate {
  const idOf = (pair: unknown): unknown => (Array.isArray(pair) ? pair[1] : undefined);
  return { promptBosTokenId: checkedId(idOf(cls), 'cls'), promptEosTokenId: checkedId(idOf(sep), 'sep') };
}

function fromSequence(processors: unknown): PromptTemplate {
  const templates = (Array.isArray(processors) ? processors : []).map(readPromptTemplate);
  const some = templates.filter(template => template.promptBosTokenId >= 0 || template.promptEosTokenId >= 0);
  if (some.length > 1) throw unsupported(`has ${some.length} steps that add tokens`);
  return some[0] ?? NO_TEMPLATE;
}

/**
 * Reads the `post_processor` of a tokenizer.json.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export function readPromptTemplate(processor: unknown): PromptTemplate {
  if (processor === null || processor === undefined) return NO_TEMPLATE;
  const { type, ...settings } = isObject(processor) ? processor : { type: JSON.stringify(processor) };
  switch (type) {
    case 'ByteLevel':
      // It changes offsets only.
      return NO_TEMPLATE;
    case 'TemplateProcessing':
      return fromTemplate(settings);
    case 'BertProcessing':
    case 'RobertaProcessing':
      return fromPair(settings);
    case 'Sequence':
      return fromSequence(settings.processors);
    default:
      throw unsupported(`is of type ${String(type)}`);
  }
}
