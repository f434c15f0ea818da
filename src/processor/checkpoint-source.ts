import { join } from 'node:path';
import { readImageProcessorConfig } from '../convert/image-settings.js';
import { Fields, isObject, type JsonObject, readJson } from '../convert/json-fields.js';
import { readNormalizedTokens } from '../convert/normalized-tokens.js';
import { type QFormerVocabulary, readQFormerVocabulary } from '../convert/qformer-vocabulary.js';
import { readLanguageRows, readQFormerRows } from '../convert/row-settings.js';
import type { TextConfig, TextType } from '../convert/text-config.js';
import { readTextConfig } from '../convert/text-models.js';
import { readGraphTokenizer, readLlamaTokenizer, type TextTokenizer } from '../convert/text-tokenizer.js';
import { createError } from '../errors.js';
import type { GgufEntry } from '../gguf/gguf-header.js';
import { openGraphCodec, openLlamaCodec } from './engine-vocabulary.js';
import { type ProcessorSource, presentIds, type TokenizerSource } from './processor-source.js';
import { saveTokenizerFiles } from './save-tokenizers.js';
import { wordPieceCodec } from './text-codec.js';

/** Rows where no config.json says how many: more than any tokenizer has tokens. What is too many is taken away again. */
const MOST_ROWS = 2 ** 19;
/** What `config.json` says that matters here. A folder that a processor was saved to has none. */
interface LanguageModelFacts {
  readonly kind: TextType;
  readonly rows: number;
  readonly imageTokenId: number;
}

async function readLanguageModelFacts(folder: string): Promise<LanguageModelFacts> {
  const json = await readJson(join(folder, 'config.json'));
  if (!json) return { kind: await kindOfTokenizer(folder), rows: MOST_ROWS, imageTokenId: -1 };
  const config = new Fields('config.json', json);
  const text: TextConfig = readTextConfig(config.child('text_config'));
  return { kind: text.type, rows: text.vocabSize, imageTokenId: config.tokenId('image_token_index', -1) };
}

async function kindOfTokenizer(folder: string): Promise<TextType> {
  const config: JsonObject = (await readJson(join(folder, 'tokenizer_config.json'))) ?? {};
  const name = String(config.tokenizer_class ?? '');
  if (/^Llama/.test(name)) return 'llama';
  if (/^T5/.test(name)) return 't5';
  if (/^GPT2/.test(name)) return 'opt';
  const model = (await readJson(join(folder, 'tokenizer.json')))?.model;
  if (isObject(model) && model.type === 'Unigram') return 't5';
  if (isObject(model) && model.type === 'BPE') return model.byte_fallback === true ? 'llama' : 'opt';
  throw createError(
    'CHECKPOINT_UNSUPPORTED',
    `${folder}: tokenizer_class is '${name}' (tokenizer_config.json); without config.json, only the tokenizers of LLaMA, T5 and GPT-2 (OPT) are known`,
  );
}

/** Without the rows that have no token, at the end. */
function withoutUnusedRows(entries: readonly GgufEntry[]): GgufEntry[] {
  const tokens = entries.find(({ key }) => key === 'tokenizer.ggml.tokens')?.value as readonly string[];
  let count = tokens.length;
  while (count > 0 && tokens[count - 1] === `[PAD${count - 1}]`) count--;
  const rows = tokens.length;
  return entries.map(entry => {
    const value = entry.value as { length?: number; slice(start: number, end: number): GgufEntry['value'] };
    return entry.type === 'array' && value.length === rows ? { ...entry, value: value.slice(0, count) } : entry;
  });
}

async function languageTokenizer(
  folder: string,
  { kind, rows, imageTokenId }: LanguageModelFacts,
): Promise<TokenizerSource> {
  const read = kind === 'llama' ? readLlamaTokenizer : readGraphTokenizer;
  const tokenizer: TextTokenizer = await read(folder, rows, imageTokenId);
  const entries = rows === MOST_ROWS ? withoutUnusedRows(tokenizer.entries) : tokenizer.entries;
  const { codec, padTokenId } =
    kind === 'llama'
      ? await openLlamaCodec(entries, await readNormalizedTokens(folder, entries))
      : await openGraphCodec(kind, entries);
  return {
    codec,
    ...(await readLanguageRows(folder, kind)),
    padTokenId,
    front: presentIds(tokenizer.promptBosTokenId),
    behind: presentIds(tokenizer.promptEosTokenId),
  };
}

async function qformerTokenizer(folder: string): Promise<TokenizerSource> {
  const vocabulary: QFormerVocabulary = await readQFormerVocabulary(folder, MOST_ROWS);
  return {
    codec: wordPieceCodec(vocabulary.tokens, { ...vocabulary, unkTokenId: vocabulary.unknownTokenId }),
    ...(await readQFormerRows(folder)),
    padTokenId: vocabulary.padTokenId,
    front: [vocabulary.clsTokenId],
    behind: [vocabulary.sepTokenId],
  };
}

/**
 * A processor out of a folder in Hugging Face's layout. Weights need not be there, nor `config.json`.
 * @throws CHECKPOINT_*, ENGINE_*
 */
export async function openCheckpointSource(folder: string): Promise<ProcessorSource> {
  const { height, width, mean, std, resample: _, ...image } = await readImageProcessorConfig(folder);
  const facts = await readLanguageModelFacts(folder);
  return {
    image: { ...image, size: { height, width }, imageMean: mean, imageStd: std },
    tokenizer: await languageTokenizer(folder, facts),
    qformerTokenizer: await qformerTokenizer(folder),
    saveTokenizers: target => saveTokenizerFiles(folder, target, facts.kind),
  };
}
