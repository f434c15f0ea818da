import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be read: ${(error as Error).message}.`);
  }
}

/** An option that names a file, for its text; one that cannot be read is a usage error. */
export const textFileOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(textOf);

/** An option that names a file with JSON, for its value. */
export function jsonFileOption(flags: string, description: string): Option {
  const parse = (path: string): unknown => {
    const text = textOf(path);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new InvalidArgumentError(`It is no JSON: ${(error as Error).message}.`);
    }
  };
  return new Option(flags, description).argParser(parse);
}
