import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../../src/convert/convert.js';
import { InstructBlipProcessor } from '../../../src/processor/instruct-blip-processor.js';
import type { ProcessOptions } from '../../../src/processor/processor-options.js';
import { writeParityCheckpoint } from '../support/parity-checkpoint.js';
import { PARITY_RECIPES } from '../support/parity-recipes.js';
import { choices, makeProcessorFolder, reference } from './support/processor-folders.js';
import { FIXTURES } from './support/settings.js';

const folders: string[] = [];
const makeFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'instructblip-processor-'));
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** All that a processor does, or the error's message in place of it, without names of files. */
async function results(processor: InstructBlipProcessor): Promise<unknown[]> {
  const options = { padding: [true, 'max_length'], truncation: [false, true], maxLength: ['unset', 6] };
  const cases = reference.batches.flatMap(text => choices(options).map(each => ({ text, ...each }) as ProcessOptions));
  const made = await Promise.all(
    cases.map(each =>
      processor.process(each).then(
        found => Object.values(found).map(tensor => tensor.tolist()),
        error => error.code,
      ),
    ),
  );
  const { tokenizer, qformerTokenizer } = processor;
  // More than there are: a folder without config.json does not know the rows that have no token.
  const ids = Array.from({ length: 33000 }, (_, id) => id);
  const { pixelValues } = await processor.process({ images: join(FIXTURES, 'rgba.png') });
  const decoded = [true, false].map(skipSpecialTokens => [
    tokenizer.batchDecode(
      ids.map(id => [5, id]),
      { skipSpecialTokens },
    ),
    qformerTokenizer.batchDecode(
      ids.map(id => [5, id]),
      { skipSpecialTokens },
    ),
  ]);
  const facts = [tokenizer, qformerTokenizer].map(each => [
    each.paddingSide,
    each.truncationSide,
    each.modelMaxLength,
    each.padTokenId,
    each.cleanUpTokenizationSpaces,
  ]);
  return [...made, decoded, facts, pixelValues.dims, pixelValues.data];
}

async function open(folder: string): Promise<unknown[]> {
  return results(await InstructBlipProcessor.fromPretrained(folder));
}

const changeJson = (path: string, changes: Record<string, unknown>): void =>
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }));

describe('a processor out of GGUF files', () => {
  const names = ['real-vocabulary', 'loose-epsilons', 't5-real-vocabulary', 't5-old-revision', 'opt-byte-pairs'];

  it.each(names)('equals that of the checkpoint: %s', async name => {
    const checkpoint = makeFolder();
    writeParityCheckpoint(checkpoint, PARITY_RECIPES.find(recipe => recipe.name === name)!);
    const files = makeFolder();
    await convert(checkpoint, files, { languageModelType: 'F32', visionType: 'F32' });
    const found = await open(files);
    expect(found).toEqual(await open(checkpoint));
    // Back to Hugging Face's files: `processor_hf.py equal` says that transformers finds them equal, too.
    const saved = makeFolder();
    await (await InstructBlipProcessor.fromPretrained(files)).savePretrained(saved);
    expect(await open(saved)).toEqual(found);
  });

  it('keeps what the tokenizers say of their rows', async () => {
    const checkpoint = makeFolder();
    writeParityCheckpoint(checkpoint, PARITY_RECIPES.find(({ name }) => name === 'opt-byte-pairs')!);
    changeJson(join(checkpoint, 'tokenizer_config.json'), {
      padding_side: 'left',
      truncation_side: 'left',
      model_max_length: 7,
      clean_up_tokenization_spaces: false,
    });
    changeJson(join(checkpoint, 'qformer_tokenizer/tokenizer_config.json'), {
      padding_side: 'left',
      model_max_length: 9,
      clean_up_tokenization_spaces: false,
    });
    const files = makeFolder();
    await convert(checkpoint, files, { languageModelType: 'F32', visionType: 'F32' });
    const { tokenizer, qformerTokenizer } = await InstructBlipProcessor.fromPretrained(files);
    expect(tokenizer).toMatchObject({
      paddingSide: 'left',
      truncationSide: 'left',
      modelMaxLength: 7,
      cleanUpTokenizationSpaces: false,
    });
    expect(qformerTokenizer).toMatchObject({
      paddingSide: 'left',
      truncationSide: 'right',
      modelMaxLength: 9,
      cleanUpTokenizationSpaces: false,
    });
    expect(await open(files)).toEqual(await open(checkpoint));
  });

  it('has the settings of the hub where the files are from before they were kept: the demo', async () => {
    const { tokenizer, qformerTokenizer } = await InstructBlipProcessor.fromPretrained('models/demo');
    expect(tokenizer).toMatchObject({
      paddingSide: 'left',
      truncationSide: 'left',
      modelMaxLength: 2048,
      padTokenId: 32000,
    });
    expect(qformerTokenizer).toMatchObject({ paddingSide: 'right', truncationSide: 'left', padTokenId: 0 });
  });
});

