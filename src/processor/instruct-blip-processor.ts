import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createError, invalidOption } from '../errors.js';
import { shown } from '../generation/validate-options.js';
import type { ModelSource } from '../model/model-files.js';
import type { Tensor } from '../tensor.js';
import { BlipImageProcessor } from './blip-image-processor.js';
import { openCheckpointSource } from './checkpoint-source.js';
import { openGgufSource } from './gguf-source.js';
import type { ImageInput } from './image-input.js';
import {
  CALL_RULES,
  checkImages,
  checkOptions,
  checkTexts,
  IMAGE_RULES,
  type ImageOptions,
  type ProcessOptions,
  TEXT_RULES,
} from './processor-options.js';
import type { ProcessorSource, TokenizerSource } from './processor-source.js';
import { type DecodeOptions, ProcessorTokenizer, type TokenIdBatch, type TokenIds } from './processor-tokenizer.js';
import { writing } from './save-tokenizers.js';

/** What pictures become. */
export interface ImageInputs {
  /** [B,3,S,S] */
  readonly pixelValues: Tensor<Float32Array>;
}

/** What questions become: ids for the language model and for the Q-Former. Masks: 1 = token, 0 = padding. */
export interface TextInputs {
  /** [B,T] */
  readonly inputIds: Tensor<Int32Array>;
  /** [B,T] */
  readonly attentionMask: Tensor<Int32Array>;
  /** [B,U] */
  readonly qformerInputIds: Tensor<Int32Array>;
  /** [B,U] */
  readonly qformerAttentionMask: Tensor<Int32Array>;
}

type Images = { readonly images: ImageInput | readonly ImageInput[] };
type Text = { readonly text: string | readonly string[] };

function makeTokenizer(
  name: string,
  { codec, cleanUpTokenizationSpaces, ...rules }: TokenizerSource,
): ProcessorTokenizer {
  return new ProcessorTokenizer(codec, { name, ...rules }, cleanUpTokenizationSpaces);
}

/**
 * Pictures and questions → what the model reads, and ids → text: HF's `InstructBlipProcessor`, of which it has the names in camelCase and, checked against
 * transformers 4.34, the numbers. Keeps nothing between calls; any number may run at once. Needs no `dispose`.
 */
export class InstructBlipProcessor {
  readonly imageProcessor: BlipImageProcessor;
  /** The language model's. */
  readonly tokenizer: ProcessorTokenizer;
  readonly qformerTokenizer: ProcessorTokenizer;
  readonly #source: ProcessorSource;

  private constructor(source: ProcessorSource) {
    this.#source = source;
    this.imageProcessor = new BlipImageProcessor(source.image);
    this.tokenizer = makeTokenizer("language model's tokenizer", source.tokenizer);
    this.qformerTokenizer = makeTokenizer("Q-Former's tokenizer", source.qformerTokenizer);
  }

  /**
   * Opens a processor without loading weights.
   * @param source a folder with the two GGUF files of a model, or these two files; or a folder in Hugging Face's layout (`preprocessor_config.json`,
   *   tokenizer files, `qformer_tokenizer/`; `config.json` where there is one)
   * @throws MODEL_*, CHECKPOINT_*, OPTION_INVALID, ENGINE_*
   */
  static async fromPretrained(source: ModelSource): Promise<InstructBlipProcessor> {
    const isCheckpoint = typeof source === 'string' && (await isCheckpointFolder(source));
    return new InstructBlipProcessor(await (isCheckpoint ? openCheckpointSource(source) : openGgufSource(source)));
  }

  /**
   * HF: `processor(images=…, text=…, return_tensors="pt")`. One picture or question is a batch of one; where there are both, there must be as many.
   * Image options may be given here, too (HF: only to `image_processor`).
   * @throws OPTION_INVALID with neither images nor text (HF: ValueError), for texts of different lengths without padding, and for wrong options;
   *   OPTION_UNKNOWN, OPTION_UNSUPPORTED, IMAGE_*, or the signal's reason
   */
  process(options: ProcessOptions & Images & Text): Promise<ImageInputs & TextInputs>;
  process(options: ProcessOptions & Images & { readonly text?: undefined }): Promise<ImageInputs>;
  process(options: ProcessOptions & Text & { readonly images?: undefined }): Promise<TextInputs>;
  process(options: ProcessOptions): Promise<Partial<ImageInputs & TextInputs>>;
  async process(options: ProcessOptions): Promise<Partial<ImageInputs & TextInputs>> {
    const { imageOptions, images, encode } = this.#check(options);
    options.signal?.throwIfAborted();
    const text = encode?.() ?? {};
    if (!images) return text;
    return { ...text, pixelValues: await this.imageProcessor.prepare(images, imageOptions, options.signal) };
  }

