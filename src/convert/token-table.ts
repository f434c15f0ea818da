import { createError } from '../errors.js';
import { TOKEN_TYPES, type VocabularyToken } from './base-vocabulary.js';

/** Puts added tokens where HF's fast tokenizer puts them: at the id of their text, else at the next free one, whatever id the files state. */
export class TokenTable {
  readonly #ids: Map<string, number>;
  readonly #types = new Map<number, number>();
  readonly #texts: Map<number, string>;
  #next: number;

  constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = new Map(ids);
    this.#texts = new Map([...ids].map(([text, id]) => [id, text]));
    this.#next = ids.size;
  }

  add(text: string, type: (id: number) => number): void {
    if (text === '') return;
    const id = this.#ids.get(text) ?? this.#next++;
    const other = this.#texts.get(id);
    if (other !== undefined && other !== text)
      throw createError(
        'CHECKPOINT_INVALID',
        `the tokenizer's ids have gaps: the added token '${text}' would get the id ${id} of '${other}'`,
      );
    this.#ids.set(text, id);
    this.#texts.set(id, text);
    this.#types.set(id, type(id));
  }

  /** -1 = none. */
  idOf(text: string | undefined): number {
    return (text === undefined ? undefined : this.#ids.get(text)) ?? -1;
  }

  rows(count: number): VocabularyToken[] {
    return Array.from({ length: count }, (_, id) => {
      const text = this.#texts.get(id);
      if (text === undefined) return { text: `[PAD${id}]`, score: 0, type: TOKEN_TYPES.unused };
      return { text, score: 0, type: this.#types.get(id) ?? TOKEN_TYPES.normal };
    });
  }
}
