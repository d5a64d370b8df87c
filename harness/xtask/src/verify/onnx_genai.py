"""Models of ONNX Runtime GenAI's builder, for a comparison.

build CHECKPOINT PRECISION OUT [NAME=VALUE ...]   the builder's model for the CPU, with its extra options
open MODEL                                        why Python's ONNX Runtime does not open the model; nothing if it does
dequantize MODEL CHECKPOINT OUT                   the checkpoint with the weights that the model has after rounding; the model may
                                                  be an export of Examiner
same BUILT EXPORTED                               how many matrices of 4 bits both have, and how many are the same to the bit
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def build(checkpoint, precision, out, *extra):
    checkpoint = Path(checkpoint)
    with tempfile.TemporaryDirectory() as copy:
        copy = Path(copy)
        for file in checkpoint.iterdir():
            if file.suffix in (".json", ".safetensors", ".jinja"):
                shutil.copy(file, copy / file.name)
        config = json.loads((copy / "config.json").read_text())
        if config["model_type"] == "phi3":
            # Where the two differ, the builder expects factors of rotations.
            config["original_max_position_embeddings"] = config["max_position_embeddings"]
        (copy / "config.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-e", "cpu", "-p", precision]
        command += ["-m", str(copy), "-o", out, "-c", str(copy / "cache")]
        if extra:
            command += ["--extra_options", *extra]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
    # It saves the tokenizer of the family's class in transformers, which is not always the checkpoint's own.
    shutil.copy(checkpoint / "tokenizer.json", Path(out) / "tokenizer.json")


def open_model(model):
    from onnx_score import Model

    try:
        Model(Path(model) / "model.onnx")
    except Exception as error:
        # What it says of a node that a type does not fit, without the path before it.
        print(" ".join(str(error).split("failed:", 1)[-1].split()))


def dequantized(node, weights):
    """`[outputs, inputs]`, in 32 bits. Numbers lie row by row in blocks; the lower bits of a byte come first."""
    import onnx

    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    bits, block = attributes["bits"], attributes["block_size"]
    blob, scales = weights[node.input[1]], weights[node.input[2]].astype(np.float32)
    outputs = blob.shape[0]
    unpacked = lambda bytes: np.stack([bytes & 15, bytes >> 4], -1).reshape(outputs, -1) if bits == 4 else bytes.reshape(outputs, -1)
    numbers = unpacked(blob).astype(np.float32).reshape(outputs, -1, block)
    scales = scales.reshape(outputs, -1, 1)
    if len(node.input) > 3 and node.input[3]:
        zeros = unpacked(weights[node.input[3]].reshape(outputs, -1))[:, : scales.shape[1], None].astype(np.float32)
    else:
        zeros = np.float32(1 << bits - 1)
    return ((numbers - zeros) * scales).reshape(outputs, -1)[:, : attributes["K"]]


def read(model):
    """The graph of a directory, and its constants."""
    import onnx
    from onnx.external_data_helper import load_external_data_for_model

    graph = onnx.load(model / "model.onnx", load_external_data=False)
    load_external_data_for_model(graph, str(model))
    return graph.graph, {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}


def same(built, exported):
    (_, theirs), (_, ours) = read(Path(built)), read(Path(exported))
    both = equal = 0
    for name, numbers in theirs.items():
        if not name.endswith(".MatMul.weight_Q4"):
            continue
        own = name.replace(".MatMul.", ".").replace(".attn.", ".self_attn.")
        own = own.replace("lm_head", "model.embed_tokens") if own not in ours else own
        if own in ours:
            scales = [names[part.replace("_Q4", "_scales")] for names, part in ((theirs, name), (ours, own))]
            both += 1
            equal += np.array_equal(numbers, ours[own]) and np.array_equal(*scales)
    print(json.dumps([both, int(equal)]))


def dequantize(model, checkpoint, out):
    from safetensors.numpy import save_file
    from safetensors.torch import load_file

    model, checkpoint, out = Path(model), Path(checkpoint), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for file in checkpoint.iterdir():
        if file.suffix in (".json", ".jinja") and "safetensors" not in file.name:
            shutil.copy(file, out / file.name)
    config = json.loads((out / "config.json").read_text())
    graph, weights = read(model)
    # NumPy has no bfloat16.
    tensors = {name: value.float().numpy() for name, value in load_file(checkpoint / "model.safetensors").items()}
    replaced = set()

    def replace(name, value):
        assert tensors[name].shape == value.shape, (name, tensors[name].shape, value.shape)
        tensors[name] = value
        replaced.add(name)

    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    shares = [heads * width, config.get("num_key_value_heads", heads) * width]
    for node in graph.node:
        if node.op_type != "MatMulNBits":
            continue
        name, value = node.input[1].split(".MatMul.")[0].replace(".attn.", ".self_attn."), dequantized(node, weights)
        if name.removesuffix("_Q4") in tensors:
            replace(name.removesuffix("_Q4"), value)
        elif name == "lm_head":
            # With 4 bits, embeddings that are the head are looked up in it; with 8, they keep their own numbers.
            looked_up = any(other.op_type == "GatherBlockQuantized" for other in graph.node)
            if "lm_head.weight" not in tensors and not looked_up:
                tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
                config["tie_word_embeddings"] = False
            replace("lm_head.weight" if "lm_head.weight" in tensors else "model.embed_tokens.weight", value)
        elif name.endswith("qkv_proj") and f"{name}.weight" not in tensors:
            ends = [shares[0], shares[0] + shares[1]]
            for part, rows in zip("qkv", np.split(value, ends)):
                replace(f"{name.replace('qkv_proj', part + '_proj')}.weight", rows)
        elif name.endswith("gate_up_proj") or f"{name}.weight" in tensors:
            replace(f"{name}.weight", value)
        elif name.rsplit(".", 1)[-1] in ("gate_proj", "up_proj"):
            # One tensor of the checkpoint, of which the builder makes two.
            joined = tensors[f"{name.rsplit('.', 1)[0]}.gate_up_proj.weight"]
            half = len(joined) // 2
            joined[half:] = value if name.endswith("up_proj") else joined[half:]
            joined[:half] = value if name.endswith("gate_proj") else joined[:half]
            replaced.add(name)
        else:
            sys.exit(f"the checkpoint has no tensor for `{node.input[1]}`")
    assert replaced, "the model has no rounded weights"
    (out / "config.json").write_text(json.dumps({**config, "dtype": "float32", "torch_dtype": "float32"}))
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, out / "model.safetensors")


if __name__ == "__main__":
    {"build": build, "open": open_model, "dequantize": dequantize, "same": same}[sys.argv[1]](*sys.argv[2:])
