/**
 * The typed contract with the C++ addon (native/binding). Nothing else in `src/` knows how it is built or found.
 *
 * A thing crosses only as a flat typed array, a string or a scalar. Typed arrays are copied (all but pictures) on the JavaScript thread before work is queued, so
 * a caller may reuse them at once; results are fresh arrays that the caller owns. Work runs on the engine's own threads, never on libuv's pool.
 * Errors carry a stable `code` (src/errors.ts); a cancelled call rejects with code `ABORTED`, which never leaves `src/native`.
 */

/** Cancels the work that it was given to. One token serves one call or many. */
export interface NativeCancelToken {
  cancel(): void;
}

export interface NativeDevice {
  /** Name as the engine knows it: `CPU`, `CUDA0`, `Vulkan0`, `Metal`. */
  readonly name: string;
  readonly description: string;
  readonly type: 'cpu' | 'gpu' | 'igpu' | 'accel';
  /** Bytes. */
  readonly memoryFree: number;
  readonly memoryTotal: number;
}

export interface NativeEngineInfo {
  /** llama.cpp's version. */
  readonly version: string;
  /** Where the engine's shared libraries were really loaded from. */
  readonly directory: string;
  /** What the CPU variant that was picked makes use of, e.g. `AVX2 = 1, FMA = 1`. */
  readonly cpuFeatures: string;
  readonly devices: readonly NativeDevice[];
}

/** A GGUF metadata value. 64-bit integers are numbers (those above 2^53 are refused); arrays are homogeneous. */
export type NativeGgufValue = string | number | boolean | readonly string[] | readonly boolean[] | NativeGgufNumbers;
export type NativeGgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** GGUF value types, by their wire number. */
export const GGUF_VALUE_TYPES = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
] as const;
export type GgufValueType = (typeof GGUF_VALUE_TYPES)[number];

export interface NativeGgufEntry {
  readonly key: string;
  readonly type: GgufValueType;
  /** Element type when `type` is `array`. */
  readonly elementType?: GgufValueType;
  readonly value: NativeGgufValue;
}

