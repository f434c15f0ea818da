import type { Command } from 'commander';
import { type InspectedFile, type InspectedValue, type Inspection, inspectModel } from '../index.js';
import { print } from './output.js';
import { formatBytes } from './progress.js';

function shownValue(value: InspectedValue): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  if (typeof value === 'object') return `${(value as { length: number }).length} values`;
  return typeof value === 'string' && value.length > 80 ? `${value.slice(0, 77)}...` : String(value);
}

function typeSummary({ tensors }: InspectedFile): string {
  const counts = new Map<string, number>();
  for (const { type } of tensors) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, count]) => `${count} x ${type}`).join(', ');
}

function describeFile(file: InspectedFile): string {
  const head = `${file.path}: ${file.role}, ${formatBytes(file.size)}, ${(file.parameters / 1e6).toFixed(1)} million parameters`;
  const metadata = Object.entries(file.metadata).map(([key, value]) => `  ${key} = ${shownValue(value)}`);
  return [head, `  ${file.tensors.length} tensors: ${typeSummary(file)}`, ...metadata].join('\n');
}

function verdict({ runnable, problem }: Inspection): string {
  if (problem) return `cannot run: ${problem.code}: ${problem.message}`;
  return runnable ? 'runs with this package' : 'one file of a pair: inspect the folder to see whether it can run';
}

async function run(path: string, { json }: { json?: boolean }): Promise<void> {
  const inspection = await inspectModel(path);
  if (json) await print(`${JSON.stringify(inspection)}\n`);
  else await print(`${inspection.files.map(describeFile).join('\n\n')}\n\n${verdict(inspection)}\n`);
}

/** `instructblip inspect`: what is in it, and whether this package can run it. */
export function register(program: Command): void {
  program
    .command('inspect')
    .description('show what is in a GGUF file or model folder, and whether this program can run it')
    .argument('<path>', 'a .gguf file, or a folder with a model')
    .option('--json', 'print one JSON object, with all tensors')
    .action(run);
}
