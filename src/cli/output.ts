import { once } from 'node:events';

/** Whether the reader of stdout has gone (`… | head -c 10`). */
let readerGone = false;
const listeners = new Set<() => void>();

/** A reader that closes the pipe early has what it wanted: that is no error. */
export function toleratePipeEnd(): void {
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
  await Promise.race([once(process.stdout, 'drain'), new Promise<void>(resolve => onReaderGone(resolve))]);
}
