/** The package as a user gets it: packed, installed into an empty folder, used by import and by require, and its types resolved. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, npm, root, run } from './lib/run.mjs';

const work = mkdtempSync(join(tmpdir(), 'instructblip-package-'));
const call = ([command, file], args) => [command, [file, ...args]];
const npmRun = (args, cwd) => run(npm.command, [...npm.args, ...args], { cwd, shell: npm.shell });

const USE = `
const ask = async ({ InstructBlip }) => {
  const blip = await InstructBlip.load(process.argv[2]);
  const answer = await blip.ask(process.argv[3], 'How many objects are there?');
  await blip.dispose();
  if (!answer.text) throw new Error('no answer');
  console.error(answer.text);
};
`;

try {
  npmRun(['pack', '--silent', '--pack-destination', work], root);
  const tarball = join(
    work,
    readdirSync(work).find(name => name.endsWith('.tgz')),
  );
  run(...call(bin('publint', 'src/cli.js'), ['run', tarball, '--strict']));
  run(...call(bin('@arethetypeswrong/cli', 'dist/index.js'), [tarball, '--profile', 'node16']));

  const user = join(work, 'user');
  mkdirSync(user);
  writeFileSync(join(user, 'package.json'), '{"private": true}');
  npmRun(['install', '--no-audit', '--no-fund', '--loglevel=error', tarball], user);
  writeFileSync(join(user, 'use.mjs'), `import * as library from 'instructblip';\n${USE}await ask(library);\n`);
  writeFileSync(join(user, 'use.cjs'), `${USE}ask(require('instructblip'));\n`);
  const model = join(root, 'models', 'demo');
  const picture = join(model, 'scene.png');
  for (const file of ['use.mjs', 'use.cjs']) run(process.execPath, [file, model, picture], { cwd: user });
  run(
    process.execPath,
    [join(user, 'node_modules', 'instructblip', 'dist', 'cli.js'), 'ask', picture, 'Describe the picture.'],
    { cwd: user },
  );
  console.log('the packed package installs, imports, requires and answers');
} finally {
  rmSync(work, { recursive: true, force: true });
}
