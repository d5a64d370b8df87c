"""The same training in PyTorch, for `cargo xtask bench train`: prints the tokens a second of each step.

Arguments: a checkpoint directory, rows, tokens of a row, steps.
"""

import sys
import time

import torch
from transformers import GPT2LMHeadModel

directory, rows, tokens, steps = sys.argv[1], *map(int, sys.argv[2:])
model = GPT2LMHeadModel.from_pretrained(directory).train()
decayed = [weight for weight in model.parameters() if weight.dim() > 1]
others = [weight for weight in model.parameters() if weight.dim() <= 1]
groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-6)
for step in range(steps):
    batch = torch.randint(0, model.config.vocab_size, (rows, tokens), generator=torch.Generator().manual_seed(step))
    began = time.perf_counter()
    optimizer.zero_grad()
    loss = model(input_ids=batch, labels=batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    loss.item()
    print(rows * tokens / (time.perf_counter() - began), flush=True)
