import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../src/convert/convert.js';
import { makeCheckpoint } from './support/checkpoint.js';

let checkpoint: string;
let out: string;
const options = { name: 'tiny', languageModelType: 'Q8_0', visionType: 'F16' } as const;
const files = ['mmproj-tiny-F16.gguf', 'tiny-Q8_0.gguf'];

beforeAll(() => {
  checkpoint = makeCheckpoint();
});
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'instructblip-out-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(out, { recursive: true, force: true });
});
afterAll(() => rmSync(checkpoint, { recursive: true, force: true }));

describe('output of convert', () => {
  it('does not replace files, and leaves them as they are', async () => {
    writeFileSync(join(out, files[1]!), 'mine');
    await expect(convert(checkpoint, out, options)).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    expect(readdirSync(out)).toEqual([files[1]]);
    expect(readFileSync(join(out, files[1]!), 'utf8')).toBe('mine');
  });

  it('replaces them with force', async () => {
    writeFileSync(join(out, files[1]!), 'mine');
    await convert(checkpoint, out, { ...options, force: true });
    expect(readdirSync(out).sort()).toEqual(files);
    expect(readFileSync(join(out, files[1]!)).subarray(0, 4).toString()).toBe('GGUF');
  });

  it('leaves nothing behind when aborted, wherever', async () => {
    let pieces = 0;
    await convert(checkpoint, out, { ...options, onProgress: () => pieces++ });
    expect(pieces).toBeGreaterThan(100);
    for (const file of files) rmSync(join(out, file));
    for (let at = 0; at <= pieces; at += 9) {
      const controller = new AbortController();
      let seen = 0;
      const stop = () => {
        if (seen++ === Math.min(at, pieces - 1)) controller.abort(new Error(`stopped at ${at}`));
      };
      const target = join(out, 'a', 'b');
      await expect(
        convert(checkpoint, target, { ...options, signal: controller.signal, onProgress: stop }),
      ).rejects.toThrow(`stopped at ${at}`);
      expect(readdirSync(out)).toEqual([]);
    }
  });

  it('starts nothing when aborted before', async () => {
    const signal = AbortSignal.abort(new Error('no'));
    await expect(convert(checkpoint, join(out, 'x'), { ...options, signal })).rejects.toThrow('no');
    expect(existsSync(join(out, 'x'))).toBe(false);
  });

  it('keeps the file that was there when replacing fails', async () => {
    writeFileSync(join(out, files[1]!), 'mine');
    const onProgress = () => {
      throw new Error('callback');
    };
    await expect(convert(checkpoint, out, { ...options, force: true, onProgress })).rejects.toThrow('callback');
    expect(readdirSync(out)).toEqual([files[1]]);
    expect(readFileSync(join(out, files[1]!), 'utf8')).toBe('mine');
  });

  it('says before it starts that the disk has not enough space', async () => {
    jest.spyOn(fs, 'statfs').mockResolvedValue({ bavail: 1, bsize: 4096 } as never);
    const failure = convert(checkpoint, out, options);
    await expect(failure).rejects.toMatchObject({
      code: 'OUTPUT_WRITE_FAILED',
      message: expect.stringMatching(/4096 free/),
    });
    expect(readdirSync(out)).toEqual([]);
  });

  it('cleans up when the disk gets full in between', async () => {
    const probe = await fs.open(checkpoint, 'r');
    const prototype = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => Promise<unknown> };
    await probe.close();
    const write = prototype.write;
    let left = 40;
    jest.spyOn(prototype, 'write').mockImplementation(function (this: unknown, ...args: unknown[]) {
      if (left-- > 0) return write.apply(this, args);
      return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
    });
    const failure = convert(checkpoint, join(out, 'new'), options);
    await expect(failure).rejects.toMatchObject({
      code: 'OUTPUT_WRITE_FAILED',
      message: expect.stringMatching(/disk is full/),
    });
    expect(readdirSync(out)).toEqual([]);
  });

  it('leaves nothing behind when the last step fails', async () => {
    // A folder in the place of the file: force does not replace that.
    mkdirSync(join(out, files[0]!));
    await expect(convert(checkpoint, out, { ...options, force: true })).rejects.toMatchObject({
      code: 'OUTPUT_WRITE_FAILED',
    });
    expect(readdirSync(out)).toEqual([files[0]]);
  });

  it('refuses a folder that cannot be made', async () => {
    writeFileSync(join(out, 'file'), '');
    await expect(convert(checkpoint, join(out, 'file', 'x'), options)).rejects.toMatchObject({
      code: 'OUTPUT_WRITE_FAILED',
    });
  });
});
