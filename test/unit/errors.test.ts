import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createError, ERROR_CODES, type ErrorCode, InstructBlipError, isErrorCode } from '../../src/errors.js';

const rows = readFileSync(join(process.cwd(), 'docs', 'errors.md'), 'utf8')
  .split('\n')
  .map(line => /^\| `([A-Z_]+)` \| (\w+) \| (.+) \| (.+) \|$/.exec(line))
  .filter(match => match !== null);

it('docs/errors.md lists every code with its class, and no other, in the order of the source', () => {
  const documented = rows.map(row => [row[1], row[2]]);
  const real = Object.entries(ERROR_CODES).flatMap(([name, codes]) => codes.map(code => [code, name]));
  expect(documented).toEqual(real);
});

it('every code makes an error of its class', () => {
  for (const [name, codes] of Object.entries(ERROR_CODES)) {
    for (const code of codes) {
      const cause = new Error('why');
      const error = createError(code as ErrorCode, 'what', { cause });
      expect(error).toBeInstanceOf(InstructBlipError);
      expect([error.name, error.code, error.message, error.cause]).toEqual([name, code, 'what', cause]);
    }
  }
});

it('tells its codes from others', () => {
  expect(isErrorCode('DISPOSED')).toBe(true);
  for (const other of ['ENOENT', 'constructor', undefined, 5]) expect(isErrorCode(other)).toBe(false);
});
