import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const FOLDER = join(process.cwd(), 'src', 'generation');

it('generation is pure: it imports itself, the errors and node:util', () => {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
  const imports = files.flatMap(file =>
    [...readFileSync(join(FOLDER, file), 'utf8').matchAll(/from '([^']+)'/g)].map(match => {
      const path = match[1] as string;
      return path.startsWith('.') ? relative(FOLDER, join(FOLDER, dirname(file), path)) : path;
    }),
  );
  expect(imports.length).toBeGreaterThan(60);
  expect(
    imports.filter(path => !/^[a-z0-9-/]+\.js$/.test(path) && path !== '../errors.js' && path !== 'node:util'),
  ).toEqual([]);
});
