import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../../../src/convert/convert.js';
import type { NativeModel } from '../../../../src/native/addon.js';
import { loadAddon } from '../../../../src/native/load-addon.js';
import { json, makeCheckpoint } from '../../support/checkpoint.js';

/** A model of tiny random weights with LLaMA's real vocabulary and the hub's special tokens. */
export async function loadLlamaVocabulary(): Promise<NativeModel> {
  const sizes = { vocabulary: 32001, hidden: 32, heads: 2, kvHeads: 1, layers: 1, feedForward: 32 };
  const checkpoint = makeCheckpoint({ sizes: { ...sizes, imageTokenId: undefined } });
  const out = mkdtempSync(join(tmpdir(), 'instructblip-vocabulary-'));
  try {
    copyFileSync(join(__dirname, '../../../fixtures/vocab/llama-tokenizer.model'), join(checkpoint, 'tokenizer.model'));
    rmSync(join(checkpoint, 'tokenizer.json'));
    writeFileSync(join(checkpoint, 'added_tokens.json'), json({ '[PAD]': 32000 }));
    const paths = await convert(checkpoint, out, { languageModelType: 'F32', visionType: 'F32' });
    const { addon } = loadAddon();
    const options = { device: 'cpu', gpuLayers: 0, threads: 1, contextSize: 64, maxSequences: 1 } as const;
    return await addon.loadModel({ ...paths, ...options, kvCacheType: 'f32' }, new addon.CancelToken(), null);
  } finally {
    rmSync(checkpoint, { recursive: true });
    rmSync(out, { recursive: true });
  }
}
