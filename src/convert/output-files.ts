import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rmdir, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { createError } from '../errors.js';

interface OpenOutput {
  readonly path: string;
  readonly temporary: string;
  readonly file: FileHandle;
}

function writeFailed(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === 'ENOSPC' ? 'the disk is full' : code === 'EDQUOT' ? 'the disk quota is used up' : message;
  return createError('OUTPUT_WRITE_FAILED', `${path} cannot be written: ${reason}; nothing was left behind`, {
    cause: error,
  });
}

/** Makes a rename last over a power failure. Some systems cannot open folders; there it is not needed or not possible. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (!handle) return;
  await handle.sync().catch(() => undefined);
  await handle.close();
}

/** One output file that is being written. */
export class OutputFile {
  constructor(
    readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /** Appends bytes. @throws OUTPUT_WRITE_FAILED */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
    } catch (error) {
      throw writeFailed(this.path, error);
    }
  }
}

/**
 * Files that appear all together and complete, or not at all: written under temporary names in the same folder, synced and renamed by `commit`,
 * removed by `discard`, and by the end of the process.
 */
export class OutputFiles {
  private readonly outputs: OpenOutput[] = [];
  private readonly madeFolders: string[] = [];
  private readonly onExit = () => {
    for (const { temporary } of this.outputs) rmSync(temporary, { force: true });
  };

  constructor(private readonly force: boolean) {
    process.once('exit', this.onExit);
  }

  private checkFree(path: string): void {
    if (!this.force && existsSync(path))
      throw createError('OUTPUT_EXISTS', `${path} exists already; use --force (option force) to replace it`);
  }

  private async makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true });
    if (!first) return;
    for (let made = folder; made.length >= first.length; made = dirname(made)) this.madeFolders.push(made);
  }

  /**
   * Starts a file, and its folder where there is none.
   * @param size bytes that will be written: checked against the free space
   * @throws OUTPUT_EXISTS, OUTPUT_WRITE_FAILED
   */
  async create(target: string, size: number): Promise<OutputFile> {
    const path = resolve(target);
    this.checkFree(path);
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
    try {
      await this.makeFolder(dirname(path));
      const { bavail, bsize } = await statfs(dirname(path));
      if (bavail * bsize < size) throw new Error(`it needs ${size} bytes, the disk has ${bavail * bsize} free`);
      const file = await open(temporary, 'wx');
      this.outputs.push({ path, temporary, file });
      return new OutputFile(path, file);
    } catch (error) {
      throw writeFailed(path, error);
    }
  }

  /** Syncs all files and gives them their names. @throws OUTPUT_EXISTS, OUTPUT_WRITE_FAILED */
  async commit(signal?: AbortSignal): Promise<void> {
    for (const { path, file } of this.outputs) {
      await file.sync().catch(error => {
        throw writeFailed(path, error);
      });
    }
    signal?.throwIfAborted();
    // From here on there is no way back: a file under its final name may have replaced another.
    for (const { path } of this.outputs) this.checkFree(path);
    // Each stays in the list until it has its name: `discard` takes what a failure leaves.
    for (let next = this.outputs[0]; next; next = this.outputs[0]) {
      const { path, temporary, file } = next;
      try {
        await file.close();
        await rename(temporary, path);
      } catch (error) {
        throw writeFailed(path, error);
      }
      this.outputs.shift();
      await syncFolder(dirname(path));
    }
    this.madeFolders.length = 0;
    process.off('exit', this.onExit);
  }

  /** Removes what was written and the folders that were made for it. After `commit`: does nothing. */
  async discard(): Promise<void> {
    for (const { temporary, file } of this.outputs.splice(0)) {
      await file.close().catch(() => undefined);
      await unlink(temporary).catch(() => undefined);
    }
    for (const folder of this.madeFolders.splice(0)) await rmdir(folder).catch(() => undefined);
    process.off('exit', this.onExit);
  }
}

/** Writes one file, whole or not at all; replaces what is there. @throws OUTPUT_WRITE_FAILED */
export async function writeWholeFile(path: string, bytes: Uint8Array): Promise<void> {
  const files = new OutputFiles(true);
  try {
    const file = await files.create(path, bytes.length);
    await file.write(bytes);
    await files.commit();
  } finally {
    await files.discard();
  }
}