  /** All that can be wrong without looking at pictures. */
  #check(options: ProcessOptions): CheckedOptions {
    const rules = { ...TEXT_RULES, ...IMAGE_RULES, ...CALL_RULES };
    const valid = checkOptions<ProcessOptions>(options, rules, ['images', 'text']);
    const images = options.images === undefined ? undefined : checkImages(options.images);
    const texts = options.text === undefined ? undefined : checkTexts(options.text);
    const imageOptions = picked(valid, Object.keys(IMAGE_RULES)) as ImageOptions;
    const [imageOption] = Object.keys(imageOptions);
    if (!images && !texts) throw invalidOption('images and text are both missing: give at least one of them');
    if (!images && imageOption !== undefined)
      throw invalidOption(`${imageOption} is given without images: leave it out`);
    if (images && texts && images.length !== texts.length)
      throw invalidOption(
        `images has ${images.length} and text ${texts.length} elements: give as many questions as pictures`,
      );
    return { imageOptions, images, encode: texts && this.#textWork(texts, valid) };
  }

  /** Checks the options against both tokenizers; the work comes with the call of what it returns. */
  #textWork(texts: readonly string[], options: ProcessOptions): () => TextInputs {
    const language = this.tokenizer.planBatch(options);
    const qformer = this.qformerTokenizer.planBatch(options);
    return () => {
      const ofQFormer = qformer(texts);
      return { ...language(texts), qformerInputIds: ofQFormer.inputIds, qformerAttentionMask: ofQFormer.attentionMask };
    };
  }

  /** Text of one answer: `tokenizer.decode`. @throws OPTION_INVALID, OPTION_UNKNOWN */
  decode(ids: TokenIds, options: DecodeOptions = {}): string {
    return this.tokenizer.decode(ids, options);
  }

  /** Text of each row: `tokenizer.batchDecode`. @throws OPTION_INVALID, OPTION_UNKNOWN */
  batchDecode(sequences: TokenIdBatch, options: DecodeOptions = {}): string[] {
    return this.tokenizer.batchDecode(sequences, options);
  }

  /**
   * Writes `preprocessor_config.json`, the tokenizer's files and `qformer_tokenizer/`, from which transformers loads an equal processor. Replaces files
   * that are there, as HF.
   * @throws OPTION_INVALID, OUTPUT_WRITE_FAILED, CHECKPOINT_NOT_FOUND when the folder it was opened from is gone; OPTION_UNSUPPORTED for a vocabulary of a
   *   GGUF file that transformers' files cannot say
   */
  async savePretrained(folder: string): Promise<void> {
    if (typeof folder !== 'string' || folder === '')
      throw invalidOption(`folder must be a path, but is ${shown(folder)}`);
    await writing(folder, () => mkdir(folder, { recursive: true }));
    await this.#source.saveTokenizers(folder);
    const path = join(folder, 'preprocessor_config.json');
    await writing(path, () => writeFile(path, `${JSON.stringify(this.#imageProcessorJson(), null, 2)}\n`));
  }

  #imageProcessorJson(): Readonly<Record<string, unknown>> {
    const { image } = this.#source;
    return {
      do_convert_rgb: image.doConvertRgb,
      do_normalize: image.doNormalize,
      do_rescale: image.doRescale,
      do_resize: image.doResize,
      image_mean: image.imageMean,
      image_processor_type: 'BlipImageProcessor',
      image_std: image.imageStd,
      processor_class: 'InstructBlipProcessor',
      resample: 3,
      rescale_factor: image.rescaleFactor,
      size: image.size,
    };
  }
}

interface CheckedOptions {
  readonly imageOptions: ImageOptions;
  readonly images: readonly ImageInput[] | undefined;
  readonly encode: (() => TextInputs) | undefined;
}

const picked = (object: object, names: readonly string[]): object =>
  Object.fromEntries(Object.entries(object).filter(([name]) => names.includes(name)));

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isFile(),
    () => false,
  );

/** A folder in Hugging Face's layout, not one of GGUF files. */
async function isCheckpointFolder(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  if (names.some(name => /^mmproj-.*\.gguf$/i.test(name))) return false;
  if (await isFile(join(folder, 'preprocessor_config.json'))) return true;
  if (names.length === 0 || names.some(name => /\.gguf$/i.test(name))) return false;
  throw createError(
    'MODEL_NOT_FOUND',
    `${folder} has neither .gguf files nor a preprocessor_config.json: give the folder of a model or of a checkpoint`,
  );
}
