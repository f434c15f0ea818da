import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createError } from '../errors.js';
import type { NativeAddon, NativeEngineInfo } from './addon.js';
import { nativeCall } from './native-call.js';
import { packageRoot } from './package-root.js';

/** The addon, with its engine verified and its backends loaded. */
export interface LoadedAddon {
  readonly addon: NativeAddon;
  readonly engine: NativeEngineInfo;
}

const REMEDY = 'run `npm run setup` in the package folder';

/** GPU packages of node-llama-cpp whose backend modules fit our engine: same version, byte-identical base libraries. */
const GPU_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'linux-x64': ['linux-x64-cuda', 'linux-x64-cuda-ext', 'linux-x64-vulkan'],
  'linux-arm64': ['linux-arm64-vulkan'],
  'win32-x64': ['win-x64-cuda', 'win-x64-cuda-ext', 'win-x64-vulkan'],
};

/** Library folder of an installed package of node-llama-cpp, if it is there. */
function enginePackageFolder(root: string, name: string): string[] {
  try {
    const entry = createRequire(join(root, 'package.json')).resolve(`@node-llama-cpp/${name}`);
    return [join(dirname(dirname(entry)), 'bins', name.replace(/-ext$/, ''))].filter(existsSync);
  } catch {
    return [];
  }
}

/** As node-llama-cpp names its package for this machine. */
function platformPackage(): string {
  if (process.platform === 'darwin') return process.arch === 'arm64' ? 'mac-arm64-metal' : 'mac-x64';
  return `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
}

/** Folders with GPU backend modules, of the packages that are installed. */
const gpuModuleFolders = (root: string): string[] =>
  (GPU_PACKAGES[`${process.platform}-${process.arch}`] ?? []).flatMap(name => enginePackageFolder(root, name));

/** Where the engine must have come from: the folder that the addon was linked with or, when all was moved since, the installed package. */
function engineFolder(root: string, addon: NativeAddon): string {
  if (existsSync(addon.linkedDirectory)) return addon.linkedDirectory;
  return enginePackageFolder(root, platformPackage())[0] ?? addon.linkedDirectory;
}

/** Why dlopen failed, as far as its message tells. */
function loadError(path: string, cause: unknown): Error {
  const reason =
    cause instanceof Error ? cause.message : String((cause as { message?: unknown } | null)?.message ?? cause);
  if (/undefined symbol|symbol not found|procedure could not be found/i.test(reason)) {
    const remedy =
      'Load instructblip before that package, use node-llama-cpp 3.22.1 (the same libraries), or run one of them in a process of its own';
    return createError(
      'ENGINE_CLASH',
      `another package loaded a different copy of llama.cpp's libraries (${reason}). ${remedy}`,
      { cause },
    );
  }
  return createError('ENGINE_LOAD_FAILED', `the addon ${path} could not be loaded: ${reason}; ${REMEDY}`, { cause });
}

function openAddon(path: string): NativeAddon {
  if (!existsSync(path))
    throw createError('ENGINE_NOT_BUILT', `the addon is not built (${path} is missing): ${REMEDY}`);
  const module: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (error) {
    throw loadError(path, error);
  }
  return module.exports as NativeAddon;
}

let loaded: LoadedAddon | undefined;

/**
 * Opens the addon on first use (`INSTRUCTBLIP_ADDON` names another build) and initializes the engine, once per JavaScript environment.
 * @throws `ENGINE_NOT_BUILT`, `ENGINE_LOAD_FAILED`, `ENGINE_CLASH`
 */
export function loadAddon(): LoadedAddon {
  if (loaded) return loaded;
  const root = packageRoot();
  const addon = openAddon(process.env.INSTRUCTBLIP_ADDON || join(root, 'build', 'Release', 'instructblip.node'));
  const engine = nativeCall(() => addon.initialize(engineFolder(root, addon), gpuModuleFolders(root)));
  // `process.exit` takes the engine's memory away while its threads compute: they must have ended by then.
  process.once('exit', () => addon.shutDown());
  loaded = { addon, engine };
  return loaded;
}
