/** The main job: a picture and a question become a streamed answer. `npm run demo [-- <image> <question> [options]]` */
import { spawnSync } from 'node:child_process';
import { isAbsolute, join } from 'node:path';
import { root } from './lib/run.mjs';
import { setup } from './setup.mjs';

const DEMO_PICTURE = join(root, 'models', 'demo', 'scene.png');
const DEMO_QUESTIONS = ['Describe the picture.', 'How many objects are there?'];

await setup();
const cli = join(root, 'dist', 'cli.js');
const ask = args => spawnSync(process.execPath, [cli, 'ask', ...args], { stdio: 'inherit' }).status ?? 1;

const [image, ...rest] = process.argv.slice(2);
if (image !== undefined) {
  const here = process.env.INIT_CWD ?? process.cwd();
  const isPath = !/^[a-z][a-z0-9+.-]+:/i.test(image);
  process.exit(ask([isPath && !isAbsolute(image) ? join(here, image) : image, ...rest]));
}
console.error(`picture: ${DEMO_PICTURE}`);
for (const question of DEMO_QUESTIONS) {
  console.error(`\n> ${question}`);
  const status = ask([DEMO_PICTURE, question]);
  if (status !== 0) process.exit(status);
}
