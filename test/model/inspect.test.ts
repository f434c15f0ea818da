import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../src/convert/convert.js';
import { inspectModel } from '../../src/model/inspect.js';
import { InstructBlip } from '../../src/model/instruct-blip.js';
import { makeTextCheckpoint, TINY_OPT, TINY_T5 } from '../unit/support/text-checkpoint.js';

const folders: string[] = [];
const keep = (folder: string): string => {
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function convertedPair(sizes: typeof TINY_T5 | typeof TINY_OPT) {
  const folder = keep(mkdtempSync(join(tmpdir(), 'instructblip-inspect-')));
  const types = { languageModelType: 'F32', visionType: 'F32' } as const;
  return { folder, ...(await convert(keep(makeTextCheckpoint(sizes)), folder, types)) };
}

/** Overwrites bytes at a distance behind the name of a key. A key's value: type u32, type of the elements u32, count u64, elements. */
function overwrite(path: string, key: string, distance: number, text: string): void {
  const bytes = readFileSync(path);
  bytes.write(text, bytes.indexOf(key) + key.length + distance, 'latin1');
  writeFileSync(path, bytes);
}

describe('inspectModel', () => {
  it.each([TINY_T5, TINY_OPT])('finds a whole pair runnable (%#)', async sizes => {
    const { folder } = await convertedPair(sizes);
    expect(await inspectModel(folder)).toMatchObject({ runnable: true, problem: null });
  });

  it.each([
    ['the map of T5', TINY_T5, 'tokenizer.ggml.precompiled_charsmap', 16, '\xff\xff\xff\xff'],
    ['the first merge of OPT', TINY_OPT, 'tokenizer.ggml.merges', 24, 'qqq'],
  ] as const)('says of a damaged tokenizer what load says: %s', async (_, sizes, key, distance, text) => {
    const { folder, languageModelPath } = await convertedPair(sizes);
    overwrite(languageModelPath, key, distance, text);
    const error = (await InstructBlip.load(folder, { device: 'cpu' }).catch(reason => reason)) as Error;
    expect(error).toMatchObject({ code: 'MODEL_FILE_KEY_INVALID' });
    const problem = { code: 'MODEL_FILE_KEY_INVALID', message: error.message };
    expect(await inspectModel(folder)).toMatchObject({ runnable: false, problem });
  });
});
