import { newGenerationState } from '../../../../src/generation/answer-writer.js';
import { generate } from '../../../../src/generation/generate-loop.js';
import type { GenerateOptions } from '../../../../src/generation/generate-options.js';
import { interpretOptions } from '../../../../src/generation/generation-settings.js';
import { Vocabulary } from '../../../../src/generation/grammar/vocabulary.js';
import type { LogitsSource } from '../../../../src/generation/run-searches.js';
import type { TokenText } from '../../../../src/generation/text-stream.js';
import { validateGenerateOptions } from '../../../../src/generation/validate-options.js';
import type { NativeModel } from '../../../../src/native/addon.js';
import { ByteLevelBpeTokenizer } from '../../../../src/processor/byte-level-bpe-tokenizer.js';
import { LlamaTokenizer } from '../../../../src/processor/llama-tokenizer.js';
import { graphCodec } from '../../../../src/processor/text-codec.js';
import { joinTokens } from '../../../../src/processor/tokens-to-text.js';
import { UnigramTokenizer } from '../../../../src/processor/unigram-tokenizer.js';
import { loadLlamaVocabulary } from '../../processor/support/llama-vocabulary.js';
import { optVocabulary } from '../../processor/support/opt-strings.js';
import { t5Vocabulary } from '../../processor/support/t5-vocabulary.js';
import { randomNumbers } from '../../support/random.js';
import { Matcher } from './support.js';

interface Language {
  readonly vocabulary: Vocabulary;
  readonly tokenText: (id: number) => TokenText;
  readonly size: number;
  readonly eos: number;
  readonly start: number;
  readonly cleanUp: boolean;
  /** HF's decoder without cleaning up. */
  readonly decode: (ids: readonly number[]) => string;
  readonly encode: (text: string) => readonly number[];
}

let llama: NativeModel;
const languages: Record<string, Language> = {};
const NO_AFFIXES = { promptBosTokenId: -1, promptEosTokenId: -1 };

beforeAll(async () => {
  llama = await loadLlamaVocabulary();
  const ofLlama = new LlamaTokenizer(llama);
  const add = (name: string, size: number, more: Omit<Language, 'size' | 'vocabulary'>): void => {
    languages[name] = { ...more, size, vocabulary: new Vocabulary(size, more.tokenText) };
  };
  const llamaText = (id: number) => ofLlama.tokenText(id);
  add('LLaMA', llama.info.vocabularySize, {
    tokenText: llamaText,
    eos: 2,
    start: -1,
    cleanUp: false,
    decode: ids => joinTokens(ids.map(llamaText)).replace(/^ /, ''),
    encode: text => [...ofLlama.encode(text)].slice(1),
  });
  const t5 = t5Vocabulary();
  const ofT5 = new UnigramTokenizer(t5, NO_AFFIXES);
  add('T5', t5.tokens.length, {
    tokenText: id => ofT5.tokenText(id),
    eos: 1,
    start: 0,
    cleanUp: true,
    decode: ids => graphCodec(t5).decode(ids, true),
    encode: text => [...ofT5.encode(text)],
  });
  const opt = optVocabulary();
  const ofOpt = new ByteLevelBpeTokenizer(opt, NO_AFFIXES);
  add('OPT', opt.tokens.length, {
    tokenText: id => ofOpt.tokenText(id),
    eos: 2,
    start: -1,
    cleanUp: true,
    decode: ids => graphCodec(opt).decode(ids, true).replace(/^ /, ''),
    encode: text => [...ofOpt.encode(text)],
  });
});
afterAll(() => llama.dispose());

const settingsOf = (language: Language, options: GenerateOptions) =>
  interpretOptions(
    validateGenerateOptions(options),
    {
      vocabularySize: language.size,
      bosTokenId: 0,
      decoderStartTokenId: language.start,
      padTokenId: -1,
      eosTokenIds: [language.eos],
      vocabularyEosTokenId: language.eos,
      cleanUpTokenizationSpaces: language.cleanUp,
    },
    language.vocabulary,
  );

