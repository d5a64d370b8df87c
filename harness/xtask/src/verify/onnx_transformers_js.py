"""A checkpoint as transformers.js has it: onnx_transformers_js.py CHECKPOINT OUT

What `scripts/convert.py --quantize` of transformers.js does: the export by Hugging Face's Optimum goes into OUT/onnx, and beside it files with
fewer bits, by the same functions of ONNX Runtime with the same options. `model.onnx` has its weights in a file of its own.
"""

import shutil
import sys
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantizationMode, QuantType
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
from onnxruntime.quantization.registry import IntegerOpsRegistry
from onnxruntime.transformers import float16

from onnx_optimum import export


def half(model):
    blocked = {*float16.DEFAULT_OP_BLOCK_LIST, "Cast", "CumSum", "Min", "Max", "RandomNormalLike"} - {"Range"}
    return float16.convert_float_to_float16(model, keep_io_types=True, op_block_list=list(blocked))


def four_bits(model):
    quantizer = MatMulNBitsQuantizer(model, bits=4, block_size=32, is_symmetric=True, accuracy_level=None)
    quantizer.process()
    return quantizer.model.model


def eight_bits(model, kind):
    quantizer = ONNXQuantizer(
        model,
        False,
        False,
        mode=QuantizationMode.IntegerOps,
        static=False,
        weight_qType=kind,
        activation_qType=QuantType.QUInt8,
        tensors_range=None,
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=set(IntegerOpsRegistry.keys()),
        extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
    )
    quantizer.quantize_model()
    return quantizer.model.model


MODES = {
    "fp16": half,
    "q4": four_bits,
    "q4f16": lambda model: half(four_bits(model)),
    "quantized": lambda model: eight_bits(model, QuantType.QInt8),
    "uint8": lambda model: eight_bits(model, QuantType.QUInt8),
}


def main(checkpoint, out):
    out = Path(out)
    (out / "onnx").mkdir(parents=True, exist_ok=True)
    export(Path(checkpoint), out)
    # Transformers 4 does not read every tokenizer that transformers 5 saved.
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(checkpoint) / name, out / name)
    model = onnx.load(out / "model.onnx")
    for file in out.glob("model.onnx*"):
        file.unlink()
    original = model.SerializeToString()
    external = {"save_as_external_data": True, "location": "model.onnx_data", "size_threshold": 1024}
    (out / "onnx/model.onnx_data").unlink(missing_ok=True)
    onnx.save_model(model, out / "onnx/model.onnx", **external)
    for name, change in MODES.items():
        onnx.save_model(change(onnx.load_model_from_string(original)), out / f"onnx/model_{name}.onnx")


if __name__ == "__main__":
    main(*sys.argv[1:])
