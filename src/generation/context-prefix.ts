/** What an answer starts with: for the model, and for logits processors and length limits (compat.ts: `contextPrefix`). */
import { OptionError } from '../errors.js';
import { COMPAT_PRESETS, type CompatPreset } from './compat.js';
import type { GenerateOptions } from './generate-options.js';
import type { ModelFacts } from './generation-settings.js';

/**
 * The ids of a prompt as transformers writes them: one image id for each soft token, then the text's with their padding. Called by presets that need
 * them only. @throws OPTION_INVALID where the checkpoint has no image id
 */
export type PromptIds = () => readonly number[];

const invalid = (problem: string): OptionError => new OptionError('OPTION_INVALID', problem);

/** Tokens that the model reads as the beginning of the answer: an encoder-decoder's start token. */
export function answerStartOf(options: GenerateOptions, model: ModelFacts): readonly number[] {
  if (model.decoderStartTokenId >= 0) return [options.decoderStartTokenId ?? model.decoderStartTokenId];
  if (options.decoderStartTokenId === undefined) return [];
  throw invalid('decoderStartTokenId has a meaning only for an encoder-decoder (T5)');
}

/** @throws OPTION_INVALID */
export function contextPrefixOf(
  options: GenerateOptions,
  preset: CompatPreset,
  model: ModelFacts,
  answerStart: readonly number[],
  prompt: PromptIds,
): readonly number[] {
  if (answerStart.length > 0) return encoderDecoderPrefix(options, preset, answerStart);
  if (preset.contextPrefix === 'bos') return [bosOf(options, model)];
  if (options.bosTokenId !== undefined) throw invalid(`bosTokenId has a meaning only together with ${withBos()}`);
  if (preset.contextPrefix === 'none') return [];
  if (options.forcedBosTokenId !== undefined)
    throw invalid(
      "forcedBosTokenId has no effect under compat: 'hf-5' but for an encoder-decoder (T5): transformers 5 forces the second token of all",
    );
  return prompt();
}

/** In HF the context of an encoder-decoder is the decoder's own: it begins with the start token. */
function encoderDecoderPrefix(
  options: GenerateOptions,
  preset: CompatPreset,
  answerStart: readonly number[],
): readonly number[] {
  if (options.bosTokenId === undefined) return preset.contextPrefix === 'none' ? [] : answerStart;
  throw invalid('bosTokenId has no meaning for an encoder-decoder (T5), whose answers begin with decoderStartTokenId');
}

function bosOf(options: GenerateOptions, model: ModelFacts): number {
  const bos = options.bosTokenId ?? model.bosTokenId;
  if (bos >= 0) return bos;
  throw invalid(`compat: '${options.compat}' needs bosTokenId, because the checkpoint names none`);
}

/** The presets that start from it. */
const withBos = (): string =>
  Object.entries(COMPAT_PRESETS)
    .filter(([, { contextPrefix }]) => contextPrefix === 'bos')
    .map(([name]) => `compat: '${name}'`)
    .join(' or ');
