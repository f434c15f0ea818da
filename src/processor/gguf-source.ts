import { normalizedOfFile } from '../convert/normalized-tokens.js';
import { type RowSettings, rowsOfFile } from '../convert/row-settings.js';
import type { TextType } from '../convert/text-config.js';
import { findModelFiles, type ModelSource } from '../model/model-files.js';
import type { NativePair, NativePairInfo } from '../native/addon.js';
import { loadAddon } from '../native/load-addon.js';
import { nativeCall } from '../native/native-call.js';
import { openGraphCodec, openLlamaCodec } from './engine-vocabulary.js';
import { type ProcessorSource, presentIds, type TokenizerSource } from './processor-source.js';
import { saveGgufTokenizers } from './save-gguf-tokenizers.js';
import { wordPieceCodec } from './text-codec.js';

/** What the hub's tokenizers say, for files that keep nothing of it: all cut at the left, LLaMA's pads at the left. */
function hubRows({ languageModel, cleanUpTokenizationSpaces, qformerMaxTokens }: NativePairInfo): {
  language: RowSettings;
  qformer: RowSettings;
} {
  const paddingSide = languageModel === 'llama' ? 'left' : 'right';
  const modelMaxLength = MODEL_MAX_LENGTHS[languageModel] ?? Number.POSITIVE_INFINITY;
  const truncationSide = 'left';
  return {
    language: { paddingSide, truncationSide, modelMaxLength, cleanUpTokenizationSpaces },
    qformer: {
      paddingSide: 'right',
      truncationSide,
      modelMaxLength: qformerMaxTokens,
      cleanUpTokenizationSpaces: true,
    },
  };
}
const MODEL_MAX_LENGTHS: Readonly<Record<string, number>> = { llama: 2048, t5: 512 };

function qformerTokenizer({ info, qformerVocabulary }: NativePair, rows: RowSettings): TokenizerSource {
  const facts = info.qformerTokenizer;
  return {
    codec: wordPieceCodec(qformerVocabulary, facts),
    ...rows,
    padTokenId: facts.padTokenId,
    front: [facts.clsTokenId],
    behind: [facts.sepTokenId],
  };
}

/**
 * A processor out of the two files of a model; no weights are loaded.
 * @throws MODEL_*, OPTION_INVALID, ENGINE_*
 */
export async function openGgufSource(model: ModelSource): Promise<ProcessorSource> {
  const { visionPath, languageModelPath } = await findModelFiles(model);
  const { addon } = loadAddon();
  const pair = nativeCall(() => addon.readPair(visionPath, languageModelPath));
  const languageFile = nativeCall(() => addon.readGguf(languageModelPath));
  const visionFile = nativeCall(() => addon.readGguf(visionPath));
  const { info } = pair;
  const rows = rowsOfFile(visionPath, visionFile, hubRows(info));
  const normalizedIds = normalizedOfFile(visionPath, visionFile);
  const entries = languageFile.metadata.filter(({ key }) => key.startsWith('tokenizer.ggml.'));
  const { codec, vocabulary, padTokenId } =
    info.languageModel === 'llama'
      ? await openLlamaCodec(entries, normalizedIds)
      : await openGraphCodec(info.languageModel as TextType, entries);
  const tokenizer: TokenizerSource = {
    codec,
    ...rows.language,
    padTokenId: padTokenId >= 0 ? padTokenId : info.padTokenId,
    front: presentIds(info.promptBosTokenId),
    behind: presentIds(info.promptEosTokenId),
  };
  const ofQFormer = qformerTokenizer(pair, rows.qformer);
  const saved = { pair, vocabulary, normalizedIds, tokenizer, qformerTokenizer: ofQFormer };
  return {
    image: {
      doResize: true,
      size: { height: info.imageSize, width: info.imageSize },
      doRescale: true,
      rescaleFactor: info.rescaleFactor,
      doNormalize: true,
      imageMean: info.imageMean,
      imageStd: info.imageStd,
      doConvertRgb: true,
    },
    tokenizer,
    qformerTokenizer: ofQFormer,
    saveTokenizers: folder => saveGgufTokenizers(saved, folder),
  };
}
