"""The same work with Python's onnxruntime, for `cargo xtask bench onnx`: prints the tokens a second of scoring, then of
generation.

Arguments: a model in ONNX with past keys and values, the work as JSON (token ids), threads.
"""

import json
import sys
import time

import numpy
import onnxruntime

path, work, threads = sys.argv[1], json.load(open(sys.argv[2])), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
pasts = [value for value in session.get_inputs() if value.name.startswith("past_key_values")]
names = [value.name for value in session.get_inputs()]
presents = [value.name for value in session.get_outputs() if value.name.startswith("present")]


def run(ids, past, length):
    """Logits, and the keys and values that the next call takes; these are not copied."""
    rows, tokens = ids.shape
    binding = session.io_binding()
    binding.bind_cpu_input("input_ids", ids)
    binding.bind_cpu_input("attention_mask", numpy.ones((rows, length + tokens), numpy.int64))
    if "position_ids" in names:
        binding.bind_cpu_input("position_ids", numpy.tile(numpy.arange(length, length + tokens), (rows, 1)))
    for value, kept in zip(pasts, past):
        binding.bind_ortvalue_input(value.name, kept)
    binding.bind_output("logits")
    for name in presents:
        binding.bind_output(name)
    session.run_with_iobinding(binding)
    outputs = binding.get_outputs()
    return outputs[0].numpy(), outputs[1:]


def nothing(rows):
    shape = [rows, pasts[0].shape[1], 0, pasts[0].shape[3]]
    return [onnxruntime.OrtValue.ortvalue_from_numpy(numpy.zeros(shape, numpy.float32)) for _ in pasts]


def score(documents, scored):
    ids = numpy.array(documents, numpy.int64)
    logits, _ = run(ids[:, :-1], nothing(len(ids)), 0)
    logits = logits[:, -scored:]
    shifted = logits - logits.max(-1, keepdims=True)
    values = shifted - numpy.log(numpy.exp(shifted).sum(-1, keepdims=True))
    return numpy.take_along_axis(values, ids[:, -scored:, None], -1).sum((1, 2))


def generate(prompts, new):
    ids = numpy.array(prompts, numpy.int64)
    past, length = nothing(len(ids)), 0
    for _ in range(new):
        logits, past = run(ids, past, length)
        length += ids.shape[1]
        ids = logits[:, -1].argmax(-1)[:, None]


score(work["documents"][:1], work["scored"])
rows = work["rows"]
began = time.perf_counter()
sums = [score(work["documents"][at : at + rows], work["scored"]) for at in range(0, len(work["documents"]), rows)]
tokens = sum(len(document) for document in work["documents"])
print(tokens / (time.perf_counter() - began))
began = time.perf_counter()
rows = work["prompt_rows"]
for at in range(0, len(work["prompts"]), rows):
    generate(work["prompts"][at : at + rows], work["new"])
print(len(work["prompts"]) * work["new"] / (time.perf_counter() - began))
print(float(numpy.concatenate(sums).sum()))
