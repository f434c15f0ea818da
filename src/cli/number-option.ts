import { InvalidArgumentError, Option } from 'commander';

/** An option that takes a number; something else is a usage error. The library checks the range. */
export function numberOption(flags: string, description: string): Option {
  const parse = (value: string): number => {
    const number = Number(value);
    if (value.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('It must be a number.');
    return number;
  };
  return new Option(flags, description).argParser(parse);
}
