import { OptionError } from '../../src/errors.js';
import { Tensor } from '../../src/tensor.js';

describe('Tensor', () => {
  it('is row-major', () => {
    const data = Float32Array.from({ length: 24 }, (_, i) => i);
    const tensor = new Tensor(data, [2, 3, 4]);
    expect(tensor.data).toBe(data);
    expect(tensor.dims).toEqual([2, 3, 4]);
    expect(tensor.tolist()).toEqual([
      [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
      ],
      [
        [12, 13, 14, 15],
        [16, 17, 18, 19],
        [20, 21, 22, 23],
      ],
    ]);
  });

  it('of no dimension is a number, of no length empty', () => {
    expect(new Tensor(Int32Array.of(7), []).tolist()).toBe(7);
    expect(new Tensor(new Int32Array(), [0]).tolist()).toEqual([]);
    expect(new Tensor(new Int32Array(), [2, 0]).tolist()).toEqual([[], []]);
    expect(new Tensor(new Int32Array(), [0, 2]).tolist()).toEqual([]);
    expect(new Tensor(Int32Array.of(1, 2), [2, 1]).tolist()).toEqual([[1], [2]]);
  });

  it('takes its shape over, not the array', () => {
    const dims = [1, 2];
    const tensor = new Tensor(Int32Array.of(1, 2), dims);
    dims[0] = 5;
    expect(tensor.dims).toEqual([1, 2]);
  });

  it.each([
    [Int32Array.of(1, 2, 3), [2]],
    [Int32Array.of(1), [-1]],
    [Int32Array.of(1), [0.5]],
    [Int32Array.of(1), 1],
    [[1], [1]],
    [new Float64Array(1), [1]],
    [null, []],
  ])('refuses %p as %p', (data, dims) => {
    expect(() => new Tensor(data as never, dims as never)).toThrow(OptionError);
  });
});
