import { join } from 'node:path';
import { packageRoot } from '../native/package-root.js';

/** Folder of the small demo model that ships with the package (simple drawn scenes only). */
export const demoModelFolder = (): string => join(packageRoot(), 'models', 'demo');
