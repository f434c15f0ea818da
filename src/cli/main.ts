#!/usr/bin/env node
import { runCommandLine } from './program.js';

// The exit code is set, not exited with: what is still in the pipe gets out.
process.exitCode = await runCommandLine(process.argv);
