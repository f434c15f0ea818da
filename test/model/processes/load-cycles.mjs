// Loads, asks and disposes again and again; prints resident memory in bytes after the 40th cycle and after the last. Run with --expose-gc.
import { InstructBlip } from '../../../dist/index.js';

const { folder, image, cycles } = JSON.parse(process.argv[2]);
const resident = () => {
  for (let i = 0; i < 5; i++) globalThis.gc();
  return process.memoryUsage.rss();
};

let settled;
for (let cycle = 0; cycle < cycles; cycle++) {
  const blip = await InstructBlip.load(folder, { threads: 1, contextSize: 256 });
  // Every third is disposed of with work in flight.
  const call = blip.ask(image, 'What is this?', { minNewTokens: 2, maxNewTokens: 2 });
  if (cycle % 3 === 0) call.catch(() => {});
  else await call;
  await blip.dispose();
  if (cycle === 40) settled = resident();
}
console.log(JSON.stringify({ settled, end: resident() }));
