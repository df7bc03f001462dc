"""What the training of a GPT-2 conserves, and what its optimizer does to that. Needs transformers.

python examples/gpt2.py
"""

from __future__ import annotations

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from clexact.torch import LawMonitor, laws

config = GPT2Config(
    vocab_size=50, n_positions=16, n_embd=16, n_layer=3, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
)
torch.manual_seed(0)
model = GPT2LMHeadModel(config)
tokens = torch.randint(50, (4, 8))
found = laws(model, {"input_ids": tokens, "use_cache": False}, loss="cross_entropy", class_axis=-1, certify=False)
print(found.table())

optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
monitor = LawMonitor.attach(model, optimizer, laws=found)
for _ in range(5):
    optimizer.zero_grad()
    model(input_ids=tokens, labels=tokens).loss.backward()
    optimizer.step()
print(monitor.report())
