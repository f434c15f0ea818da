// The Hugging Face way: processor, tensors, generate, batchDecode. Run: npx tsx examples/hugging-face.ts photo.jpg [model folder]
import { demoModelFolder, InstructBlipForConditionalGeneration, InstructBlipProcessor } from 'instructblip';

const [image = `${demoModelFolder()}/scene.png`, folder = demoModelFolder()] = process.argv.slice(2);
const processor = await InstructBlipProcessor.fromPretrained(folder);
const model = await InstructBlipForConditionalGeneration.fromPretrained(folder);

const inputs = await processor.process({
  images: [image, image],
  text: ['Describe the picture.', 'How many objects are there?'],
  padding: true,
});
const output = await model.generate({
  ...inputs,
  doSample: false,
  numBeams: 5,
  maxLength: 256,
  minLength: 1,
  topP: 0.9,
  repetitionPenalty: 1.5,
  lengthPenalty: 1.0,
  temperature: 1,
});
for (const answer of processor.batchDecode(output.sequences, { skipSpecialTokens: true })) console.log(answer.trim());
await model.dispose();
