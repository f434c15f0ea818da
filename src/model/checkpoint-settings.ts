import type { GenerationFields } from '../config/generation-fields.js';
import { COMPAT_PRESETS, type Compat } from '../generation/compat.js';
import type { GenerateArguments } from './generate-batch.js';

/** Without beams these mean nothing; of a checkpoint's own settings nobody wants to hear that. */
const OF_BEAMS = ['numBeamGroups', 'diversityPenalty', 'earlyStopping', 'lengthPenalty'] as const;

/** Options of `generate`, with the checkpoint's settings where the caller gives none. */
export function withCheckpointSettings(
  given: GenerateArguments,
  settings: GenerationFields,
  compat: Compat,
): GenerateArguments {
  if (!COMPAT_PRESETS[compat].checkpointSettings) return given;
  const own: Record<string, unknown> = { ...settings };
  if ((given.numBeams ?? settings.numBeams ?? 1) === 1) for (const name of OF_BEAMS) delete own[name];
  if (given.maxNewTokens !== undefined) delete own.maxLength;
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...own, ...Object.fromEntries(named) } as GenerateArguments;
}