describe('savePretrained', () => {
  it.each(reference.folders.slice(0, 4))('of a checkpoint: what is loaded again is equal: $name', async folder => {
    const source = makeProcessorFolder(folder);
    folders.push(source);
    const saved = join(makeFolder(), 'new/folder');
    const processor = await InstructBlipProcessor.fromPretrained(source);
    await processor.savePretrained(saved);
    expect(await open(saved)).toEqual(await results(processor));
    expect(readdirSync(join(saved, 'qformer_tokenizer')).sort()).toEqual(['tokenizer_config.json', 'vocab.txt']);
  });

  it('to its own folder changes nothing, and to a folder that is none is refused', async () => {
    const source = makeProcessorFolder(reference.folders[2]!);
    folders.push(source);
    const processor = await InstructBlipProcessor.fromPretrained(source);
    const before = await results(processor);
    await processor.savePretrained(source);
    expect(await open(source)).toEqual(before);
    await expect(processor.savePretrained(join(source, 'merges.txt'))).rejects.toMatchObject({
      code: 'OUTPUT_WRITE_FAILED',
    });
    await expect(processor.savePretrained('')).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    rmSync(join(source, 'vocab.json'));
    rmSync(join(source, 'merges.txt'));
    rmSync(join(source, 'added_tokens.json'));
    rmSync(join(source, 'special_tokens_map.json'));
    await expect(processor.savePretrained(makeFolder())).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
  });
});

describe('fromPretrained refuses', () => {
  it('folders that hold no processor', async () => {
    const empty = makeFolder();
    const code = (folder: string) =>
      InstructBlipProcessor.fromPretrained(folder).then(
        () => 'none',
        error => error.code,
      );
    expect(await code(empty)).toBe('MODEL_NOT_FOUND');
    writeFileSync(join(empty, 'readme.md'), '');
    expect(await code(empty)).toBe('MODEL_NOT_FOUND');
    expect(await code(join(empty, 'missing'))).toBe('MODEL_NOT_FOUND');
    expect(await code('')).toBe('OPTION_INVALID');
  });

  it.each([
    ['preprocessor_config.json', { resample: 2 }, 'CHECKPOINT_UNSUPPORTED'],
    ['preprocessor_config.json', { size: { shortest_edge: 5 } }, 'CHECKPOINT_INVALID'],
    ['tokenizer_config.json', { padding_side: 'top' }, 'CHECKPOINT_INVALID'],
    ['tokenizer_config.json', { model_max_length: 0.5 }, 'CHECKPOINT_INVALID'],
    ['tokenizer_config.json', { tokenizer_class: 'BloomTokenizer' }, 'CHECKPOINT_UNSUPPORTED'],
    ['qformer_tokenizer/tokenizer_config.json', { truncation_side: 1 }, 'CHECKPOINT_INVALID'],
  ])('%s with %j', async (name, changes, code) => {
    const source = makeProcessorFolder(reference.folders[2]!);
    folders.push(source);
    changeJson(join(source, name), changes);
    await expect(InstructBlipProcessor.fromPretrained(source)).rejects.toMatchObject({ code });
  });
});
