import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function isPackageRoot(folder: string): boolean {
  const manifest = join(folder, 'package.json');
  return (
    existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name === 'instructblip'
  );
}

/** Built, this file knows its folder. Run from source as an ES module (`npx tsx examples/…`), it is the repository's. */
const here = (): string => (typeof __dirname === 'string' ? __dirname : process.cwd());

/**
 * The installed package's folder, from wherever this file ended up (src/native, dist). In Electron a packed application holds native libraries
 * beside the archive, so `app.asar` becomes `app.asar.unpacked`.
 */
export function packageRoot(): string {
  for (let folder = here(); folder !== dirname(folder); folder = dirname(folder)) {
    if (isPackageRoot(folder)) return folder.replace(/\bapp\.asar(?=$|[\\/])/, 'app.asar.unpacked');
  }
  throw new Error(
    `no package.json of instructblip above ${here()}: the package was moved or bundled; mark it as external in your bundler`,
  );
}
