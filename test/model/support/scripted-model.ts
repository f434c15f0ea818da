import type { ModelParts } from '../../../src/model/model-parts.js';
import type { NativeCancelToken, NativeModel, NativeModelInfo, NativeSession } from '../../../src/native/addon.js';

/** A language of one token per ASCII character; 1 and 2 are stop ids. */
export const idsOf = (text: string): number[] => [...text].map(character => character.charCodeAt(0));

const VOCABULARY = 128;
const abortedError = () => Object.assign(new Error('aborted'), { code: 'ABORTED' });

class CancelToken implements NativeCancelToken {
  cancelled = false;
  cancel(): void {
    this.cancelled = true;
  }
}

const INFO: NativeModelInfo = {
  name: 'scripted',
  device: 'CPU',
  languageModel: 'llama',
  languageArchitecture: '',
  imageSize: 2,
  imageMean: [0, 0, 0],
  imageStd: [1, 1, 1],
  rescaleFactor: 1 / 255,
  imageTokens: 2,
  visionHiddenSize: 1,
  visionTokens: 1,
  qformerHiddenSize: 1,
  qformerMaxTokens: 8,
  qformerVocabularySize: 200,
  qformerTokenizer: {
    clsTokenId: 101,
    sepTokenId: 102,
    padTokenId: 0,
    unkTokenId: 100,
    lowercase: true,
    stripAccents: true,
    tokenizeChineseChars: true,
    specialTokenIds: [],
  },
  languageHiddenSize: 1,
  vocabularySize: VOCABULARY,
  contextSize: 100,
  maxPositions: 0,
  promptBosTokenId: 2,
  promptEosTokenId: -1,
  decoderStartTokenId: -1,
  cleanUpTokenizationSpaces: false,
  bosTokenId: 0,
  eosTokenIds: [1],
  padTokenId: -1,
  longestTokenBytes: 1,
  vocabularyEosTokenId: 2,
  imageTokenId: -1,
};

export interface Script {
  /** Answer to a question about an image (its first pixel). */
  readonly answer?: (question: string, pixel: number) => string;
  readonly info?: Partial<NativeModelInfo>;
  /** Which vision encoder it is. */
  readonly vision?: number;
  /** Milliseconds of every piece of native work. */
  readonly delay?: number;
  /** Called at the start of each piece of work, with its name; may throw. */
  readonly onWork?: (name: string) => void;
}

/**
 * The native contract over scripted logits, with everything that a test wants to see: what ran, what is open, how much is taken. The answer hangs on
 * picture and question, so calls that mixed would show.
 */
export class ScriptedModel {
  readonly work: string[] = [];
  openSessions = 0;
  mostSessions = 0;
  takenCells = 0;
  mostCells = 0;
  disposed = false;
  readonly info: NativeModelInfo;
  readonly #script: Script;

  constructor(script: Script = {}) {
    this.#script = script;
    this.info = { ...INFO, ...script.info };
  }

  parts(): ModelParts {
    const model: NativeModel = {
      info: this.info,
      qformerVocabulary: [],
      languageVocabulary: null,
      tokenize: text => Int32Array.from(idsOf(text)),
      tokenBytes: (token, special) => (token < 3 && !special ? new Uint8Array(0) : Uint8Array.of(token)),
      encodeImage: (pixels, cancel) => this.#step('vision', cancel, () => pixels.slice(0, 1)),
      queryImage: (features, ids, cancel) =>
        this.#step(`qformer:${[...ids].join()}`, cancel, () => Float32Array.of(features[0] as number, 0)),
      createSession: (cells, sequences) => this.#session(cells, sequences),
      runVision: () => Promise.reject(new Error('not scripted')),
      runQFormer: () => Promise.reject(new Error('not scripted')),
      runLanguage: () => Promise.reject(new Error('not scripted')),
      dispose: async () => {
        if (this.openSessions > 0) throw new Error('disposed with open sessions');
        this.disposed = true;
      },
    };
    return {
      addon: { CancelToken },
      model,
      prepareImage: async (image, signal) => {
        await this.#wait();
        signal.throwIfAborted();
        this.#start('preprocess');
        return Float32Array.of(image as unknown as number);
      },
      qformerIds: text => Int32Array.from([101, ...idsOf(text), 102]),
      tokenizer: {
        encode: text => Int32Array.from([2, ...idsOf(text)]),
        tokenText: id => ({ bytes: model.tokenBytes(id, false), isByte: false }),
        leastTokens: text => text.length,
      },
      visionIdentity: async () => ({ name: 'scripted', digest: new Uint8Array(32).fill(this.#script.vision ?? 1) }),
    };
  }

  #start(name: string): void {
    this.work.push(name);
    this.#script.onWork?.(name);
  }

  #wait(): Promise<void> {
    return new Promise(resolve => setTimeout(resolve, this.#script.delay ?? 0));
  }

  async #step(name: string, cancel: NativeCancelToken, result: () => Float32Array): Promise<Float32Array> {
    this.#start(name);
    await this.#wait();
    if ((cancel as CancelToken).cancelled) throw abortedError();
    return result();
  }

  #session(cells: number, sequences: number): NativeSession {
    this.openSessions++;
    this.takenCells += cells;
    this.mostSessions = Math.max(this.mostSessions, this.openSessions);
    this.mostCells = Math.max(this.mostCells, this.takenCells);
    if (this.takenCells > this.info.contextSize || sequences < 1) throw new Error('more than there is');
    let answer: number[] = [];
    let open = true;
    /** The cells of each row; rows that were forked share some. */
    let rows: number[][] = [];
    let cell = 0;
    // All rows (beams) get the same logits.
    const next = (outputs: number) => {
      if (new Set(rows.flat()).size > cells || rows.length > sequences)
        throw new Error(`session of ${cells} cells and ${sequences} rows overrun`);
      const logits = new Float32Array(outputs * VOCABULARY);
      const id = answer.shift() ?? 1;
      for (let row = 0; row < outputs; row++) logits[row * VOCABULARY + id] = 9;
      return logits;
    };
    return {
      prefill: (softTokens, tokens, _answerStart, cancel) => {
        const question = String.fromCharCode(...tokens.subarray(1));
        const reply = this.#script.answer ?? ((text, pixel) => `${text}:${pixel}`);
        answer = idsOf(reply(question, softTokens[0] as number));
        rows.push(Array.from({ length: softTokens.length + tokens.length }, () => cell++));
        return this.#step('prefill', cancel, () => next(1));
      },
      decode: (tokens, parents, cancel) => {
        rows = [...(parents ?? tokens.keys())].map((parent, i) =>
          i < tokens.length ? [...(rows[parent] as number[]), cell++] : (rows[parent] as number[]),
        );
        return this.#step('decode', cancel, () => next(tokens.length));
      },
      dispose: () => {
        if (!open) throw new Error('session freed twice');
        open = false;
        this.openSessions--;
        this.takenCells -= cells;
      },
    };
  }
}
