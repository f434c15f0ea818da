import type { NativeTensors } from '../native/addon.js';
import { Tensor } from '../tensor.js';

/** Intermediates of the rows of a batch, as tensors of the whole batch. A row is in memory twice only while it is added. */
export class BatchOutputs {
  readonly #batch: number;
  readonly #values = new Map<string, Float32Array>();

  constructor(batch: number) {
    this.#batch = batch;
  }

  /** Every row has the same names and sizes. */
  add(row: number, tensors: NativeTensors): void {
    for (const [name, { data }] of Object.entries(tensors)) this.set(row, name, data);
  }

  set(row: number, name: string, data: Float32Array): void {
    if (this.#batch === 1) {
      this.#values.set(name, data);
      return;
    }
    const whole = this.#values.get(name) ?? new Float32Array(this.#batch * data.length);
    whole.set(data, row * data.length);
    this.#values.set(name, whole);
  }

  /** [B, ...dims] */
  tensor(name: string, dims: readonly number[]): Tensor<Float32Array> {
    return new Tensor(this.#values.get(name) as Float32Array, [this.#batch, ...dims]);
  }

  tensors(names: readonly string[], dims: readonly number[]): Tensor<Float32Array>[] {
    return names.map(name => this.tensor(name, dims));
  }
}

/** `stage.step-0`, `stage.step-1`, … */
export const layerNames = (step: string, layers: number): string[] =>
  Array.from({ length: layers }, (_, layer) => `${step}-${layer}`);
