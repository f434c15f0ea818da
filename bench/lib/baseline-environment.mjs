/** The Python environment of the baseline: exactly bench/requirements.txt, made on demand (several GB, minutes). */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, run } from '../../scripts/lib/run.mjs';

const REQUIREMENTS = join(root, 'bench', 'requirements.txt');

function findPython() {
  const found = ['python3', 'python'].find(
    name => spawnSync(name, ['-c', 'import sys, venv; sys.exit(sys.version_info < (3, 11))']).status === 0,
  );
  return found ?? fail('the baseline needs Python >= 3.11 with venv: install it, or use --no-baseline');
}

/** @returns the environment's Python */
export function ensureBaselineEnvironment(folder) {
  const python = join(folder, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));
  const wanted = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex');
  const stamp = join(folder, '.instructblip-requirements');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python;
  console.error(`installing PyTorch and transformers into ${folder} (once; several GB) …`);
  if (!existsSync(python)) run(findPython(), ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS]);
  writeFileSync(stamp, wanted);
  return python;
}
