// Loads the model and asks without end; tells when the first answer is there. Run as a worker or as a process.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { InstructBlip } from '../../../dist/index.js';

const {
  folder,
  image,
  exitAfter,
  disposeAtEnd,
  rounds = Number.POSITIVE_INFINITY,
} = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const tell = message => (isMainThread ? process.stdout.write(`${message}\n`) : parentPort.postMessage(message));

const blip = await InstructBlip.load(folder, { threads: 1, contextSize: 512 });
// The process ends in the middle of whatever is going on.
if (exitAfter !== undefined) setTimeout(() => process.exit(7), exitAfter);
for (let round = 0; round < rounds; round++) {
  const answers = await Promise.all(
    ['What is this?', 'what'].map(question => blip.ask(image, question, { minNewTokens: 40, maxNewTokens: 40 })),
  );
  if (round === 0) tell(answers[0].text);
}
if (disposeAtEnd) await blip.dispose();
