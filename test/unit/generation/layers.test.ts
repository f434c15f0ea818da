import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(process.cwd(), 'src', 'generation');

it('generation is pure: it imports itself, the errors and node:util', () => {
  const imports = readdirSync(FOLDER).flatMap(file =>
    [...readFileSync(join(FOLDER, file), 'utf8').matchAll(/from '([^']+)'/g)].map(match => match[1] as string),
  );
  expect(imports.length).toBeGreaterThan(20);
  expect(
    imports.filter(path => !/^\.\/[a-z0-9-]+\.js$/.test(path) && path !== '../errors.js' && path !== 'node:util'),
  ).toEqual([]);
});
