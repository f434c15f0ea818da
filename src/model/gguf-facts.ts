/** What the keys of model files say, as Hugging Face's configurations. Fields that no key says have HF's defaults. */
import { InstructBlipQFormerConfig } from '../config/qformer-config.js';
import { InstructBlipVisionConfig } from '../config/vision-config.js';
import type { NativeAddon, NativeGgufValue } from '../native/addon.js';
import { nativeCall } from '../native/native-call.js';

/** Metadata of a GGUF file, by key. */
export type GgufFacts = ReadonlyMap<string, NativeGgufValue>;

/** @throws MODEL_FILE_* */
export const readFacts = (addon: Pick<NativeAddon, 'readGguf'>, path: string): GgufFacts =>
  new Map(nativeCall(() => addon.readGguf(path)).metadata.map(({ key, value }) => [key, value]));

const numberOf = (facts: GgufFacts, key: string): number => facts.get(key) as number;
const textOf = (facts: GgufFacts, key: string): string => facts.get(key) as string;

/** The shortest number that is the same in float32: the file holds 1e-6 as 9.999999974752427e-7. */
function decimalOf(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

/** @param facts of the `mmproj-*.gguf`, which the engine has checked */
export const visionConfigOf = (facts: GgufFacts): InstructBlipVisionConfig =>
  new InstructBlipVisionConfig({
    hiddenSize: numberOf(facts, 'clip.vision.embedding_length'),
    intermediateSize: numberOf(facts, 'clip.vision.feed_forward_length'),
    numHiddenLayers: numberOf(facts, 'clip.vision.block_count'),
    numAttentionHeads: numberOf(facts, 'clip.vision.attention.head_count'),
    imageSize: numberOf(facts, 'clip.vision.image_size'),
    patchSize: numberOf(facts, 'clip.vision.patch_size'),
    hiddenAct: textOf(facts, 'instructblip.vision.hidden_act'),
    layerNormEps: decimalOf(numberOf(facts, 'clip.vision.attention.layer_norm_epsilon')),
  });

/** As `visionConfigOf`. */
export const qformerConfigOf = (facts: GgufFacts): InstructBlipQFormerConfig =>
  new InstructBlipQFormerConfig({
    vocabSize: numberOf(facts, 'instructblip.qformer.vocab_size'),
    hiddenSize: numberOf(facts, 'instructblip.qformer.embedding_length'),
    numHiddenLayers: numberOf(facts, 'instructblip.qformer.block_count'),
    numAttentionHeads: numberOf(facts, 'instructblip.qformer.attention.head_count'),
    intermediateSize: numberOf(facts, 'instructblip.qformer.feed_forward_length'),
    hiddenAct: textOf(facts, 'instructblip.qformer.hidden_act'),
    maxPositionEmbeddings: numberOf(facts, 'instructblip.qformer.context_length'),
    layerNormEps: decimalOf(numberOf(facts, 'instructblip.qformer.attention.layer_norm_epsilon')),
    padTokenId: numberOf(facts, 'instructblip.qformer.tokenizer.pad_token_id'),
    crossAttentionFrequency: numberOf(facts, 'instructblip.qformer.cross_attention_frequency'),
    encoderHiddenSize: numberOf(facts, 'clip.vision.embedding_length'),
  });