export interface NativeGgufTensor {
  readonly name: string;
  /** ggml's type name: `f32`, `f16`, `bf16`, `q8_0`, `q4_K`, … */
  readonly type: string;
  /** PyTorch order (outermost first): ggml's `ne` reversed. */
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A GGUF file as the pre-flight reader saw it: checked bounds, names, types; no weights read. */
export interface NativeGgufFile {
  readonly version: number;
  readonly alignment: number;
  readonly fileSize: number;
  readonly metadata: readonly NativeGgufEntry[];
  readonly tensors: readonly NativeGgufTensor[];
}

export type KvCacheType = 'auto' | 'f32' | 'f16' | 'q8_0';

export interface NativeLoadOptions {
  readonly visionPath: string;
  /** null: no language model is loaded. */
  readonly languageModelPath: string | null;
  /** Which stages of the vision file are loaded (default: both); a call of one that is not throws OPTION_INVALID. */
  readonly visionEncoder?: boolean;
  readonly qformer?: boolean;
  /** 'auto', 'cpu', 'cuda', 'metal', 'vulkan' or a device name. */
  readonly device: string;
  /** Layers of the language model on the GPU; -1 = all. */
  readonly gpuLayers: number;
  /** Compute threads; 0 = physical cores available to this process. */
  readonly threads: number;
  /** Cells of the KV cache; 0 = what the model can use, as far as 320 MiB hold it. */
  readonly contextSize: number;
  /** Sequences that may live in the cache at once, 1..64. */
  readonly maxSequences: number;
  readonly kvCacheType: KvCacheType;
}

/** Rules of the Q-Former's WordPiece tokenizer. */
export interface NativeQFormerTokenizer {
  readonly clsTokenId: number;
  readonly sepTokenId: number;
  readonly padTokenId: number;
  readonly unkTokenId: number;
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
  readonly tokenizeChineseChars: boolean;
  /** Tokens that HF matches in text. */
  readonly specialTokenIds: readonly number[];
}

/** The vocabulary of a language model whose tokenizer runs in TypeScript (T5, OPT), as its file states it. */
export interface NativeVocabulary {
  /** `tokenizer.ggml.model`: SentencePiece Unigram or byte-level BPE. */
  readonly kind: 't5' | 'gpt2';
  /** By id; one for every row of the embedding. */
  readonly tokens: readonly string[];
  /** Log probabilities of Unigram pieces; empty for BPE. */
  readonly scores: Float32Array;
  /** 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
  readonly types: Int32Array;
  /** SentencePiece's precompiled normalization; empty = none. */
  readonly charsmap: Uint8Array;
  /** `a b`, best first; empty for Unigram. */
  readonly merges: readonly string[];
  readonly addSpacePrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  /** -1 = none. */
  readonly unkTokenId: number;
}

/** Facts of a loaded pair, flat; shapes and token ids as the files state them. */
export interface NativeModelInfo {
  readonly name: string;
  readonly device: string;
  /** HF's `model_type` of the language model: `llama`, `t5`, `opt`. */
  readonly languageModel: string;
  /** HF's class of it (`LLaMAForCausalLM` on the hub); '' = unknown. */
  readonly languageArchitecture: string;
  readonly imageSize: number;
  readonly imageMean: readonly number[];
  readonly imageStd: readonly number[];
  readonly rescaleFactor: number;
  readonly imageTokens: number;
  readonly visionHiddenSize: number;
  /** Rows of the vision encoder's output: patches + 1. */
  readonly visionTokens: number;
  readonly qformerHiddenSize: number;
  /** Longest instruction (with special tokens) that the Q-Former has positions for. */
  readonly qformerMaxTokens: number;
  readonly qformerVocabularySize: number;
  readonly qformerTokenizer: NativeQFormerTokenizer;
  readonly languageHiddenSize: number;
  readonly vocabularySize: number;
  /** Cells of the KV cache: tokens of all sessions together. */
  readonly contextSize: number;
  /** Tokens that a sequence can have: OPT has no positions for more, LLaMA was not trained for more (unless a contextSize was asked for); 0 = any number. */
  readonly maxPositions: number;
  /** BOS that InstructBLIP's prompt starts with (the hub's tokenizer says `</s>`), not the text model's own; -1 = none. */
  readonly promptBosTokenId: number;
  /** EOS that it ends with (T5); -1 = none. */
  readonly promptEosTokenId: number;
  /** What the decoder of an encoder-decoder starts with (T5: 0); -1 = decoder-only. */
  readonly decoderStartTokenId: number;
  /** Decoded text is cleaned up: ` .` becomes `.` (T5, OPT). */
  readonly cleanUpTokenizationSpaces: boolean;
  /** Ids of the checkpoint's generation config. */
  readonly bosTokenId: number;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number;
  /** UTF-8 bytes of the longest token's text, where the engine has the tokenizer; else 0. */
  readonly longestTokenBytes: number;
  /** The `</s>` of the vocabulary; -1 = none. */
  readonly vocabularyEosTokenId: number;
  /** -1 when the checkpoint has none. */
  readonly imageTokenId: number;
}

/** Facts of a pair of files of which nothing is loaded. */
export type NativePairInfo = Omit<NativeModelInfo, 'device' | 'contextSize' | 'maxPositions' | 'longestTokenBytes'>;

export interface NativePair {
  readonly info: NativePairInfo;
  /** The Q-Former's WordPiece vocabulary, by id. */
  readonly qformerVocabulary: readonly string[];
}

/** The tokenizer of a language model file, without its weights. */
export interface NativeLanguageVocabulary {
  /** The vocabulary; null where the engine has the tokenizer (LLaMA). */
  readonly languageVocabulary: NativeVocabulary | null;
  readonly vocabularySize: number;
  /** `tokenizer.ggml.padding_token_id`; -1 = none. */
  readonly padTokenId: number;
  /** As in `NativeModelInfo`. */
  readonly longestTokenBytes: number;
  /** LLaMA only, as `tokenBytes`. Ids without BOS. */
  tokenize(text: string, parseSpecial: boolean): Int32Array;
  /** UTF-8 bytes of one token as it appears in text (▁ → space); empty for control tokens unless `special`. */
  tokenBytes(token: number, special: boolean): Uint8Array;
}

export interface NativeTokenizeOptions {
  /** Put the prompt's BOS in front. */
  readonly addBos: boolean;
  /** Text in the shape of special tokens becomes those tokens (as HF's processor does). */
  readonly parseSpecial: boolean;
}

export interface NativeAddon {
  readonly CancelToken: new () => NativeCancelToken;
  /** Folder with the engine's libraries that the addon was linked with. */
  readonly linkedDirectory: string;
  /**
   * Verifies that the engine's symbols come from `directory`, loads its backends and the GPU modules found in `moduleDirectories`. Once per process:
   * later calls verify, and list devices anew. @throws ENGINE_CLASH, ENGINE_LOAD_FAILED
   */
  initialize(directory: string, moduleDirectories: readonly string[]): NativeEngineInfo;
  /** Ends all work of this JavaScript environment and the threads that do it; pending calls never settle. Nothing works after it. */
  shutDown(): void;
  /** Engine log lines for this JavaScript environment; null = none. Levels as ggml: 1 debug, 2 info, 3 warn, 4 error. */
  setLogListener(listener: ((level: number, text: string) => void) | null): void;
  /** @throws MODEL_FILE_* */
  readGguf(path: string): NativeGgufFile;
  /** Checks that a pair can run, without loading weights, and gives what its files say. @throws MODEL_* */
  readPair(visionPath: string, languageModelPath: string): NativePair;
  /** Reads the keys of the tokenizer and nothing else: the file may hold only them. @throws MODEL_* */
  openVocabulary(languageModelPath: string): NativeLanguageVocabulary;
  loadModel(
    options: NativeLoadOptions,
    cancel: NativeCancelToken,
    onProgress: ((stage: string, loaded: number, total: number) => void) | null,
  ): Promise<NativeModel>;
  /** Rows of `rowLength` floats → rows of ggml `type`. @throws OPTION_INVALID when the type cannot hold rows of this length */
  quantizeRows(type: string, values: Float32Array, rowLength: number, cancel: NativeCancelToken): Promise<Uint8Array>;
  /** Rows of ggml `type` → floats. */
  dequantizeRows(type: string, bytes: Uint8Array, rowLength: number, cancel: NativeCancelToken): Promise<Float32Array>;
  /** Bytes of one row of `rowLength` values in ggml `type`; 0 when the type is unknown or cannot hold such a row. */
  rowByteLength(type: string, rowLength: number): number;
  /**
   * RGB pixels [height,width,3] → [newHeight,newWidth,3], as Pillow 9.4 with BICUBIC, bit for bit. Alone of all, `data` is not copied: it must not
   * be in the hands of anybody who could transfer it before the work is done.
   */
  resizeImage(
    data: Uint8Array,
    width: number,
    height: number,
    newWidth: number,
    newHeight: number,
    cancel: NativeCancelToken,
  ): Promise<Uint8Array>;
}

/** Intermediates by name. Shapes are in PyTorch order, without leading ones. */
export type NativeTensors = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
>;

export interface NativeModel {
  readonly info: NativeModelInfo;
  /** The Q-Former's WordPiece vocabulary, by id. */
  readonly qformerVocabulary: readonly string[];
  /** The language model's vocabulary; null where the engine has its tokenizer (LLaMA). */
  readonly languageVocabulary: NativeVocabulary | null;
  /** LLaMA only, as `tokenBytes`. */
  tokenize(text: string, options: NativeTokenizeOptions): Int32Array;
  /** UTF-8 bytes of one token as it appears in text (▁ → space); empty for control tokens unless `special`. */
  tokenBytes(token: number, special: boolean): Uint8Array;
  /** pixels [B,3,S,S] → features [B,visionTokens,visionHiddenSize]. */
  encodeImage(pixels: Float32Array, cancel: NativeCancelToken): Promise<Float32Array>;
  /** features [visionTokens,visionHiddenSize], ids [T] → soft tokens [imageTokens,languageHiddenSize]. */
  queryImage(features: Float32Array, ids: Int32Array, cancel: NativeCancelToken): Promise<Float32Array>;
  /**
   * HF's forward of a stage, for one picture: runs it and returns the named intermediates. Names are those of the graphs, `stage.step-layer`
   * (native/core/graph.h); what is not asked for is not kept. pixels [3,height,width], of any size.
   */
  runVision(
    pixels: Float32Array,
    height: number,
    width: number,
    names: readonly string[],
    cancel: NativeCancelToken,
  ): Promise<NativeTensors>;
  /**
   * Likewise. features [M,visionHiddenSize]; ids [T] may be empty: queries only; masks of 0 and 1, `mask` [Q+T] and `featureMask` [M], may be empty: all 1;
   * queries [Q,qformerHiddenSize], null = the model's own, empty = text only.
   */
  runQFormer(
    features: Float32Array,
    ids: Int32Array,
    mask: Int32Array,
    featureMask: Int32Array,
    queries: Float32Array | null,
    names: readonly string[],
    cancel: NativeCancelToken,
  ): Promise<NativeTensors>;
  /**
   * Likewise, of one row of a batch whose every token is given; leaves the sessions' cache alone. softTokens [N,languageHiddenSize]; masks of 0 and 1 may be
   * empty: all 1; `answer`: what the decoder of an encoder-decoder reads, else empty. `language.logits` [R,vocabularySize] are of all rows.
   */
  runLanguage(
    softTokens: Float32Array,
    tokens: Int32Array,
    mask: Int32Array,
    answer: Int32Array,
    answerMask: Int32Array,
    names: readonly string[],
    cancel: NativeCancelToken,
  ): Promise<NativeTensors>;
  /** Takes `cells` cells of the KV cache and up to `sequences` sequence ids. @throws CONTEXT_LENGTH_EXCEEDED when more is asked than is free */
  createSession(cells: number, sequences: number): NativeSession;
  dispose(): Promise<void>;
}

export interface NativeSession {
  /**
   * Begins one more sequence, behind those that there are, with [soft tokens][tokens][answerStart] and returns its last row's logits [V].
   * softTokens [N,languageHiddenSize] may be empty. answerStart: what the answer begins with; an encoder-decoder reads the prompt with its encoder and
   * this with its decoder, and needs at least one token of it.
   */
  prefill(
    softTokens: Float32Array,
    tokens: Int32Array,
    answerStart: Int32Array,
    cancel: NativeCancelToken,
  ): Promise<Float32Array>;
  /**
   * One step. Row i becomes sequence i: it continues the sequence `parents[i]` of the last step with `tokens[i]`; `parents` left out = identity.
   * A parent may be used by several rows (fork) or by none (dropped). Parents without a token, behind those with one, wait: they become sequences as
   * they were. Returns logits [tokens,V].
   */
  decode(tokens: Int32Array, parents: Int32Array | null, cancel: NativeCancelToken): Promise<Float32Array>;
  /** Gives cells and sequences back; waits for nothing (work in flight keeps what it needs). */
  dispose(): void;
}
