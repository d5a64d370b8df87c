"""Blocks of every number type that GGUF files are read in, and the numbers that they stand for by the Python package `gguf`.

Writes `quantized.gguf` beside this file: for each type a tensor of two rows with the type's name, of random bits with
scales that are numbers, and another with `.expected` behind its name, in 32 bits. Run it with a Python that has `gguf` (0.19 or later):
`python harness/test-support/ground-truth/quantized.py`.
"""

from pathlib import Path

import gguf
import numpy
from gguf import GGMLQuantizationType as Type

# Where in a block the numbers of 16 bits lie, of which some bits would make no number.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82],
    Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0],
}
ROWS, WIDTH = 2, 256


def blocks(kind, noise):
    size, length = gguf.GGML_QUANT_SIZES[kind]
    data = noise.integers(0, 256, (ROWS * WIDTH // size, length), dtype=numpy.uint8)
    for at in HALVES[kind]:
        scales = noise.normal(0, 0.1, len(data)).astype(numpy.float16)
        data[:, at:at + 2] = scales.view(numpy.uint8).reshape(-1, 2)
    return data.reshape(ROWS, -1)


def main():
    noise = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(str(Path(__file__).parent / "quantized.gguf"), "none")
    for kind in HALVES:
        data = blocks(kind, noise)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        writer.add_tensor(f"{kind.name}.expected", gguf.quants.dequantize(data, kind))
    numbers = noise.normal(0, 1, (ROWS, WIDTH)).astype(numpy.float32)
    for kind in [Type.F32, Type.F16, Type.BF16]:
        data = gguf.quants.quantize(numbers, kind)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        writer.add_tensor(f"{kind.name}.expected", gguf.quants.dequantize(data, kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
