import { OptionError } from '../errors.js';
import { findModelFiles, type ModelSource } from '../model/model-files.js';
import type { NativePair } from '../native/addon.js';
import { loadAddon } from '../native/load-addon.js';
import { nativeCall } from '../native/native-call.js';
import { type ProcessorSource, presentIds, type TokenizerSource } from './processor-source.js';
import { languageCodec, wordPieceCodec } from './text-codec.js';

/** What the hub's tokenizers say and GGUF files do not: all cut at the left, LLaMA's pads at the left. */
const MODEL_MAX_LENGTHS: Readonly<Record<string, number>> = { llama: 2048, t5: 512 };

function qformerTokenizer({ info, qformerVocabulary }: NativePair): TokenizerSource {
  const facts = info.qformerTokenizer;
  return {
    codec: wordPieceCodec(qformerVocabulary, facts),
    paddingSide: 'right',
    truncationSide: 'left',
    modelMaxLength: info.qformerMaxTokens,
    padTokenId: facts.padTokenId,
    front: [facts.clsTokenId],
    behind: [facts.sepTokenId],
    cleanUpTokenizationSpaces: true,
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
  const vocabulary = nativeCall(() => addon.openVocabulary(languageModelPath));
  const { info } = pair;
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
    tokenizer: {
      codec: languageCodec(vocabulary),
      paddingSide: info.languageModel === 'llama' ? 'left' : 'right',
      truncationSide: 'left',
      modelMaxLength: MODEL_MAX_LENGTHS[info.languageModel] ?? Number.POSITIVE_INFINITY,
      padTokenId: vocabulary.padTokenId >= 0 ? vocabulary.padTokenId : info.padTokenId,
      front: presentIds(info.promptBosTokenId),
      behind: presentIds(info.promptEosTokenId),
      cleanUpTokenizationSpaces: info.cleanUpTokenizationSpaces,
    },
    qformerTokenizer: qformerTokenizer(pair),
    saveTokenizers: async () => {
      throw new OptionError(
        'OPTION_UNSUPPORTED',
        'savePretrained of a processor from GGUF files, which do not hold all of the tokenizer files: load the processor from the checkpoint folder that they were converted from',
      );
    },
  };
}
