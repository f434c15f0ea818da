import { type GgufEntry, layoutGguf, pad, tensorByteLength } from '../gguf/gguf-header.js';
import type { OutputFile } from './output-files.js';
import { type EncoderContext, encodeRows } from './row-encoder.js';
import type { PlannedTensor } from './tensor-plan.js';

/** A GGUF file that is known but for its weights. */
export interface GgufPlan {
  readonly path: string;
  readonly entries: readonly GgufEntry[];
  readonly tensors: readonly PlannedTensor[];
  readonly header: Buffer;
  readonly fileSize: number;
}

/** Lays a file out: its size is known before the first weight is read. */
export function planGguf(path: string, entries: readonly GgufEntry[], tensors: readonly PlannedTensor[]): GgufPlan {
  const { header, fileSize } = layoutGguf(entries, tensors);
  return { path, entries, tensors, header, fileSize };
}

/** Writes header and tensors in order. `onBytes` is told of every piece written. */
export async function writeGguf(
  plan: GgufPlan,
  output: OutputFile,
  context: EncoderContext,
  onBytes: (count: number) => void,
): Promise<void> {
  const write = async (bytes: Uint8Array) => {
    await output.write(bytes);
    onBytes(bytes.length);
  };
  await write(plan.header);
  for (const tensor of plan.tensors) {
    for await (const bytes of encodeRows(tensor.name, tensor.rows, tensor.type, context)) await write(bytes);
    const size = tensorByteLength(tensor);
    if (pad(size) > size) await write(new Uint8Array(pad(size) - size));
  }
}
