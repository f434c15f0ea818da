import { BERT_CHARACTERS } from './bert-characters.js';
import { codePointRanges } from './code-points.js';

export interface BertTextOptions {
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
  readonly tokenizeChineseChars: boolean;
}

/** A regular expression for a set of bert-characters.ts. */
function pattern(set: string, suffix = ''): RegExp {
  const ranges = codePointRanges(set).map(([first, last]) => `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`);
  return new RegExp(`[${ranges.join('')}]${suffix}`, 'gu');
}

const REMOVED = pattern(BERT_CHARACTERS.removed);
const CJK = pattern(BERT_CHARACTERS.cjk);
const MARKS = pattern(BERT_CHARACTERS.marks);
const MAPPED = pattern(BERT_CHARACTERS.mapped, '+');
const PUNCTUATION = pattern(BERT_CHARACTERS.punctuation);

/** Character by character: JavaScript writes a Σ at the end of a word as ς, HF never does. */
const lower = (text: string): string => text.replaceAll('Σ', 'σ').toLowerCase();

/**
 * Text → words, as `BertNormalizer` and `BertPreTokenizer` of HF's tokenizers do it. Own code and tables, because @huggingface/tokenizers has another
 * order of steps, no ideographs beyond U+FFFF, and Node's Unicode version.
 */
export function bertWords(text: string, options: BertTextOptions): string[] {
  // A surrogate without its partner has no place in UTF-8: it arrives in HF as U+FFFD, which is dropped.
  let clean = text.replace(/\p{Surrogate}/gu, '').replace(REMOVED, '');
  if (options.tokenizeChineseChars) clean = clean.replace(CJK, ' $& ');
  clean = clean.replace(MAPPED, run => {
    const plain = options.stripAccents ? run.normalize('NFD') : run;
    return options.lowercase ? lower(plain) : plain;
  });
  if (options.stripAccents) clean = clean.replace(MARKS, '');
  return clean.replace(PUNCTUATION, ' $& ').match(/\S+/g) ?? [];
}
