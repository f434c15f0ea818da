/** npm's install script, for users of the published package: compiles the addon. In a git clone `npm run setup` does that. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';
import { engineHeaders } from './lib/engine.mjs';
import { root } from './lib/run.mjs';

if (existsSync(engineHeaders) && !existsSync(join(root, '.git'))) await buildNative();
