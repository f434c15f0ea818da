// Two workers ask without end; the main thread exits in the middle of it.
import { Worker } from 'node:worker_threads';

const { folder, image, exitAfter } = JSON.parse(process.argv[2]);
for (let i = 0; i < 2; i++)
  new Worker(new URL('ask-forever.mjs', import.meta.url), { workerData: { folder, image }, stdout: true });
setTimeout(() => process.exit(7), exitAfter);
