import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOKEN_TYPES } from '../convert/base-vocabulary.js';
import type { TextType } from '../convert/text-config.js';
import { bool, type GgufEntry, i32s, layoutGguf, string } from '../gguf/gguf-header.js';
import type { NativeLanguageVocabulary } from '../native/addon.js';
import { loadAddon } from '../native/load-addon.js';
import { nativeCall } from '../native/native-call.js';
import { llamaCodec } from './llama-codec.js';
import type { FileVocabulary } from './make-tokenizer-json.js';
import { graphCodec, type TextCodec } from './text-codec.js';

/** A tokenizer made of the keys `tokenizer.ggml.*`. */
export interface OpenedCodec {
  readonly codec: TextCodec;
  readonly vocabulary: FileVocabulary;
  /** -1 = none. */
  readonly padTokenId: number;
}

/** The engine reads vocabularies from files only. */
async function openVocabulary(kind: TextType, entries: readonly GgufEntry[]): Promise<NativeLanguageVocabulary> {
  const { addon } = loadAddon();
  const folder = await mkdtemp(join(tmpdir(), 'instructblip-vocabulary-'));
  try {
    const path = join(folder, 'vocabulary.gguf');
    await writeFile(path, layoutGguf([string('general.architecture', kind), ...entries], []).header);
    return nativeCall(() => addon.openVocabulary(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const TYPES = 'tokenizer.ggml.token_type';
const PREFIX = 'tokenizer.ggml.add_space_prefix';

/** The engine checks the keys when it reads them. */
function llamaVocabulary(entries: readonly GgufEntry[]): FileVocabulary {
  const find = <T>(name: string, otherwise: T): T =>
    (entries.find(({ key }) => key === `tokenizer.ggml.${name}`)?.value as T | undefined) ?? otherwise;
  return {
    kind: 'llama',
    tokens: find<readonly string[]>('tokens', []),
    scores: Float32Array.from(find<ArrayLike<number>>('scores', [])),
    types: Int32Array.from(find<ArrayLike<number>>('token_type', [])),
    charsmap: new Uint8Array(),
    merges: [],
    addSpacePrefix: find('add_space_prefix', true),
    removeExtraWhitespaces: false,
    unkTokenId: find('unknown_token_id', 0),
  };
}

/**
 * LLaMA's. The engine gets a vocabulary in which it matches no added tokens and puts nothing in front of text: HF's rules are more than it knows.
 * @param normalizedIds of added tokens that are matched in normalized text
 * @throws MODEL_FILE_*, ENGINE_*
 */
export async function openLlamaCodec(
  entries: readonly GgufEntry[],
  normalizedIds: readonly number[],
): Promise<OpenedCodec> {
  const file = llamaVocabulary(entries);
  const { control, userDefined } = TOKEN_TYPES;
  const plain = Array.from(file.types, type => (type === userDefined ? control : type));
  const others = entries.filter(({ key }) => key !== TYPES && key !== PREFIX);
  const vocabulary = await openVocabulary('llama', [...others, i32s(TYPES, plain), bool(PREFIX, false)]);
  const codec = llamaCodec(vocabulary, { ...file, normalizedIds });
  return { codec, vocabulary: file, padTokenId: vocabulary.padTokenId };
}

/** T5's and OPT's. @throws MODEL_FILE_* */
export async function openGraphCodec(kind: TextType, entries: readonly GgufEntry[]): Promise<OpenedCodec> {
  const { languageVocabulary: vocabulary, padTokenId } = await openVocabulary(kind, entries);
  if (vocabulary === null) throw new TypeError(`the engine has the tokenizer of '${kind}'`);
  return { codec: graphCodec(vocabulary), vocabulary, padTokenId };
}
