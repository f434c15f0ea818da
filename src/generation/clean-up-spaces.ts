/** HF's `clean_up_tokenization`: these replacements one after another over the whole text, in this order. Each pattern begins with a space and loses it. */
const RULES: readonly (readonly [pattern: string, replacement: string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** Text as HF's tokenizers with `clean_up_tokenization_spaces` give it. */
export const cleanUpSpaces = (text: string): string =>
  RULES.reduce((clean, [pattern, replacement]) => clean.replaceAll(pattern, replacement), text);

const endsWithin = (text: string, pattern: string): boolean => {
  for (let length = pattern.length - 1; length > 0; length--) {
    if (text.endsWith(pattern.slice(0, length))) return true;
  }
  return false;
};

/**
 * `cleanUpSpaces` of a text of which more may come; null when what comes could change it. It cannot where no rule, at its turn and behind its last match,
 * finds the text ending within its pattern: then no match reaches over the end, whatever follows, and both sides are cleaned independently of each other.
 */
function cleanIfCertain(text: string): string | null {
  let clean = text;
  for (const [pattern, replacement] of RULES) {
    const parts = clean.split(pattern);
    if (endsWithin(parts.at(-1) as string, pattern)) return null;
    clean = parts.join(replacement);
  }
  return clean;
}

/** Cleans a text that comes in pieces: what it gives joins to `cleanUpSpaces` of the whole. */
export class SpaceCleaner {
  #held = '';

  /** Takes more text and returns what became certain; holds back few characters: ` `, ` '`, ` n`, ` 'v` and the like at the end. */
  push(text: string): string {
    this.#held += text;
    for (let end = this.#held.length; end > 0; end--) {
      const clean = cleanIfCertain(this.#held.slice(0, end));
      if (clean === null) continue;
      this.#held = this.#held.slice(end);
      return clean;
    }
    return '';
  }

  /** The rest, when nothing follows. */
  finish(): string {
    const rest = cleanUpSpaces(this.#held);
    this.#held = '';
    return rest;
  }
}
