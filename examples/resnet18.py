"""What the training of a ResNet-18 conserves, and a rebalanced copy with the same outputs. Needs torchvision.

python examples/resnet18.py
"""

from __future__ import annotations

import torch
from torchvision.models import resnet18

from clexact.torch import balance, laws

torch.manual_seed(0)
net = resnet18(num_classes=10).eval()
images = torch.randn(2, 3, 64, 64)
found = laws(net, images, loss="cross_entropy", certify=False, time_limit=300)
print(found.table())

before = net(images)
done = balance(net, images, tolerance=1e-6)
print(done)
print(f"largest change of an output in float32: {(net(images) - before).abs().max().item():.1e}")
