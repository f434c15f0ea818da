/** A byte-level BPE vocabulary as `vocab.json` and `merges.txt` hold it. */
export interface BpeVocabulary {
  /** Ids by token. */
  readonly vocab: Readonly<Record<string, number>>;
  /** `a b`, best first. */
  readonly merges: readonly string[];
}

/** OPT's, at OPT's ids. */
const SPECIAL = ['<s>', '<pad>', '</s>', '<unk>'];

/** Enough for whole words of the test questions, words that share a beginning, digits, spaces, and a character whose bytes are merged (é). Ġ is a space. */
const MERGES = `Ġ t|Ġ a|h e|i n|r e|o n|Ġt he|Ġ w|Ġw h|a t|Ġwh at|i s|Ġ is|Ġ o|Ġo f|i t|i c|t u|Ġ p|Ġp ic|Ġpic tu|Ġpictu re|c o|l o|co lo|colo u|colou r|Ġ colour
o u|Ġ c|Ġc at|Ġcat s|e s|e r|in g|e d|Ġa n|Ġan d|Q u|Qu es|Ques t|Quest i|Questi on|: Ġ|A n|An s|Ans w|Answ er|Ġ Ġ|ĠĠ ĠĠ|Ċ Ċ|1 0|10 0|' t|. .|.. .|Ã ©|Ġ s|Ġs h|Ġsh o|Ġsho w`;

/** GPT-2's 256 byte characters in its order: the printable ones as they are, then U+0100… for the others. */
export function byteCharacters(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const others = bytes.filter(byte => !printable(byte)).map((_, i) => 256 + i);
  return [...bytes.filter(printable), ...others].map(point => String.fromCharCode(point));
}

/** GPT-2's way to number a vocabulary: special tokens, bytes, then what the merges make, in their order. */
export function bpeVocabulary(merges: readonly string[], special: readonly string[] = SPECIAL): BpeVocabulary {
  const tokens = new Set([...special, ...byteCharacters(), ...merges.map(merge => merge.replace(' ', ''))]);
  return { vocab: Object.fromEntries([...tokens].map((token, id) => [token, id])), merges };
}

/** A small one, laid out as OPT's. */
export const smallBpeVocabulary = (): BpeVocabulary => bpeVocabulary(MERGES.split(/[|\n]/));

/** By id. Not the order of the object's keys: `0` to `9` come first there. */
export const tokensOf = ({ vocab }: BpeVocabulary): string[] =>
  Object.entries(vocab)
    .sort(([, a], [, b]) => a - b)
    .map(([token]) => token);

/** The two files that GPT2Tokenizer loads. */
export const bpeFiles = ({ vocab, merges }: BpeVocabulary): { 'vocab.json': string; 'merges.txt': string } => ({
  'vocab.json': JSON.stringify(vocab),
  'merges.txt': `#version: 0.2\n${merges.join('\n')}\n`,
});
