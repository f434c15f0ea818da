/** Streams a description of a picture:  npx tsx examples/describe-image.ts [picture] [model folder] */
import { join } from 'node:path';
import { demoModelFolder, InstructBlip } from 'instructblip';

const picture = process.argv[2] ?? join(demoModelFolder(), 'scene.png');
const blip = await InstructBlip.load(process.argv[3] ?? demoModelFolder());

// Ctrl-C stops the answer where it is.
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

try {
  const options = { maxNewTokens: 64, signal: interrupted.signal };
  for await (const piece of blip.stream(picture, 'Describe the picture.', options)) process.stdout.write(piece);
  process.stdout.write('\n');
} finally {
  await blip.dispose();
}