const drawn = randomNumbers(9);
const POOL = Float32Array.from({ length: 1 << 17 }, () => 6 * drawn());

/** Any logits at all; ending is liked a little. */
function noise(language: Language, seed: number): LogitsSource {
  const random = randomNumbers(seed);
  const row = () => {
    const start = Math.floor(((random() + 1) / 2) * (POOL.length - language.size));
    const scores = POOL.slice(start, start + language.size);
    scores[language.eos] = 6;
    return scores;
  };
  return { prefill: async () => row(), decode: async tokens => joined(Array.from(tokens, row)) };
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const size = rows[0]?.length ?? 0;
  const whole = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) whole.set(row, i * size);
  return whole;
}

/** A model that wants to say `ids`. */
function saying(language: Language, ids: readonly number[]): LogitsSource {
  let step = 0;
  const row = () => {
    const scores = new Float32Array(language.size);
    scores[ids[step++] ?? language.eos] = 25;
    return scores;
  };
  return {
    prefill: async () => row(),
    decode: async tokens => {
      const scores = row();
      return joined(Array.from(tokens, () => scores));
    },
  };
}

async function answerOf(language: Language, source: LogitsSource, options: GenerateOptions) {
  const state = newGenerationState();
  const pieces: string[] = [];
  const { tokenText, cleanUp: cleanUpSpaces } = language;
  const onText = (piece: string) => pieces.push(piece);
  await generate(source, settingsOf(language, options), { tokenText, cleanUpSpaces, onText }, state);
  expect(pieces.join('')).toBe(state.text);
  return state;
}

const SEARCHES: Record<string, GenerateOptions> = {
  'greedy search': {},
  sampling: { doSample: true, topK: 20, seed: 1 },
  beams: { numBeams: 3 },
  'beam sampling': { numBeams: 3, doSample: true, temperature: 1.5, seed: 2 },
  groups: { numBeams: 4, numBeamGroups: 2, diversityPenalty: 1 },
  'hf-4.34': { numBeams: 2, compat: 'hf-4.34', earlyStopping: true },
};

/** No brace, which T5 does not have. */
const GRAMMARS: Record<string, string> = {
  words: 'root ::= word (" " word){0,3} [.!?]?\nword ::= [a-z]{1,6}',
  'spaces that clean-up would change': 'root ::= ("a ." | "do n\'t , \'s" | " ? x") " !"{0,3}',
  'white space around': 'root ::= [ ]{0,2} "yes"? "  "',
  'characters of several bytes': 'root ::= [äöüéñ]{1,3} [à-ÿ]{0,3} "ß"',
  nested: 'root ::= "(" (root | [0-9]{1,2}) ")" | "[" root ("," root)? "]"',
  'any text': 'root ::= .{0,12}',
};

describe.each(['LLaMA', 'T5', 'OPT'])('the answer is what the grammar says: %s', name => {
  it.each(Object.keys(GRAMMARS))('%s', async kind => {
    const language = languages[name] as Language;
    const grammar = GRAMMARS[kind] as string;
    const matcher = new Matcher(grammar);
    const ends = { stop: 0, length: 0 };
    for (const [seed, search] of Object.values(SEARCHES).entries()) {
      const answer = await answerOf(language, noise(language, seed), { grammar, maxNewTokens: 16, ...search });
      const { text, tokens, finishReason } = answer;
      expect([search, text, finishReason, matcher.stateOf(text.replace(/\ufffd+$/, '')) !== null]).toEqual([
        search,
        text,
        finishReason,
        true,
      ]);
      if (finishReason === 'stop') expect([search, text, matcher.matches(text)]).toEqual([search, text, true]);
      expect(language.decode(tokens.filter(id => id !== language.eos))).toBe(text);
      ends[finishReason as 'stop' | 'length']++;
    }
    expect(ends.stop).toBeGreaterThan(1);
  });

  it('choices: exactly one of them, the likeliest', async () => {
    const language = languages[name] as Language;
    const choices = ['red', 'blue', 'dark blue', 'red .', 'café'];
    for (const search of Object.values(SEARCHES)) {
      for (const [seed, wanted] of choices.entries()) {
        const random = await answerOf(language, noise(language, seed), { choices, ...search });
        expect([random.finishReason, choices.includes(random.text)]).toEqual(['stop', true]);
        const said = await answerOf(language, saying(language, language.encode(wanted)), { choices, ...search });
        expect([wanted, said.text, said.finishReason]).toEqual([wanted, wanted, 'stop']);
      }
    }
  });
});

