/** The C++ programs of the bench: built when a source, our library, the compiler or the engine changed. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENGINE_VERSION, ensureEngineSource, prebuiltEngine } from '../../scripts/lib/engine.mjs';
import { root, run } from '../../scripts/lib/run.mjs';

const COMPILER = process.env.CXX ?? 'c++';

/** Folder with the engine's built libraries, the same that the addon uses; null where a program cannot be linked with them. */
export const engineLibraries = () => (process.platform === 'linux' ? prebuiltEngine() : null);

/** What a program that calls libllama is compiled with. */
function engineFlags() {
  const libraries = engineLibraries();
  const source = ensureEngineSource();
  const files = readdirSync(libraries).filter(name => /^lib(llama|ggml|ggml-base)\.(so|v[\d.]+\.so)$/.test(name));
  return [
    ...['include', join('ggml', 'include')].flatMap(folder => ['-isystem', join(source, folder)]),
    ...files.map(name => join(libraries, name)),
    `-Wl,-rpath,${libraries}`,
  ];
}

/** Compiles bench/<name>.cpp for this machine and returns the program's path. */
function buildTool(name, flags = []) {
  const source = join(root, 'bench', `${name}.cpp`);
  const folder = join(root, 'build', 'bench');
  const program = join(folder, name);
  const command = ['-std=c++17', '-O3', '-march=native', '-pthread', source, '-o', program, ...flags];
  const hash = createHash('sha256').update(JSON.stringify([ENGINE_VERSION, COMPILER, command]));
  for (const file of [source, ...flags.filter(flag => flag.endsWith('.a'))]) hash.update(readFileSync(file));
  const wanted = hash.digest('hex');
  const stamp = `${program}.built`;
  if (existsSync(program) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return program;
  mkdirSync(folder, { recursive: true });
  run(COMPILER, command);
  writeFileSync(stamp, wanted);
  return program;
}

/** Our library, as the addon links it. */
const ownLibrary = () => [
  '-I',
  join(root, 'native', 'core'),
  ...['libcore.a', 'libgemm.a'].map(name => join(root, 'build', name)),
];

/** Each builds the program where it is not up to date, and returns its path. */
export const PROGRAMS = {
  memorySpeed: () => buildTool('memory-speed'),
  languageModel: () => buildTool('language-model', [...ownLibrary(), ...engineFlags()]),
  libllama: () => buildTool('libllama', engineFlags()),
};
