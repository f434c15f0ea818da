/** One picture, several questions: the vision encoder runs once.  npx tsx examples/ask-twice.ts [picture] [model folder] */
import { join } from 'node:path';
import { demoModelFolder, InstructBlip } from 'instructblip';

const picture = process.argv[2] ?? join(demoModelFolder(), 'scene.png');
const blip = await InstructBlip.load(process.argv[3] ?? demoModelFolder());
try {
  const image = await blip.encodeImage(picture);
  const questions = ['How many objects are there?', 'Describe the picture.'];
  // The calls run at once and are served fairly.
  const answers = await Promise.all(questions.map(question => blip.ask(image, question)));
  answers.forEach(({ text, timings }, i) => {
    console.log(`${questions[i]}\n  ${text}   (${Math.round(timings.total)} ms, of which vision ${timings.vision} ms)`);
  });
} finally {
  await blip.dispose();
}
