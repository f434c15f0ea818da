import { TextStream } from '../../../src/generation/text-stream.js';
import type { NativeModel } from '../../../src/native/addon.js';
import { LlamaTokenizer } from '../../../src/processor/llama-tokenizer.js';
import { loadLlamaVocabulary } from './support/llama-vocabulary.js';
import { decodingDifferences, differences, TEXTS } from './support/reference-strings.js';

describe('LLaMA tokenizer', () => {
  let model: NativeModel;
  let tokenizer: LlamaTokenizer;
  beforeAll(async () => {
    model = await loadLlamaVocabulary();
    tokenizer = new LlamaTokenizer(model);
  });
  afterAll(() => model.dispose());

  it('equals transformers 4.34 on 6,000 strings, with and without special tokens', () => {
    expect(TEXTS.length).toBe(6000);
    expect(differences('llama', (text, parseSpecial) => tokenizer.encode(text, { parseSpecial }))).toEqual([]);
  });

  it('is decoded to the text that transformers 4.34 decodes it to', () => {
    const roundTrip = (text: string): string => {
      const stream = new TextStream([]);
      const pieces = Array.from(tokenizer.encode(text), id => stream.push(tokenizer.tokenText(id)));
      return pieces.join('') + stream.finish();
    };
    expect(decodingDifferences(roundTrip)).toEqual([]);
  });

  it('begins with the BOS of the hub, which is </s>', () => {
    expect([...tokenizer.encode('What is unusual about this image?')]).toEqual([
      2, 1724, 338, 22910, 1048, 445, 1967, 29973,
    ]);
    expect([...tokenizer.encode('')]).toEqual([2]);
  });

  it('keeps text in the shape of special tokens as text, unless told otherwise', () => {
    const text = 'a</s>b <s>[PAD]<unk>';
    expect([...tokenizer.encode(text)].slice(1).filter(id => id < 3 || id >= 32000)).toEqual([]);
    expect([...tokenizer.encode(text, { parseSpecial: true })]).toEqual([2, 263, 2, 289, 29871, 1, 32000, 0]);
  });

  it('reads NUL as a character, and surrogates without a partner as U+FFFD', () => {
    expect([...tokenizer.encode('a\0b')]).toEqual([2, 263, 3, 29890]);
    expect([...tokenizer.encode('a\ud800b\udc00')]).toEqual([...tokenizer.encode('a\ufffdb\ufffd')]);
  });
});
