import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(process.cwd(), 'src', 'generation');

it('generation is pure: it imports itself, the errors and node:util', () => {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
  const imports = files.flatMap(file =>
    [...readFileSync(join(FOLDER, file), 'utf8').matchAll(/from '([^']+)'/g)].map(match => match[1] as string),
  );
  expect(imports.length).toBeGreaterThan(20);
  expect(
    imports.filter(
      path =>
        !/^\.\.?\/([a-z0-9-]+\/)?[a-z0-9-]+\.js$/.test(path) &&
        !/^(\.\.\/)+errors\.js$/.test(path) &&
        path !== 'node:util',
    ),
  ).toEqual([]);
});