describe('tokens', () => {
  it('of single bytes spell what the vocabulary has no token for', async () => {
    for (const name of ['LLaMA', 'OPT']) {
      const language = languages[name] as Language;
      const choices = ['\u{1f9ff}\u{10ffff}', '\u{1f9fe}'];
      const answer = await answerOf(language, noise(language, 3), { choices });
      expect([choices.includes(answer.text), answer.finishReason]).toEqual([true, 'stop']);
      const cut = await answerOf(language, noise(language, 3), { choices: ['\u{10ffff}'], maxNewTokens: 2 });
      expect([cut.finishReason, /^[\ufffd]*$/.test(cut.text)]).toEqual(['length', true]);
    }
  });

  it('that no answer may have are not possible: special ones never, stop ids where the grammar ends', () => {
    for (const language of Object.values(languages)) {
      const { constraint } = settingsOf(language, { grammar: 'root ::= "a" "b"?' });
      const allowed = (tokens: number[]): number[] => {
        const scores = new Float32Array(language.size);
        constraint?.apply(tokens, scores);
        return [...scores.keys()].filter(id => scores[id] === 0);
      };
      const first = allowed([]);
      const texts = new Set(first.map(id => Buffer.from(language.tokenText(id).bytes).toString()));
      expect([...texts].every(text => [' ', 'a', ' a', 'ab', ' ab'].includes(text))).toBe(true);
      expect(texts.has('a') || texts.has(' a')).toBe(true);
      expect(first).not.toContain(language.eos);
      const a = first.find(id => Buffer.from(language.tokenText(id).bytes).toString().trim() === 'a') as number;
      const second = allowed([a]);
      expect(second).toContain(language.eos);
      expect(second.filter(id => Buffer.from(language.tokenText(id).bytes).toString() !== 'b')).toEqual([language.eos]);
      expect(allowed([a, second.find(id => id !== language.eos) as number])).toEqual([language.eos]);
      // What is no beginning of an answer goes on with nothing.
      expect(allowed([language.eos, a])).toEqual([]);
    }
  });

  it('a stop id that is text is the last of it', async () => {
    const language = languages.LLaMA as Language;
    const dot = language.encode('a.').at(-1) as number;
    expect(Buffer.from(language.tokenText(dot).bytes).toString()).toBe('.');
    const grammar = 'root ::= [ab]{2} "."';
    const answer = await answerOf(language, noise(language, 5), { grammar, eosTokenId: dot });
    expect([answer.finishReason, answer.tokens.at(-1)]).toEqual(['stop', dot]);
    expect(answer.text).toMatch(/^[ab]{2}\.$/);
  });
});

