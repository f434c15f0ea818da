import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findModelFiles, type ModelSource } from '../../src/model/model-files.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
function folderWith(...names: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'instructblip-files-'));
  folders.push(folder);
  for (const name of names) writeFileSync(join(folder, name), '');
  return folder;
}
const refused = (source: ModelSource, code: string, message: RegExp) =>
  expect(findModelFiles(source)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

describe('findModelFiles', () => {
  it('finds the two files of a folder, whatever else is in it', async () => {
    const folder = folderWith('mmproj-x-F16.gguf', 'x-Q4_K_M.GGUF', 'README.md', 'scene.png');
    expect(await findModelFiles(folder)).toEqual({
      visionPath: join(folder, 'mmproj-x-F16.gguf'),
      languageModelPath: join(folder, 'x-Q4_K_M.GGUF'),
    });
  });

  it('takes two files as they are named', async () => {
    const folder = folderWith('a.gguf', 'b.gguf');
    const pair = { vision: join(folder, 'a.gguf'), languageModel: join(folder, 'b.gguf') };
    expect(await findModelFiles(pair)).toEqual({ visionPath: pair.vision, languageModelPath: pair.languageModel });
    await refused({ ...pair, vision: join(folder, 'c.gguf') }, 'MODEL_NOT_FOUND', /c\.gguf/);
  });

  it('says what it found when something is missing or there is too much', async () => {
    await refused(folderWith('x.gguf'), 'MODEL_NOT_FOUND', /no mmproj-\*\.gguf file; it has x\.gguf/);
    await refused(folderWith('mmproj-x.gguf'), 'MODEL_NOT_FOUND', /no language model .*it has mmproj-x\.gguf/);
    await refused(folderWith(), 'MODEL_NOT_FOUND', /it has no \.gguf file/);
    await refused(
      folderWith('mmproj-x.gguf', 'a.gguf', 'b.gguf'),
      'MODEL_FOLDER_AMBIGUOUS',
      /a\.gguf, b\.gguf, mmproj-x\.gguf/,
    );
    await refused(join(folderWith(), 'nowhere'), 'MODEL_NOT_FOUND', /no model folder/);
    await refused(join(folderWith('x.gguf'), 'x.gguf'), 'MODEL_NOT_FOUND', /is a file/);
  });

  it.each([[5], [null], [''], [{ vision: 'x' }]])('refuses %j', async source => {
    await refused(source as unknown as ModelSource, 'OPTION_INVALID', /a model is a folder or/);
  });
});
