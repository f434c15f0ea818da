/** A signal that follows several others. (`AbortSignal.any` is not in every Node 20.) `unlink` takes the listeners off again. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  readonly unlink: () => void;
}

export function linkSignals(...sources: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const unlinks: (() => void)[] = [];
  for (const source of sources) {
    if (!source) continue;
    const follow = () => controller.abort(source.reason);
    if (source.aborted) {
      follow();
      break;
    }
    source.addEventListener('abort', follow, { once: true });
    unlinks.push(() => source.removeEventListener('abort', follow));
  }
  return {
    signal: controller.signal,
    unlink: () => {
      for (const unlink of unlinks) unlink();
    },
  };
}

/** Runs `work` under a signal that follows `sources`. Once that has aborted, the call rejects with its reason, whatever `work` throws. */
export async function underSignals<T>(
  sources: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, unlink } = linkSignals(...sources);
  try {
    return await work(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    unlink();
  }
}
