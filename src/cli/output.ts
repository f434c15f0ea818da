/** Whether the reader of stdout has gone (`… | head -c 10`). */
let readerGone = false;
const listeners = new Set<() => void>();

/** A reader that closes the pipe early has what it wanted: that is no error. */
export function toleratePipeEnd(): void {
  readerGone = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    readerGone = true;
    for (const listener of listeners) listener();
  });
}

/** Calls `listener` when nobody reads stdout any more; the result takes it off. */
export function onReaderGone(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Writes to stdout and waits while its reader is slower than we are. */
export async function print(text: string): Promise<void> {
  if (readerGone || process.stdout.write(text)) return;
  await new Promise<void>(resolve => {
    const goOn = () => {
      process.stdout.off('drain', goOn);
      forget();
      resolve();
    };
    const forget = onReaderGone(goOn);
    process.stdout.once('drain', goOn);
  });
}
