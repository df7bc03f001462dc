"""What LoRA conserves of its two factors while B grows from 0. Needs peft.

python examples/lora.py
"""

from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from clexact.torch import LawMonitor, laws

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3))
model = get_peft_model(net, LoraConfig(r=2, target_modules=["0", "2"], lora_dropout=0.0))
x, y = torch.randn(64, 6), torch.randn(64, 3)
found = laws(model, x)
print(found.table())

optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
monitor = LawMonitor.attach(model, optimizer, laws=found)
for _ in range(200):
    optimizer.zero_grad()
    (model(x) - y).square().mean().backward()
    optimizer.step()
print(monitor.report())
