import type { Command } from 'commander';

/** Options of the library whose flags have other names. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  beams: ['numBeams', 'maxBatch'],
  parallel: ['maxBatch'],
  stop: ['stopStrings'],
};
/** What the library's messages say to those who write code. */
const PHRASES: Readonly<Record<string, readonly [string, string]>> = {
  vision: ['{ vision, languageModel }', '--vision and --language-model'],
  force: [' (option force)', ''],
};

/** The library's message in the terms of the command line: options that the command has a flag for are called by it. */
export function inFlags(message: string, command: Command | undefined): string {
  let text = message;
  for (const option of command?.options ?? []) {
    const name = option.attributeName();
    const [phrase, replacement] = PHRASES[name] ?? ['', ''];
    if (phrase !== '') text = text.replaceAll(phrase, replacement);
    for (const known of [name, ...(OTHER_NAMES[name] ?? [])])
      text = text.replaceAll(patternOf(known), option.long ?? known);
  }
  return text;
}

/** Names of one word are words too (`seed`, `device`): they are options where a message begins with them. */
const patternOf = (name: string): RegExp =>
  /[A-Z]/.test(name) ? new RegExp(`(?<![\\w'"-])${name}(?!\\w)`, 'g') : new RegExp(`^${name}(?= (?:must|=))`, 'g');