describe('beams under a grammar', () => {
  const LETTERS = [...'abcdefgh'];
  const eos = LETTERS.length;
  const letters: Language = {
    vocabulary: new Vocabulary(eos + 1, id => ({ bytes: Buffer.from(LETTERS[id] ?? ''), isByte: false })),
    tokenText: id => ({ bytes: Buffer.from(LETTERS[id] ?? ''), isByte: false }),
    size: eos + 1,
    eos,
    start: -1,
    cleanUp: false,
    decode: ids => ids.map(id => LETTERS[id]).join(''),
    encode: text => [...text].map(letter => LETTERS.indexOf(letter)),
  };
  // Ways that are the only one at first, and become many.
  const grammar = 'root ::= "a" ("b" | "c" [d-g]{1,2}) | "h" "b"{0,2}';
  const ANSWERS = ['ab', 'h', 'hb', 'hbb'];
  for (const first of 'defg') ANSWERS.push(`ac${first}`, ...[...'defg'].map(second => `ac${first}${second}`));

  /** Scores that hang on the whole text so far. */
  const logitsOf = (seed: number, text: string): Float32Array => {
    const random = randomNumbers([...text].reduce((hash, letter) => hash * 31 + letter.charCodeAt(0), seed));
    return Float32Array.from({ length: letters.size }, () => 3 * random());
  };
  const logprobOf = (scores: Float32Array, id: number): number =>
    (scores[id] as number) - Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  const scoreOf = (seed: number, answer: string): number =>
    [...letters.encode(answer), eos].reduce(
      (sum, id, length) => sum + logprobOf(logitsOf(seed, answer.slice(0, length)), id),
      0,
    );

  it('find the best of all answers, though beams are few for a while', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      let texts = [''];
      const source: LogitsSource = {
        prefill: async () => logitsOf(seed, ''),
        decode: async (tokens, parents) => {
          texts = Array.from(tokens, (token, i) => `${texts[parents[i] as number]}${LETTERS[token]}`);
          return joined(texts.map(text => logitsOf(seed, text)));
        },
      };
      const best = [...ANSWERS].sort((a, b) => scoreOf(seed, b) - scoreOf(seed, a))[0];
      const { text } = await answerOf(letters, source, { grammar, numBeams: 24, lengthPenalty: 0 });
      expect([seed, text]).toEqual([seed, best]);
    }
  });
});

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('refused before any work', () => {
  it.each<[GenerateOptions, RegExp]>([
    [{ grammar: 'root ::= "a"', choices: ['a'] }, /^grammar and choices exclude each other/],
    [{ jsonSchema: {}, choices: ['a'] }, /^jsonSchema and choices exclude each other/],
    [{ choices: ['a'], stopStrings: 'b' }, /^stopStrings would cut the answer/],
    [{ choices: ['a'], eosTokenId: [] }, /^choices needs an id that ends the answer/],
    [{ grammar: 'root ::= x' }, /^grammar, line 1, column 10: there is no rule 'x'/],
    [{ grammar: 'root ::= root "a" | "b"' }, /left-recursive/],
    [{ choices: ['a\ud800'] }, /no tokens for "\\ud800"/],
  ])('%j', (options, message) => {
    expect(() => settingsOf(languages.LLaMA as Language, options)).toThrow(failure('OPTION_INVALID', message));
  });

  it("what the vocabulary cannot write: T5's has no braces", () => {
    const t5 = languages.T5 as Language;
    expect(() => settingsOf(t5, { grammar: 'root ::= "{" [a-z]* "}"' })).toThrow(
      failure('OPTION_INVALID', /^no answer is possible: the vocabulary of this model has no tokens for "\{", "\}"/),
    );
    expect(() => settingsOf(t5, { choices: ['naive', 'naïve'] })).toThrow(
      failure('OPTION_INVALID', /^choices: 'naïve' is impossible: the vocabulary of this model has no tokens for "ï"/),
    );
    // Another alternative will do.
    expect(settingsOf(t5, { grammar: 'root ::= "{" | "x" [{y]' }).constraint).not.toBeNull();
  });

  it('and later, when other options forbid the rest', async () => {
    const language = languages.LLaMA as Language;
    for (const search of [{}, { numBeams: 2 }, { numBeams: 2, doSample: true, seed: 1 }]) {
      const answer = answerOf(language, noise(language, 1), { choices: ['red'], minNewTokens: 12, ...search });
      await expect(answer).rejects.toEqual(failure('OPTION_INVALID', /^no token is possible/));
    }
  });
});
