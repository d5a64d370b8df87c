"""Writes `windows.json`: log-likelihoods of texts longer than the context of the tiny GPT-2, by lm-evaluation-harness
(`loglikelihood_rolling`) and by Transformers, with the loop of its guide to perplexity and sums in place of means.

    python3 windows.py PATH_TO_SHARED

It needs lm-eval 0.4.13, transformers and torch. The texts are rows of GSM8K, which the test reads from the same place.
"""

import json
import pathlib
import sys

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

SHARED = pathlib.Path(sys.argv[1])
ROWS = [json.loads(line) for line in open(SHARED / "data/gsm8k/test.jsonl", encoding="utf-8")]
STRIDES = [256, 100]


def text(first: int, count: int) -> str:
    return "\n\n".join(f"{row['question']}\n{row['answer']}" for row in ROWS[first : first + count])


def strided(model: HFLM, ids: torch.Tensor, stride: int) -> tuple[float, int]:
    length, scored, total, tokens = ids.size(1), 0, 0.0, 0
    for begin in range(0, length, stride):
        end = min(begin + model.max_length, length)
        window = ids[:, begin:end]
        targets = window.clone()
        targets[:, : -(end - scored)] = -100
        with torch.no_grad():
            loss = model.model(window, labels=targets).loss.item()
        count = (targets[:, 1:] != -100).sum().item()
        total -= loss * count
        tokens += count
        scored = end
        if end == length:
            break
    return total, tokens


def main() -> None:
    model = HFLM(pretrained=str(SHARED / "models/tiny-gpt2"), dtype="float32", device="cpu", batch_size=1)
    found = []
    for first, count in [(0, 1), (1, 9)]:
        whole = text(first, count)
        request = Instance(request_type="loglikelihood_rolling", doc={}, arguments=(whole,), idx=0)
        (rolling,) = model.loglikelihood_rolling([request])
        ids = model.tokenizer(whole, return_tensors="pt").input_ids
        strides = {stride: strided(model, ids, stride) for stride in STRIDES}
        found.append({"first": first, "count": count, "tokens": ids.size(1), "rolling": rolling, "strided": strides})
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


main()
