import { createError, isErrorCode } from '../errors.js';
import type { NativeAddon, NativeCancelToken } from './addon.js';

/** An abort that the addon reported; never leaves `src/native`. */
const ABORTED = 'ABORTED';

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
}

/** The package's typed error for one that the addon threw; anything else (a user's own throw) as it is. */
export function toTypedError(error: unknown): unknown {
  const code = codeOf(error);
  return isErrorCode(code) ? createError(code, (error as Error).message, { cause: error }) : error;
}

/** Calls a synchronous function of the addon; its errors become the package's. */
export function nativeCall<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw toTypedError(error);
  }
}

/**
 * Starts work in the addon and waits for it. When `signal` aborts, the work is cancelled, and the promise rejects with the signal's reason as soon as
 * the engine has let go of it.
 */
export async function nativeWork<T>(
  addon: Pick<NativeAddon, 'CancelToken'>,
  signal: AbortSignal | undefined,
  start: (cancel: NativeCancelToken) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const token = new addon.CancelToken();
  const cancel = () => token.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const result = await start(token);
    // Aborted after the last check inside: nothing is delivered after an abort.
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    if (signal?.aborted && codeOf(error) === ABORTED) throw signal.reason;
    throw toTypedError(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
