import type { NativeAddon } from '../native/addon.js';
import type { EngineLogLine } from './load-options.js';

type Listener = (line: EngineLogLine) => void;

const listeners = new Set<Listener>();

function levelName(level: number): EngineLogLine['level'] {
  if (level >= 4) return 'error';
  if (level === 3) return 'warn';
  return level === 2 ? 'info' : 'debug';
}

/** Gives the engine's log lines to one more listener; the result takes it off again. The addon has one listener per environment, so we share it out. */
export function listenToEngineLog(addon: Pick<NativeAddon, 'setLogListener'>, listener: Listener): () => void {
  // A function of its own for each call: the same listener may be given for two models.
  const own: Listener = line => listener(line);
  listeners.add(own);
  if (listeners.size === 1) {
    addon.setLogListener((level, text) => {
      for (const each of listeners) each({ level: levelName(level), text });
    });
  }
  return () => {
    if (listeners.delete(own) && listeners.size === 0) addon.setLogListener(null);
  };
}
