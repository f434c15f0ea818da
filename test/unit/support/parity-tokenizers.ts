import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bpeFiles, smallBpeVocabulary } from './bpe-vocabulary.js';
import { json, PIECES, QFORMER_WORDS, sentencePieceModel } from './checkpoint.js';
import type { ParityRecipe } from './parity-recipe.js';
import { realUnigramTokenizer, smallUnigramTokenizer, unigramTokenizerConfig } from './unigram-vocabulary.js';

const VOCABULARIES = 'test/fixtures/vocab';

type Files = Record<string, string | Buffer>;

/** The Q-Former's WordPiece vocabulary and the JSON around it. */
function qformerFiles(real: boolean): Files {
  const special = {
    bos_token: '[DEC]',
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]',
  };
  return {
    'vocab.txt': real ? readFileSync(join(VOCABULARIES, 'bert-vocab.txt')) : `${QFORMER_WORDS.join('\n')}\n`,
    'tokenizer_config.json': json({ tokenizer_class: 'BertTokenizer', do_lower_case: true, bos_token: '[DEC]' }),
    'special_tokens_map.json': json(special),
    'added_tokens.json': json({ '[DEC]': real ? 30522 : QFORMER_WORDS.length }),
  };
}

/** LLaMA's, as on the hub: SentencePiece alone, converted when it is loaded. */
function llamaFiles(real: boolean, imageTokenId: number | undefined): Files {
  const special = { bos_token: '</s>', eos_token: '</s>', unk_token: '</s>', pad_token: '[PAD]' };
  const added = { '[PAD]': real ? 32000 : PIECES.length };
  return {
    'tokenizer.model': real ? readFileSync(join(VOCABULARIES, 'llama-tokenizer.model')) : sentencePieceModel(),
    'tokenizer_config.json': json({ tokenizer_class: 'LlamaTokenizer', legacy: true, ...special }),
    'special_tokens_map.json': json(special),
    'added_tokens.json': json({ ...added, ...(imageTokenId === undefined ? {} : { '<image>': imageTokenId }) }),
  };
}

/** T5's, as its fast tokenizer is saved. */
function unigramFiles(real: boolean, imageTokenId: number | undefined): Files {
  const tokenizer = real ? realUnigramTokenizer() : smallUnigramTokenizer();
  const image = { ...tokenizer.added_tokens[0], id: imageTokenId, content: '<image>' };
  const added = imageTokenId === undefined ? tokenizer.added_tokens : [...tokenizer.added_tokens, image];
  const extraIds = tokenizer.added_tokens.filter(({ content }) => content.startsWith('<extra_id_')).length;
  return {
    'tokenizer.json': json({ ...tokenizer, added_tokens: added }),
    'tokenizer_config.json': json(unigramTokenizerConfig(extraIds)),
    'special_tokens_map.json': json({ eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' }),
  };
}

/** OPT's, as on the hub: GPT-2's two files. */
function bytePairFiles(): Files {
  const special = { bos_token: '</s>', eos_token: '</s>', unk_token: '</s>', pad_token: '<pad>' };
  return {
    ...bpeFiles(smallBpeVocabulary()),
    'tokenizer_config.json': json({ tokenizer_class: 'GPT2Tokenizer', add_bos_token: true, ...special }),
    'special_tokens_map.json': json(special),
  };
}

function languageFiles({ tokenizer, vocabularies, imageTokenId }: ParityRecipe): Files {
  const real = vocabularies === 'real';
  if (tokenizer === 'unigram') return unigramFiles(real, imageTokenId);
  return tokenizer === 'byte-pairs' ? bytePairFiles() : llamaFiles(real, imageTokenId);
}

/** Vocabulary files and the JSON around them, as on the hub. */
export function writeTokenizers(folder: string, recipe: ParityRecipe): void {
  const write = (into: string, files: Files): void => {
    mkdirSync(into, { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(into, name), content);
  };
  write(folder, languageFiles(recipe));
  write(join(folder, 'qformer_tokenizer'), qformerFiles(recipe.vocabularies === 'real'));
}
