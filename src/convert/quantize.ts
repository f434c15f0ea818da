import { open, realpath } from 'node:fs/promises';
import { createError } from '../errors.js';
import type { GgufEntry } from '../gguf/gguf-header.js';
import { u32 } from '../gguf/gguf-header.js';
import {
  fileTypeId,
  isFloatType,
  isTensorType,
  LANGUAGE_MODEL_TYPES,
  type LanguageModelType,
  parseFileType,
  type TensorType,
  VISION_TYPES,
} from '../gguf/tensor-types.js';
import type { NativeGgufFile, NativeGgufTensor } from '../native/addon.js';
import { loadAddon } from '../native/load-addon.js';
import { nativeCall } from '../native/native-call.js';
import { type ConversionOptions, checkConversionOptions, checkPath } from './conversion-options.js';
import { QUANTIZATION_VERSION } from './language-model-metadata.js';
import { OutputFiles } from './output-files.js';
import { fileRows } from './row-source.js';
import type { PlannedTensor } from './tensor-plan.js';
import { isTextType } from './text-models.js';
import { convolutionType, languageTensorTypes, mixtureModel, visionMatrixType } from './type-policy.js';
import { planGguf, writeGguf } from './write-gguf.js';

export interface QuantizeOptions extends ConversionOptions {
  /** Type to write: F32, F16, BF16, Q8_0, Q4_0; for language models also Q6_K, Q5_K_M, Q4_K_M. */
  readonly type: LanguageModelType;
}

type TypeChooser = (tensor: NativeGgufTensor) => TensorType;

/** Tensors of the vision file that are always F32, though they are matrices by shape. */
const EXACT_VISION = /^v\.(class_embd|proj_query|position_embd\.weight|proj_embd\.position\.weight)$/;

function visionChooser(type: string): TypeChooser {
  const fileType = parseFileType(type, VISION_TYPES, 'type (of a vision file)');
  return ({ name, shape }) => {
    if (name === 'v.patch_embd.weight') return convolutionType(fileType);
    if (shape.length < 2 || EXACT_VISION.test(name)) return 'f32';
    return visionMatrixType(fileType, shape);
  };
}

function languageChooser(type: LanguageModelType, architecture: string, file: NativeGgufFile): TypeChooser {
  const types = languageTensorTypes(type, file.tensors, mixtureModel(architecture, file.metadata));
  return ({ name }) => types.get(name)!;
}

/** How this kind of file chooses types. @throws MODEL_FILE_UNSUPPORTED for one that is neither of ours */
function chooserFor(
  path: string,
  type: LanguageModelType,
  file: NativeGgufFile,
): { choose: TypeChooser; stage: 'vision' | 'language-model' } {
  const metadata = (key: string) => file.metadata.find(entry => entry.key === key)?.value;
  const architecture = metadata('general.architecture');
  if (Number(metadata('split.count') ?? 1) > 1)
    throw createError(
      'MODEL_FILE_UNSUPPORTED',
      `${path} is one part of a split file: join the parts with llama.cpp's llama-gguf-split --merge`,
    );
  if (architecture === 'clip' && metadata('clip.projector_type') === 'instructblip')
    return { choose: visionChooser(type), stage: 'vision' };
  if (typeof architecture === 'string' && isTextType(architecture))
    return { choose: languageChooser(type, architecture, file), stage: 'language-model' };
  throw createError(
    'MODEL_FILE_UNSUPPORTED',
    `${path} has the architecture '${String(architecture)}'; only InstructBLIP's mmproj files and llama, t5 and opt models can be quantized`,
  );
}

function planTensor(
  path: string,
  tensor: NativeGgufTensor,
  type: TensorType,
  file: Awaited<ReturnType<typeof open>>,
): PlannedTensor {
  const { name, shape, type: from, offset } = tensor;
  if (from !== type && !isFloatType(from)) {
    throw createError(
      'MODEL_FILE_UNSUPPORTED',
      `${path} is already quantized (${name} is ${from}): quantizing twice loses quality. Start from an F32, F16 or BF16 file`,
    );
  }
  if (!isTensorType(from)) throw createError('MODEL_FILE_UNSUPPORTED', `${path}: tensor ${name} has the type ${from}`);
  const rowLength = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((product, length) => product * length, 1);
  return { name, shape, type, rows: fileRows({ file, path, offset }, from, rows, rowLength) };
}

/** The same metadata, with the new type in the place of the old. `general.alignment` goes: the default is written. */
function updatedEntries(metadata: readonly GgufEntry[], type: LanguageModelType): GgufEntry[] {
  const replaced = ['general.file_type', 'general.quantization_version', 'general.alignment'];
  const kept = metadata.filter(({ key }) => !replaced.includes(key));
  return [
    ...kept,
    u32('general.file_type', fileTypeId(type)),
    u32('general.quantization_version', QUANTIZATION_VERSION),
  ];
}

async function checkDifferent(input: string, output: string): Promise<void> {
  const same = await Promise.all([realpath(input), realpath(output)]).then(
    ([a, b]) => a === b,
    () => false,
  );
  if (same) throw createError('OPTION_INVALID', `input and output are the same file, ${input}`);
}

/**
 * Writes a GGUF file of this package (language model or mmproj) again in another type, with llama.cpp's mixtures for language models. Metadata stay.
 * Streams: memory stays below 1 GB whatever the size. The file appears complete or not at all.
 * @param input an F32, F16 or BF16 file
 * @throws `MODEL_FILE_*`, `MODEL_NOT_FOUND`, `OUTPUT_EXISTS`, `OUTPUT_WRITE_FAILED`, `OPTION_INVALID`, `OPTION_UNKNOWN`
 * @example await quantize('vicuna-F16.gguf', 'vicuna-Q8_0.gguf', { type: 'Q8_0' });
 */
export async function quantize(input: string, output: string, options: QuantizeOptions): Promise<void> {
  checkPath(input, 'the input');
  checkPath(output, 'the output');
  checkConversionOptions(options, ['type']);
  const type = parseFileType(options.type, LANGUAGE_MODEL_TYPES, 'type');
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const { addon } = loadAddon();
  const source = nativeCall(() => addon.readGguf(input));
  const { choose, stage } = chooserFor(input, type, source);
  await checkDifferent(input, output);
  const file = await open(input, 'r');
  const outputs = new OutputFiles(options.force ?? false);
  try {
    const tensors = source.tensors.map(tensor => planTensor(input, tensor, choose(tensor), file));
    const plan = planGguf(output, updatedEntries(source.metadata, type), tensors);
    const target = await outputs.create(output, plan.fileSize);
    let loaded = 0;
    await writeGguf(plan, target, { addon, signal, invalidCode: 'MODEL_FILE_TENSOR_INVALID' }, count => {
      loaded += count;
      onProgress?.({ stage, loaded, total: plan.fileSize });
    });
    await outputs.commit(signal);
  } finally {
    await outputs.discard();
    await file.close();
  }
}
