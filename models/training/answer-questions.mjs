/**
 * Answers many questions through the public API: node answer-questions.mjs <model folder> <questions.json> <answers.json>
 * Questions: [{ "picture": path, "question": text }]; answers: [{ "ids": number[], "text": string }].
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { InstructBlip } from '../../dist/index.js';

const [folder, questionsPath, answersPath] = process.argv.slice(2);
// One thread: the model is tiny, and threads that wait for each other on a busy machine cost more than they give.
const blip = await InstructBlip.load(folder, { threads: 1 });
const answers = [];
let seen = { picture: undefined, features: undefined };
for (const { picture, question } of JSON.parse(readFileSync(questionsPath, 'utf8'))) {
  if (seen.picture !== picture) seen = { picture, features: await blip.encodeImage(picture) };
  const { tokens, text } = await blip.ask(seen.features, question, { maxNewTokens: 64 });
  answers.push({ ids: tokens, text });
}
writeFileSync(answersPath, JSON.stringify(answers));
await blip.dispose();
