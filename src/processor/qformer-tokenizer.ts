import { Tokenizer } from '@huggingface/tokenizers';

/** Instructions as the Q-Former reads them: [CLS] text [SEP]. BERT's WordPiece over the vocabulary of the vision file. */
export class QFormerTokenizer {
  readonly #tokenizer: Tokenizer;

  constructor(vocabulary: readonly string[]) {
    this.#tokenizer = new Tokenizer(
      {
        added_tokens: [],
        normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
        pre_tokenizer: { type: 'BertPreTokenizer' },
        post_processor: null,
        decoder: null,
        model: {
          type: 'WordPiece',
          unk_token: '[UNK]',
          continuing_subword_prefix: '##',
          vocab: Object.fromEntries(vocabulary.map((text, id) => [text, id])),
        },
      },
      {},
    );
  }

  encode(text: string): Int32Array {
    const cls = this.#tokenizer.token_to_id('[CLS]') as number;
    const sep = this.#tokenizer.token_to_id('[SEP]') as number;
    return Int32Array.from([cls, ...this.#tokenizer.encode(text).ids, sep]);
  }
}
