import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import * as ask from './ask.js';
import * as bench from './bench.js';
import * as convert from './convert.js';
import { inFlags } from './flag-names.js';
import * as inspect from './inspect.js';
import { toleratePipeEnd } from './output.js';
import * as quantize from './quantize.js';

const USAGE = 2;
const FAILED = 1;
const INTERRUPTED = 130;

function createProgram(): Command {
  const program = new Command('instructblip')
    .description('Ask questions about pictures: InstructBLIP, locally, from GGUF files.')
    .version(manifest.version, '--version', 'print the version')
    .option('--debug', 'on an error, print the stack too')
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)');
  for (const command of [ask, convert, quantize, inspect, bench]) command.register(program);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** Runs one command. @returns the exit code: 0 done, 2 usage, 130 interrupted, 1 anything else */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  toleratePipeEnd();
  const program = createProgram();
  let running: Command | undefined;
  program.hook('preAction', (_, command) => {
    running = command;
  });
  if (argv.length <= 2) {
    program.outputHelp({ error: true });
    return USAGE;
  }
  try {
    await program.parseAsync(argv);
    return 0;
  } catch (error) {
    return report(error, running, program.opts().debug === true);
  }
}

/** One line on stderr that starts with the error's code and names options as the command line does. */
function report(error: unknown, command: Command | undefined, debug: boolean): number {
  // Commander has printed its message already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  const { code, name, message, stack } = error as {
    code?: unknown;
    name?: unknown;
    message?: unknown;
    stack?: unknown;
  };
  if (name === 'AbortError') return INTERRUPTED;
  const line = `${typeof code === 'string' ? code : 'INTERNAL'}: ${inFlags(String(message ?? error), command).replaceAll(/\s*\n\s*/g, ' ')}`;
  process.stderr.write(`${line}\n`);
  if (debug && typeof stack === 'string') process.stderr.write(`${stack}\n`);
  return FAILED;
}
