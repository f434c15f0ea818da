/** The dependency rules of docs/architecture.md, as a check. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root } from './lib/run.mjs';

const sources = (directory, pattern) =>
  readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && pattern.test(entry.name))
    .map(entry => join(entry.parentPath ?? entry.path, entry.name));

const importsOf = file =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1]);

const RULES = [
  {
    name: 'napi.h is included by native/binding only',
    broken: () =>
      [...sources('native/core', /\.(cpp|h)$/), ...sources('native/test', /\.(cpp|h)$/)].filter(file =>
        /#include\s*[<"]napi\.h/.test(readFileSync(file, 'utf8')),
      ),
  },
  {
    name: 'src/generation imports nothing native and no processor',
    broken: () =>
      sources('src/generation', /\.ts$/).filter(file =>
        importsOf(file).some(path => /\/(native|processor|model|convert|gguf)\//.test(path)),
      ),
  },
  {
    name: 'src/cli imports only the public index of the library',
    broken: () =>
      sources('src/cli', /\.ts$/).filter(file =>
        importsOf(file).some(path => path.startsWith('../') && !['../index.js', '../../package.json'].includes(path)),
      ),
  },
  {
    name: "examples import only 'instructblip' of the library",
    broken: () =>
      sources('examples', /\.(ts|mts|js|mjs|cjs)$/).filter(file =>
        importsOf(file).some(path => path.includes('/src/') || path.includes('/dist/')),
      ),
  },
];

for (const { name, broken } of RULES) {
  const files = broken();
  if (files.length > 0) fail(`rule broken: ${name}\n  ${files.join('\n  ')}`);
}
console.log(`${RULES.length} rules hold`);
