/**
 * Runs work that Ctrl-C or SIGTERM stops cleanly: the first signal aborts it and lets it tidy up; a second one kills the process, as usual.
 * The promise rejects with an `AbortError` then.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
