import { defineConfig } from 'tsup';

/** One build: ESM and CommonJS entries with their types, and the command line (ESM). */
export default defineConfig([
  {
    entry: { index: 'src/index.ts' },
    format: ['esm', 'cjs'],
    dts: true,
    clean: true,
    shims: true,
    target: 'node20',
    sourcemap: true,
  },
  {
    // The command line is a program beside the library, not a second copy of it.
    entry: { cli: 'src/cli/main.ts' },
    format: ['esm'],
    target: 'node20',
    esbuildPlugins: [
      {
        name: 'public-index-only',
        setup(build) {
          build.onResolve({ filter: /\/index\.js$/ }, () => ({ path: './index.js', external: true }));
        },
      },
    ],
    sourcemap: true,
  },
]);
