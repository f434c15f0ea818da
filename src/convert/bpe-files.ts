import { join } from 'node:path';
import { createError } from '../errors.js';
import { BYTE_CHARACTERS } from '../processor/byte-characters.js';
import { Fields, isObject, type JsonObject, readJson, readOptional } from './json-fields.js';

/** A byte-level BPE without added tokens. */
export interface BpeModel {
  /** Ids by token. */
  readonly ids: ReadonlyMap<string, number>;
  /** `a b`, best first, each once. */
  readonly merges: readonly string[];
  /** What the files say of HF's `add_prefix_space`; undefined = nothing. */
  readonly addSpacePrefix: boolean | undefined;
}

const invalid = (message: string): Error => createError('CHECKPOINT_INVALID', message);
const unsupported = (reason: string): Error =>
  createError(
    'CHECKPOINT_UNSUPPORTED',
    `tokenizer.json ${reason}; supported is GPT-2's kind of tokenizer (BPE between ByteLevel steps)`,
  );

function readIds(file: string, vocab: unknown): Map<string, number> {
  if (!isObject(vocab)) throw invalid(`${file} holds no vocabulary`);
  const texts = new Map<unknown, string>();
  for (const [text, id] of Object.entries(vocab)) {
    const other = texts.get(id);
    if (other !== undefined) throw invalid(`${file}: '${other}' and '${text}' both have the id ${id}`);
    if (!Number.isInteger(id) || (id as number) < 0)
      throw invalid(`${file}: '${text}' has the id ${JSON.stringify(id)}; it must be a whole number`);
    texts.set(id, text);
  }
  return new Map(Object.entries(vocab) as [string, number][]);
}

function checkMerges(file: string, merges: readonly (readonly string[])[], ids: ReadonlyMap<string, number>): void {
  for (const [i, merge] of merges.entries()) {
    const missing = [...merge, merge.join('')].find(text => !ids.has(text));
    if (merge.length !== 2 || missing !== undefined) {
      const reason = merge.length !== 2 ? 'is not a pair' : `needs '${missing}', which the vocabulary does not have`;
      throw invalid(`${file}: merge ${i} ('${merge.join(' ')}') ${reason}`);
    }
  }
}

/** Of a merge that is there twice, HF's GPT2Tokenizer counts the first in merges.txt, and its fast library the last in tokenizer.json. */
const firstOnes = (merges: readonly string[]): string[] => [...new Set(merges)];
const lastOnes = (merges: readonly string[]): string[] => firstOnes(merges.toReversed()).reverse();

/** The one step of a list that may be nested in a `Sequence`; undefined for none or several. */
function onlyStep(step: unknown, list: string): JsonObject | undefined {
  if (!isObject(step)) return undefined;
  if (step.type !== 'Sequence') return step;
  const steps = step[list];
  return Array.isArray(steps) && steps.length === 1 ? onlyStep(steps[0], list) : undefined;
}

function checkModel(model: JsonObject, ids: ReadonlyMap<string, number>): void {
  if ((model.type ?? 'BPE') !== 'BPE') throw unsupported(`has a model of type ${String(model.type)}`);
  for (const name of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix', 'byte_fallback', 'ignore_merges']) {
    if (model[name]) throw unsupported(`has model.${name} = ${JSON.stringify(model[name])}`);
  }
  const missing = BYTE_CHARACTERS.find(character => !ids.has(character));
  if (model.unk_token && missing !== undefined)
    throw unsupported(`writes '${String(model.unk_token)}' for bytes without a token (such as '${missing}')`);
}

function readSteps(tokenizer: JsonObject): Fields {
  if (tokenizer.normalizer)
    throw unsupported(`has the normalizer ${String(isObject(tokenizer.normalizer) && tokenizer.normalizer.type)}`);
  const split = onlyStep(tokenizer.pre_tokenizer, 'pretokenizers');
  if (split?.type !== 'ByteLevel' || split.use_regex === false)
    throw unsupported(`has the pre_tokenizer ${JSON.stringify(tokenizer.pre_tokenizer)}`);
  if (onlyStep(tokenizer.decoder, 'decoders')?.type !== 'ByteLevel')
    throw unsupported(`has the decoder ${JSON.stringify(tokenizer.decoder)}`);
  return new Fields('tokenizer.json: pre_tokenizer', split);
}

/**
 * The BPE of a `tokenizer.json`.
 * @throws CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED
 */
export function parseBpeJson(tokenizer: JsonObject): BpeModel {
  const { model } = tokenizer;
  if (!isObject(model)) throw invalid('tokenizer.json has no model');
  if ((model.type ?? 'BPE') !== 'BPE') throw unsupported(`has a model of type ${String(model.type)}`);
  const ids = readIds('tokenizer.json', model.vocab);
  checkModel(model, ids);
  const steps = readSteps(tokenizer);
  if (!Array.isArray(model.merges)) throw invalid('tokenizer.json has no model.merges');
  const pairs = model.merges.map(merge => (Array.isArray(merge) ? merge.map(String) : String(merge).split(' ')));
  checkMerges('tokenizer.json', pairs, ids);
  return {
    ids,
    merges: lastOnes(pairs.map(pair => pair.join(' '))),
    addSpacePrefix: steps.bool('add_prefix_space', true),
  };
}

/**
 * The BPE of `vocab.json` and `merges.txt`.
 * @throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID
 */
export async function readBpeFiles(folder: string): Promise<BpeModel> {
  const vocab = await readJson(join(folder, 'vocab.json'));
  const text = await readOptional(join(folder, 'merges.txt'));
  if (!vocab || !text) {
    throw createError(
      'CHECKPOINT_NOT_FOUND',
      `${folder} has neither tokenizer.json nor both vocab.json and merges.txt: download them`,
    );
  }
  const ids = readIds('vocab.json', vocab);
  // As HF: the first line is a version, and nothing comes after the last line feed.
  const lines = text
    .toString('utf8')
    .split(/\r\n?|\n/)
    .slice(1, -1);
  const pairs = lines.map(line => line.trim().split(/\s+/));
  checkMerges('merges.txt', pairs, ids);
  return { ids, merges: firstOnes(pairs.map(pair => pair.join(' '))), addSpacePrefix: undefined };
}
