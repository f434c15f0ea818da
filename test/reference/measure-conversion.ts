/**
 * Peak memory and rate of a conversion that is much larger than memory may grow: makes a random checkpoint of about 1.5 GB (fp32), converts it, prints
 * one line a type, and removes all. Not part of the tests. Run: npx tsx test/reference/measure-conversion.ts [work folder]
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { convert } from '../../src/convert/convert.js';
import { makeCheckpoint, TINY, tinyShapes } from '../unit/support/checkpoint.js';
import { randomNumbers } from '../unit/support/random.js';

const SIZES = {
  ...TINY,
  vocabulary: 32064,
  hidden: 2048,
  heads: 16,
  kvHeads: 16,
  layers: 5,
  feedForward: 5632,
  imageTokenId: 32001,
};

/** Writes random F32 weights tensor by tensor: a block of noise, repeated. */
function writeWeights(path: string): number {
  const random = randomNumbers(7);
  const noise = Buffer.from(Float32Array.from({ length: 1 << 18 }, () => random() / 50).buffer);
  let end = 0;
  const header = Object.fromEntries(
    tinyShapes(SIZES).map(([name, shape]) => {
      const begin = end;
      end += 4 * shape.reduce((product, length) => product * length, 1);
      return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, json);
  for (let done = 0; done < end; done += noise.length) writeSync(file, noise, 0, Math.min(noise.length, end - done));
  closeSync(file);
  return end;
}

async function measureOne(checkpoint: string, out: string, type: 'F16' | 'Q8_0' | 'Q4_K_M'): Promise<void> {
  const start = performance.now();
  await convert(checkpoint, out, { languageModelType: type, name: 'large', force: true });
  const seconds = (performance.now() - start) / 1000;
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(`${type}: ${seconds.toFixed(1)} s, peak RSS ${peak} MB`);
}

function measureAll(parent: string): void {
  const checkpoint = makeCheckpoint({ sizes: SIZES, withoutWeights: true });
  const out = mkdtempSync(join(parent, 'instructblip-large-'));
  try {
    const bytes = writeWeights(join(checkpoint, 'model.safetensors'));
    console.log(`checkpoint: ${(bytes / 1e9).toFixed(2)} GB`);
    // A process for each: the peak is that of a process's whole life.
    for (const type of ['F16', 'Q8_0', 'Q4_K_M'])
      spawnSync(process.execPath, [...process.execArgv, process.argv[1]!, '--one', checkpoint, out, type], {
        stdio: 'inherit',
      });
  } finally {
    rmSync(checkpoint, { recursive: true, force: true });
    rmSync(out, { recursive: true, force: true });
  }
}

// src/native/package-root.ts looks for the package from its own folder, which only bundles and CommonJS know.
Object.assign(globalThis, { __dirname: join(dirname(process.argv[1]!), '../../src/native') });

const [mode, checkpoint, out, type] = process.argv.slice(2);
if (mode === '--one') void measureOne(checkpoint!, out!, type as 'F16');
else measureAll(mode ?? tmpdir());
