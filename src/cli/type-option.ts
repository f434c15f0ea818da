import { InvalidArgumentError, Option } from 'commander';

/** An option that takes one of `types`, in any case of letters; a wrong one is a usage error. */
export function typeOption<T extends string>(flags: string, description: string, types: readonly T[]): Option {
  const parse = (value: string): T => {
    const found = types.find(type => type === value.toUpperCase());
    if (!found) throw new InvalidArgumentError(`It must be one of ${types.join(', ')}.`);
    return found;
  };
  return new Option(flags, `${description}: ${types.join(', ')}`).argParser(parse);
}
