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
