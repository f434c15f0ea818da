/** A stretch of a prompt: text, or the token that a text in the shape of an added token stands for. */
export type PromptPart = string | number;

/** Finds added tokens in text before anything else is done to it, as HF: the leftmost, of those the longest. */
export class AddedTokens {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #pattern: RegExp | undefined;
  /** Length of the longest in UTF-16 units; 0 = there are none. */
  readonly longest: number;

  constructor(tokens: Iterable<readonly [text: string, id: number]>) {
    this.#ids = new Map(tokens);
    const texts = [...this.#ids.keys()].filter(text => text !== '').sort((a, b) => b.length - a.length);
    this.longest = texts[0]?.length ?? 0;
    this.#pattern = texts.length > 0 ? new RegExp(texts.map(escapeRegExp).join('|'), 'g') : undefined;
  }

  /** Parts in their order; no empty text. */
  *split(text: string): Generator<PromptPart> {
    let end = 0;
    for (const match of this.#pattern ? text.matchAll(this.#pattern) : []) {
      if (match.index > end) yield text.slice(end, match.index);
      yield this.#ids.get(match[0]) as number;
      end = match.index + match[0].length;
    }
    if (end < text.length) yield text.slice(end);
  }
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
