"""Speed of PyTorch's linear layers, beside `matrix-product-bench` with the same numbers: float32, bfloat16 and int8 (dynamic).

    bench/.venv/bin/python bench/linears.py [threads] [rows of weights] [columns] [rows of x]
"""

import sys
import time

import torch


def best_seconds(work):
    work()
    times = []
    for _ in range(15):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    threads, rows, columns, count = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 1), (2, 6144), (3, 1408), (4, 257)))
    torch.set_num_threads(threads)
    x = torch.randn(count, columns)
    layer = torch.nn.Linear(columns, rows, bias=False)
    layers = {
        'float32': (layer, x),
        'bfloat16': (torch.nn.Linear(columns, rows, bias=False).bfloat16(), x.bfloat16()),
        'int8, dynamic': (torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(layer), {torch.nn.Linear}, dtype=torch.qint8), x),
    }
    print(f'torch {torch.__version__}, {threads} threads, {rows} x {columns} weights, {count} rows')
    with torch.inference_mode():
        for name, (module, values) in layers.items():
            seconds = best_seconds(lambda module=module, values=values: module(values))
            print(f'{name:14} {seconds * 1e3:8.2f} ms {2e-9 * rows * columns * count / seconds:7.0f} GFLOP/s')


main()
