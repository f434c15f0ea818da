import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NativePair } from '../native/addon.js';
import { addedToken, type FileVocabulary, makeTokenizerJson } from './make-tokenizer-json.js';
import type { TokenizerSource } from './processor-source.js';
import { writing } from './save-tokenizers.js';

/** A model's files, as far as tokenizers go. */
export interface GgufTokenizers {
  readonly pair: NativePair;
  readonly vocabulary: FileVocabulary;
  /** LLaMA's added tokens that are matched in normalized text. */
  readonly normalizedIds: readonly number[];
  readonly tokenizer: TokenizerSource;
  readonly qformerTokenizer: TokenizerSource;
}

type Json = Readonly<Record<string, unknown>>;

const rowsJson = ({
  paddingSide,
  truncationSide,
  modelMaxLength,
  cleanUpTokenizationSpaces,
}: TokenizerSource): Json => ({
  clean_up_tokenization_spaces: cleanUpTokenizationSpaces,
  padding_side: paddingSide,
  truncation_side: truncationSide,
  ...(Number.isFinite(modelMaxLength) && { model_max_length: modelMaxLength }),
});

function languageConfig({ pair, tokenizer, vocabulary: { tokens, unkTokenId } }: GgufTokenizers): Json {
  const named = (name: string, id: number | undefined): Json =>
    tokens[id ?? -1] === undefined ? {} : { [name]: tokens[id ?? -1] };
  return {
    // It takes all from tokenizer.json: the model's own class would have rules besides.
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_bos_token: tokenizer.front.length > 0,
    ...named('bos_token', tokenizer.front[0]),
    ...named('eos_token', pair.info.vocabularyEosTokenId),
    ...named('unk_token', unkTokenId),
    ...named('pad_token', tokenizer.padTokenId),
    ...rowsJson(tokenizer),
  };
}

function qformerConfig({ pair: { info, qformerVocabulary }, qformerTokenizer }: GgufTokenizers): Json {
  const facts = info.qformerTokenizer;
  const textOf = (id: number): string => qformerVocabulary[id] as string;
  const special = facts.specialTokenIds.map(id => [String(id), addedToken(textOf(id), { special: true })]);
  return {
    tokenizer_class: 'BertTokenizer',
    added_tokens_decoder: Object.fromEntries(special),
    cls_token: textOf(facts.clsTokenId),
    sep_token: textOf(facts.sepTokenId),
    pad_token: textOf(facts.padTokenId),
    unk_token: textOf(facts.unkTokenId),
    mask_token: facts.specialTokenIds.map(textOf).find(text => text === '[MASK]') ?? null,
    do_lower_case: facts.lowercase,
    strip_accents: facts.stripAccents,
    tokenize_chinese_chars: facts.tokenizeChineseChars,
    ...rowsJson(qformerTokenizer),
  };
}

/** What another processor left there would count, too. */
const OTHERS = [
  'added_tokens.json',
  'special_tokens_map.json',
  'tokenizer.model',
  'spiece.model',
  'vocab.json',
  'merges.txt',
];
const QFORMER_OTHERS = ['added_tokens.json', 'special_tokens_map.json', 'tokenizer.json'];

async function writeAll(
  folder: string,
  files: Readonly<Record<string, string>>,
  others: readonly string[],
): Promise<void> {
  await writing(folder, () => mkdir(folder, { recursive: true }));
  for (const name of others) await writing(join(folder, name), () => rm(join(folder, name), { force: true }));
  for (const [name, text] of Object.entries(files))
    await writing(join(folder, name), () => writeFile(join(folder, name), text));
}

const json = (value: Json): string => `${JSON.stringify(value, null, 2)}\n`;

/**
 * Files from which transformers makes tokenizers that do what those of GGUF files do. Their classes are general ones.
 * @throws OPTION_UNSUPPORTED, OUTPUT_WRITE_FAILED, MODEL_FILE_*
 */
export async function saveGgufTokenizers(source: GgufTokenizers, folder: string): Promise<void> {
  const tokenizer = makeTokenizerJson(source.vocabulary, source.tokenizer, source.normalizedIds);
  const language = {
    'tokenizer.json': JSON.stringify(tokenizer),
    'tokenizer_config.json': json(languageConfig(source)),
  };
  const qformer = {
    'vocab.txt': `${source.pair.qformerVocabulary.join('\n')}\n`,
    'tokenizer_config.json': json(qformerConfig(source)),
  };
  await writeAll(folder, language, OTHERS);
  await writeAll(join(folder, 'qformer_tokenizer'), qformer, QFORMER_OTHERS);
}
