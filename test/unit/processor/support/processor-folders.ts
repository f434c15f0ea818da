import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readLanguageVocabulary } from '../../../../src/convert/language-vocabulary.js';
import { makeTokenizerJson } from '../../../../src/processor/make-tokenizer-json.js';
import { bpeFiles, bpeVocabulary } from '../../support/bpe-vocabulary.js';

/** What transformers made of ids: `ids`, then 4 bytes for each list and choice of options. */
export interface DecodedReference {
  readonly ids: readonly (readonly number[])[];
  readonly digests: string;
  /** The first of them. */
  readonly texts: readonly string[];
  readonly size: number;
  readonly sides: readonly ['left' | 'right', 'left' | 'right', number | null, number | null];
}

export interface FolderReference {
  readonly name: string;
  readonly kind: 'llama' | 't5' | 'opt';
  /** Small files, as JSON. */
  readonly files: Readonly<Record<string, unknown>>;
  readonly grid: string;
  readonly tokenizer: DecodedReference;
  readonly qformer_tokenizer: DecodedReference;
}

export interface PixelsReference {
  readonly dims: readonly number[];
  readonly sha256: string;
}

type Lists = Readonly<Record<string, readonly unknown[]>>;

export interface ProcessorReference {
  readonly batches: readonly (string | readonly string[])[];
  readonly options: Lists;
  readonly decode: Lists;
  readonly folders: readonly FolderReference[];
  readonly images: {
    readonly cases: readonly (PixelsReference & {
      readonly file: string;
      readonly options: Readonly<Record<string, unknown>>;
    })[];
    readonly batchFiles: readonly string[];
    readonly batch: PixelsReference;
    /** Of every picture with do_convert_rgb false; null = refused. */
    readonly unconverted: Readonly<Record<string, PixelsReference | null>>;
  };
  /** Texts with added tokens, by what LLaMA's files say of them. */
  readonly added: { readonly texts: readonly string[]; readonly folders: readonly AddedReference[] };
}

export interface AddedReference {
  readonly name: string;
  readonly files: Readonly<Record<string, unknown>>;
  /** Of a tokenizer.json; null without one. */
  readonly addedTokens: readonly unknown[] | null;
  /** 4 bytes for each text: of its ids, and of their text without special tokens. */
  readonly digests: string;
}

const FIXTURES = join(__dirname, '../../../fixtures');
const unzipped = (path: string): Buffer => gunzipSync(readFileSync(join(FIXTURES, path)));

/** Of test/reference/processor_hf.py. */
export const reference: ProcessorReference = JSON.parse(unzipped('processor/processor.json.gz').toString('utf8'));

function writeVocabulary(folder: string, kind: FolderReference['kind']): void {
  if (kind === 'llama') copyFileSync(join(FIXTURES, 'vocab/llama-tokenizer.model'), join(folder, 'tokenizer.model'));
  else if (kind === 't5') writeFileSync(join(folder, 'tokenizer.json'), unzipped('vocab/t5-tokenizer.json.gz'));
  else {
    const merges = unzipped('vocab/gpt2-merges.txt.gz').toString('utf8').trimEnd().split('\n').slice(1);
    for (const [name, text] of Object.entries(bpeFiles(bpeVocabulary(merges)))) writeFileSync(join(folder, name), text);
  }
}

/** A folder in Hugging Face's layout without weights and config.json, as transformers had it. */
export function makeProcessorFolder({ kind, files }: Pick<FolderReference, 'kind' | 'files'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'instructblip-processor-'));
  mkdirSync(join(folder, 'qformer_tokenizer'));
  writeVocabulary(folder, kind);
  copyFileSync(join(FIXTURES, 'vocab/bert-vocab.txt'), join(folder, 'qformer_tokenizer/vocab.txt'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
  return folder;
}

/** LLaMA's folder with the given JSON around the vocabulary. */
export async function makeAddedFolder({ files, addedTokens }: AddedReference): Promise<string> {
  const folder = makeProcessorFolder({ kind: 'llama', files });
  if (addedTokens === null) return folder;
  const { tokens, addSpacePrefix } = await readLanguageVocabulary(folder, 32000, -1);
  const vocabulary = {
    kind: 'llama',
    tokens: tokens.map(({ text }) => text),
    scores: Float32Array.from(tokens, ({ score }) => score),
    types: Int32Array.from(tokens, ({ type }) => type),
    charsmap: new Uint8Array(),
    merges: [],
    addSpacePrefix,
    removeExtraWhitespaces: false,
    unkTokenId: 0,
  } as const;
  const tokenizer = { ...makeTokenizerJson(vocabulary, { front: [2], behind: [] }), added_tokens: addedTokens };
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  return folder;
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** HF's names to ours. */
export const camelCased = (options: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));

/** Every combination of values, in the order of Python's `itertools.product`; 'unset' leaves an option out. */
export function choices(lists: Lists): Record<string, unknown>[] {
  let found: Record<string, unknown>[] = [{}];
  for (const [name, values] of Object.entries(lists))
    found = found.flatMap(choice => values.map(value => (value === 'unset' ? choice : { ...choice, [name]: value })));
  return found.map(camelCased);
}
