/** InstructBLIP for Node.js and Electron: public exports and nothing else. */

export type { RopeScaling } from './config/fields.js';
export {
  InstructBlipConfig,
  type InstructBlipConfigInit,
  type TextConfig,
  type TextConfigInit,
} from './config/instruct-blip-config.js';
export { LlamaConfig, type LlamaConfigInit } from './config/llama-config.js';
export { OPTConfig, type OPTConfigInit } from './config/opt-config.js';
export type { PretrainedConfig } from './config/pretrained-config.js';
export type { JsonObject, JsonValue } from './config/python-json.js';
export { InstructBlipQFormerConfig, type InstructBlipQFormerConfigInit } from './config/qformer-config.js';
export { T5Config, type T5ConfigInit } from './config/t5-config.js';
export { InstructBlipVisionConfig, type InstructBlipVisionConfigInit } from './config/vision-config.js';
export type { ConversionOptions, ConversionProgress } from './convert/conversion-options.js';
export { type ConvertOptions, type ConvertResult, convert } from './convert/convert.js';
export { type QuantizeOptions, quantize } from './convert/quantize.js';
export type { Side } from './convert/row-settings.js';
export {
  ConfigError,
  ContextLengthError,
  DeviceError,
  DisposedError,
  type ErrorCode,
  ImageError,
  InstructBlipError,
  ModelFileError,
  OptionError,
  OutOfMemoryError,
} from './errors.js';
export type { FinishReason, GeneratedToken } from './generation/answer-writer.js';
export type { Compat } from './generation/compat.js';
export type { GenerateOptions, UserLogitsProcessor } from './generation/generate-options.js';
export { LANGUAGE_MODEL_TYPES, type LanguageModelType, VISION_TYPES, type VisionType } from './gguf/tensor-types.js';
export type { Answer, Timings, Usage } from './model/answer.js';
export type { Picture, Pictures } from './model/ask.js';
export type { AskOptions } from './model/ask-options.js';
export { InstructBlipForConditionalGeneration } from './model/conditional-generation.js';
export { demoModelFolder } from './model/demo-model.js';
export type { ForwardOutputs } from './model/forward.js';
export type { ForwardInputs } from './model/forward-inputs.js';
export type { GenerateArguments, GenerateOutput } from './model/generate-batch.js';
export type { GenerateInputs } from './model/generate-inputs.js';
export type { GenerationConfig } from './model/gguf-facts.js';
export type { ImageFeatures } from './model/image-features.js';
export {
  type InspectedFile,
  type InspectedTensor,
  type InspectedValue,
  type Inspection,
  inspectModel,
} from './model/inspect.js';
export { InstructBlip, type ModelInfo } from './model/instruct-blip.js';
export type { LanguageModelOutputs } from './model/language-forward.js';
export type { EngineLogLine, LoadOptions, LoadProgress, StageLoadOptions } from './model/load-options.js';
export type { ModelSource, VisionSource } from './model/model-files.js';
export type { PredictAnswersOptions, PredictedAnswers } from './model/predict-answers.js';
export type { CandidateUsage, ClassPrediction, PredictClassOptions } from './model/predict-class.js';
export { InstructBlipQFormerModel, type QFormerForwardInputs, type QFormerOutputs } from './model/qformer-model.js';
export type { OutputOptions } from './model/stage-options.js';
export { InstructBlipVisionModel, type VisionForwardInputs, type VisionOutputs } from './model/vision-model.js';
export type { KvCacheType } from './native/addon.js';
export type { EncodedRows } from './processor/batch-encoding.js';
export type { BlipImageProcessor, ImageDefaults } from './processor/blip-image-processor.js';
export type { ImageInput, RawImage } from './processor/image-input.js';
export { type ImageInputs, InstructBlipProcessor, type TextInputs } from './processor/instruct-blip-processor.js';
export type { ImageOptions, Padding, ProcessOptions, TextOptions, Truncation } from './processor/processor-options.js';
export type { DecodeOptions, ProcessorTokenizer, TokenIdBatch, TokenIds } from './processor/processor-tokenizer.js';
export { PROMPTS } from './prompts.js';
export { type NestedNumbers, Tensor, type TensorData } from './tensor.js';
