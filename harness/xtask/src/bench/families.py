"""The same scoring and generating in transformers, for `cargo xtask bench families`: prints the seconds and the results.

Arguments: a checkpoint directory, a file of rows, what to do (`score` or `generate`), rows of a batch, new tokens. A row
holds `prompt` and `choices`; a byte is a token. Batches are padded, as transformers has it; a forward pass gives the logits that are needed.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM

directory, rows, kind, batch, new_tokens = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
rows = [json.loads(line) for line in open(rows)]
PAD = 0


def padded(sequences, left):
    length = max(map(len, sequences))
    ids = torch.full((len(sequences), length), PAD)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        part = slice(length - len(sequence), None) if left else slice(0, len(sequence))
        ids[row, part] = torch.tensor(sequence)
        mask[row, part] = 1
    return ids, mask


def score(requests):
    sums = []
    for first in range(0, len(requests), batch):
        part = requests[first : first + batch]
        ids, mask = padded([list(prompt + choice)[:-1] for prompt, choice in part], left=False)
        hidden = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        for row, (prompt, choice) in enumerate(part):
            wanted = torch.arange(len(prompt) - 1, len(prompt) + len(choice) - 1)
            logprobs = torch.log_softmax(model.lm_head(hidden[row, wanted]), -1)
            sums.append(logprobs[torch.arange(len(choice)), torch.tensor(list(choice))].sum().item())
    return sums


def generate(prompts):
    answers = []
    for first in range(0, len(prompts), batch):
        ids, mask = padded([list(prompt) for prompt in prompts[first : first + batch]], left=True)
        given = {"do_sample": False, "max_new_tokens": new_tokens, "min_new_tokens": new_tokens, "pad_token_id": PAD}
        out = model.generate(input_ids=ids, attention_mask=mask, **given)
        answers += out[:, ids.shape[1] :].tolist()
    return answers


with torch.inference_mode():
    # What is done once in a process is not measured.
    model.generate(input_ids=torch.ones((2, 8), dtype=torch.long), max_new_tokens=2, pad_token_id=PAD)
    began = time.perf_counter()
    if kind == "score":
        found = score([(row["prompt"].encode(), choice.encode()) for row in rows for choice in row["choices"]])
    else:
        found = generate([row["prompt"].encode() for row in rows])
    seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "results": found}))
