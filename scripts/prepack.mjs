/** Before `npm pack`: dist/ and the engine's headers into the package (native/engine). After it, with --clean: the headers out again. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { engineHeaders, engineSource } from './lib/engine.mjs';
import { setup } from './setup.mjs';

rmSync(engineHeaders, { recursive: true, force: true });
if (process.argv[2] !== '--clean') {
  await setup();
  for (const folder of ['include', join('ggml', 'include')])
    cpSync(join(engineSource, folder), join(engineHeaders, folder), { recursive: true });
  // What a backend is made of, for native/core/gemm.
  const backendHeader = join('ggml', 'src', 'ggml-backend-impl.h');
  cpSync(join(engineSource, backendHeader), join(engineHeaders, backendHeader));
  cpSync(join(engineSource, 'LICENSE'), join(engineHeaders, 'LICENSE'));
}
