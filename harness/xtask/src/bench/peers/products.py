"""The product of two square matrices of 2048 rows, for `cargo xtask bench peers`: the fastest of PyTorch's and NumPy's, as JSON.

Argument: a number type of PyTorch's; NumPy has `float32` alone. A product counts with the median of its times.
"""

import json
import statistics
import sys
import time

import numpy
import torch

SIZE = 2048
number_type = sys.argv[1]


def gflop_per_s(product):
    def once():
        began = time.perf_counter()
        product()
        return time.perf_counter() - began

    # Without instructions for `bfloat16` one product takes ten seconds.
    times = max(1, min(24, int(5 / once())))
    return 2 * SIZE**3 / statistics.median(once() for _ in range(times)) / 1e9


a, b = (torch.randn(SIZE, SIZE).to(getattr(torch, number_type)) for _ in range(2))
products = [("PyTorch", lambda: a @ b), ("PyTorch", lambda: a @ b.t())]
if number_type == "float32":
    c, d = a.numpy(), b.numpy()
    products.append(("NumPy", lambda: numpy.dot(c, d)))
best, library = max((gflop_per_s(product), library) for library, product in products)
print(json.dumps({"gflop_per_s": best, "library": library}))
