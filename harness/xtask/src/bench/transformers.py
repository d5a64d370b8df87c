"""The same work with Hugging Face's transformers, for `cargo xtask bench onnx --peer transformers`: prints the tokens a
second of scoring, then of generation, then the sum of all scores.

Arguments: a checkpoint directory, the work as JSON (token ids), a device of PyTorch's, and a number type of PyTorch's, `float32` if
there is none.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM

path, work, device = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3]
number_type = getattr(torch, (sys.argv[4:] or ["float32"])[0])
model = AutoModelForCausalLM.from_pretrained(path, dtype=number_type).to(device).eval()


@torch.inference_mode()
def score(documents):
    ids = torch.tensor(documents, device=device)
    scored = work["scored"]
    logits = model(ids[:, :-1], use_cache=False).logits[:, -scored:].float()
    values = logits.log_softmax(-1).gather(-1, ids[:, -scored:, None])
    return float(values.double().sum())


@torch.inference_mode()
def generate(prompts):
    ids = torch.tensor(prompts, device=device)
    new = work["new"]
    model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, min_new_tokens=new, do_sample=False, pad_token_id=0)


def timed(call, *arguments):
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    began = time.perf_counter()
    value = call(*arguments)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - began, value


score(work["documents"][:1])
generate([work["prompts"][0][:8]])
rows = work["rows"]
batches = [work["documents"][at : at + rows] for at in range(0, len(work["documents"]), rows)]
measured = [timed(score, batch) for batch in batches]
print(sum(len(document) for document in work["documents"]) / sum(seconds for seconds, _ in measured))
rows = work["prompt_rows"]
batches = [work["prompts"][at : at + rows] for at in range(0, len(work["prompts"]), rows)]
seconds = sum(timed(generate, batch)[0] for batch in batches)
print(len(work["prompts"]) * work["new"] / seconds)
print(sum(value for _, value in measured))
