"""PyTorch modules for the tests: networks, and modules that look like a pattern and are not."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import Linear
from torch.nn import functional as F  # noqa: N812


class Block(nn.Module):
    """A basic block of a ResNet."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet18(nn.Module):
    """ResNet-18, of width 64 in the original."""

    def __init__(self, width=64, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(width, width, 1), Block(width, width, 1))
        self.layer2 = nn.Sequential(Block(width, 2 * width, 2), Block(2 * width, 2 * width, 1))
        self.layer3 = nn.Sequential(Block(2 * width, 4 * width, 2), Block(4 * width, 4 * width, 1))
        self.layer4 = nn.Sequential(Block(4 * width, 8 * width, 2), Block(8 * width, 8 * width, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Bottleneck(nn.Module):
    """A block of ResNet-101."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet101(nn.Module):
    """ResNet-101, of width 64 and 3, 4, 23 and 3 blocks in the original."""

    def __init__(self, width=64, classes=1000, blocks=(3, 4, 23, 3)):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        layers, inputs = [], width
        for n, count in enumerate(blocks):
            for k in range(count):
                layers.append(Bottleneck(inputs, width * 2**n, 2 if n and not k else 1))
                inputs = 4 * width * 2**n
        self.layers, self.avgpool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layers(x)), 1))


class CausalAttention(nn.Module):
    """Attention of GPT-2: queries, keys and values from one layer."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x):
        shape = (*x.shape[:2], self.heads, x.shape[2] // self.heads)
        q, k, v = (part.view(shape).transpose(1, 2) for part in self.c_attn(x).split(x.shape[2], dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(x.shape))


class Layer(nn.Module):
    """A layer of GPT-2."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.dropout = CausalAttention(width, heads), nn.Dropout(dropout)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.dropout(self.attn(self.ln_1(x)))
        return x + self.dropout(self.mlp(self.ln_2(x)))


class GPT(nn.Module):
    """GPT-2: 12 layers of width 768 in the original, the embedding tied to the head."""

    def __init__(self, width=768, heads=12, layers=12, words=50257, length=1024, dropout=0.1):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(words, width), nn.Embedding(length, width)
        self.h = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.ln_f, self.lm_head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for layer in self.h:
            x = layer(x)
        return self.lm_head(self.ln_f(x))


class RootMeanSquare(nn.Module):
    """The normalisation of Llama, in float32 whatever the type."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        wide = x.float()
        return self.weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


class LlamaLayer(nn.Module):
    """A layer of Llama: rotary positions, key heads shared by two query heads, SwiGLU."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.n1, self.n2 = heads, RootMeanSquare(width), RootMeanSquare(width)
        sizes = {"q": (1, 1), "k": (2, 1), "v": (2, 1), "o": (1, 1), "gate": (1, 3), "up": (1, 3)}
        for name, (less, more) in sizes.items():
            setattr(self, name, nn.Linear(width, more * width // less, bias=False))
        self.down = nn.Linear(3 * width, width, bias=False)

    def forward(self, x, cos, sin):
        y = self.n1(x)
        q, k, v = (layer(y).unflatten(2, (-1, x.shape[2] // self.heads)).transpose(1, 2) for layer in
                   (self.q, self.k, self.v))  # fmt: skip
        half = q.shape[-1] // 2
        q, k = (z * cos + torch.cat([-z[..., half:], z[..., :half]], -1) * sin for z in (q, k))
        k, v = (z[:, :, None].expand(-1, -1, 2, -1, -1).reshape(q.shape) for z in (k, v))
        scores = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1, dtype=torch.float32).to(q.dtype)
        x = x + self.o((scores @ v).transpose(1, 2).reshape(x.shape))
        y = self.n2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """A decoder as Llama, on words."""

    def __init__(self, layers, width=16, heads=4, words=11):
        super().__init__()
        self.words, self.head = nn.Embedding(words, width), nn.Linear(width, words, bias=False)
        self.layers = nn.ModuleList(LlamaLayer(width, heads) for _ in range(layers))
        self.norm = RootMeanSquare(width)
        self.half = width // heads // 2

    def forward(self, tokens):
        x, place = self.words(tokens), torch.arange(tokens.shape[1])[:, None]
        angle = (place * 0.1 ** torch.arange(self.half)).repeat(1, 2)
        for layer in self.layers:
            x = layer(x, angle.cos(), angle.sin())
        return self.head(self.norm(x))


def residual(blocks, width=4):
    """A residual network: each block adds to the stream."""
    parts = (Made(lambda m, x: x + m.b(F.relu(m.a(x))), a=Linear(width, 3), b=Linear(3, width)) for _ in range(blocks))
    return nn.Sequential(Linear(3, width), *parts, Linear(width, 2))


class Made(nn.Module):
    """A module of these parts with this forward function, called with the parts by name."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def pair(between, **more):
    """Linear a, then ``between``, then Linear b, on vectors of 3, 4 and 2 entries."""
    return Made(lambda m, x: m.b(between(m, m.a(x))), a=Linear(3, 4), b=Linear(4, 2), **more)


def parameter(*shape):
    return nn.Parameter(torch.randn(*shape))


def overlapping(m, h):
    first, last = F.layer_norm(h[:, :3], (3,)), F.layer_norm(h[:, 1:], (3,))
    return F.pad(first, (0, 1)) + F.pad(last, (1, 0))


def written_view(m, h):
    h[:, :2].add_(1.0)
    return h


def written_detached(m, h):
    h = h * 1
    h.detach().mul_(2)
    return F.relu(h)


def without_gradient(m, h):
    with torch.no_grad():
        size = h.norm()
    return h / size


def branching(m, h):
    return h if h.sum() > 0 else -h


class Clipped(torch.autograd.Function):
    """The identity, with another gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clamp(-0.1, 0.1)


def hooked(m, h):
    if h.grad_fn is not None:
        h.grad_fn.register_prehook(lambda g: (g[0].clamp(-0.01, 0.01),))
    return h


def tensor_hooked(m, h):
    if h.requires_grad:
        h.register_hook(lambda g: g.clamp(-0.01, 0.01))
    return h


def rotary(m, x):
    shape = (*x.shape[:2], 2, 4)
    q, k, v = (layer(x).view(shape).transpose(1, 2) for layer in (m.q, m.k, m.v))
    angle = torch.arange(x.shape[1])[:, None] * torch.tensor([1.0, 0.1, 1.0, 0.1])
    q, k = (z * angle.cos() + torch.cat([-z[..., 2:], z[..., :2]], -1) * angle.sin() for z in (q, k))
    return m.o(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape))


def shared_keys(m, x):
    q = m.q(x).view(*x.shape[:2], 4, 2).transpose(1, 2)
    k, v = (layer(x).view(*x.shape[:2], 2, 2).transpose(1, 2) for layer in (m.k, m.v))
    k, v = (z[:, :, None].expand(-1, -1, 2, -1, -1).reshape(q.shape) for z in (k, v))
    return m.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))


def by_hand(m, x):
    q, k, v = m.q(x), m.k(x), m.v(x)
    mask = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
    return m.o((q @ k.transpose(-2, -1) / 8**0.5).masked_fill(mask, float("-inf")).softmax(-1) @ v)


def experts(m, x):
    hidden = torch.einsum("bd,edf->ebf", x, m.inward).relu()
    return torch.einsum("be,ebf,efo->bo", m.gate(x).softmax(-1), hidden, m.outward)


def shuffled(m, x):
    h = F.relu(m.a(x))
    return m.b(h.view(h.shape[0], 2, 3, *h.shape[2:]).transpose(1, 2).reshape(h.shape))


def interleaved(h, count):
    return h.view(h.shape[0], count, -1).transpose(1, 2).reshape(h.shape)


def excited(m, x):
    h = F.relu(m.a(x))
    return m.d(h * m.c(F.relu(m.b(h.mean((2, 3), True)))).sigmoid())


def u_net(m, x):
    h = F.relu(m.a(x))
    return m.d(torch.cat([h, m.u(F.relu(m.b(F.max_pool2d(h, 2))))], 1))


def dense(m, x):
    h = torch.cat([x, F.relu(m.a(x))], 1)
    return m.h(torch.cat([h, F.relu(m.b(h))], 1))


def with_class(m, x):
    tokens = torch.cat([m.c.expand(2, 1, 6), m.i(x)], 1) + m.p
    return m.o(F.layer_norm(tokens, (6,)).mean(1))


def shared_memory(part):
    """Two parameters of which the second is a part of the memory of the first."""
    module = nn.Sequential(Linear(4, 4, bias=False), nn.ReLU(), Linear(4, 4, bias=False))
    module[2].weight = nn.Parameter(part(module[0].weight.data))
    return module


def heads(kv=8):
    return {"q": Linear(8, 8), "k": Linear(8, kv), "v": Linear(8, kv), "o": Linear(8, 8)}


MASK = torch.tensor([[1.0, 0, 1, 1], [0, 1, 1, 1]])
VECTORS, TOKENS, IMAGES, WORDS = (5, 3), (2, 4, 8), (2, 3, 6, 6), (3, 4)


def both(function):
    return Made(function, a=Linear(3, 4), b=Linear(4, 2), c=Linear(4, 2))


# name: (module, shape of the input, number of quadratic laws, number of linear laws)
CASES = {
    # patterns
    "relu": (lambda: nn.Sequential(Linear(3, 4), nn.ReLU(), Linear(4, 2)), VECTORS, 4, 0),
    "linear": (lambda: nn.Sequential(Linear(3, 4), Linear(4, 2)), VECTORS, 10, 0),
    "more units than columns": (lambda: nn.Sequential(Linear(1, 6, bias=False), Linear(6, 2)), (5, 1), 15, 0),
    "single units": (
        lambda: nn.Sequential(Linear(1, 1), nn.ReLU(), Linear(1, 3), nn.ReLU(), Linear(3, 1)), (5, 1), 4, 0),
    "prelu": (lambda: nn.Sequential(Linear(3, 4), nn.PReLU(), Linear(4, 2)), VECTORS, 4, 0),
    "dropout": (lambda: nn.Sequential(Linear(3, 4), nn.Dropout(0.5), Linear(4, 2)), VECTORS, 4, 0),
    "dropout off": (lambda: nn.Sequential(Linear(3, 4), nn.Dropout(0.5), Linear(4, 2)).eval(), VECTORS, 10, 0),
    "two convolutions": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)), IMAGES, 10, 0),
    "pooled": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.ReLU(),
                              nn.Conv2d(4, 8, 1, groups=4), nn.LeakyReLU(), nn.Flatten(), Linear(32, 2)),
        IMAGES, 4 + 4 + 8, 0),
    "depthwise": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.ReLU(),
                              nn.Conv2d(4, 2, 1)), IMAGES, 8, 0),
    "circular": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), nn.ReLU(),
                                       nn.Conv2d(4, 2, 3, stride=2)), IMAGES, 4, 0),
    "flattened": (lambda: nn.Sequential(nn.Conv1d(3, 4, 2), nn.Flatten(), Linear(12, 2)), (2, 3, 4), 10, 0),
    "mean": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Linear(4, 2)), IMAGES, 10, 0),
    "shuffle": (lambda: Made(shuffled, a=nn.Conv2d(3, 6, 1), b=nn.Conv2d(6, 6, 3, groups=3)), IMAGES, 6, 0),
    "swiglu": (lambda: Made(lambda m, x: m.c(F.silu(m.a(x)) * m.b(x)), a=Linear(8, 6), b=Linear(8, 6), c=Linear(6, 8)),
               TOKENS, 6, 0),
    "bilinear glu": (lambda: Made(lambda m, x: m.c(m.a(x) * m.b(x)), a=Linear(8, 6), b=Linear(8, 6), c=Linear(6, 8)),
                     TOKENS, 12, 0),
    "bilinear layer": (lambda: Made(lambda m, x: m.f(m.a(x), m.b(x)), a=Linear(3, 2), b=Linear(3, 2),
                                    f=nn.Bilinear(2, 2, 2)), VECTORS, 3 + 3, 0),
    "glu": (lambda: Made(lambda m, x: m.b(F.glu(m.a(x))), a=Linear(8, 12), b=Linear(6, 8)), TOKENS, 6, 0),
    "square": (lambda: pair(lambda m, h: F.relu(h) ** 2), VECTORS, 4, 0),
    "scale": (lambda: pair(lambda m, h: F.relu(h) * m.c, c=parameter(4)), VECTORS, 8, 0),
    "one scale": (lambda: pair(lambda m, h: F.relu(h) * m.c, c=parameter(1)), VECTORS, 5, 0),
    "embedding": (lambda: nn.Sequential(nn.Embedding(9, 4), Linear(4, 2)), WORDS, 10, 0),
    "residual": (lambda: Made(lambda m, x: x + m.b(F.relu(m.a(x))), a=Linear(3, 4), b=Linear(4, 3)), VECTORS, 4, 0),
    "linear stream": (
        lambda: Made(lambda m, x: (lambda z: m.d(z + m.c(F.relu(m.b(z)))))(m.a(x)),
                     a=Linear(3, 4), b=Linear(4, 5), c=Linear(5, 4), d=Linear(4, 2)), VECTORS, 10 + 5, 0),
    "attention": (lambda: Made(by_hand, **heads()), TOKENS, 36 + 36, 8),
    "multihead": (
        lambda: Made(lambda m, x: m.f(x, x, x)[0], f=nn.MultiheadAttention(8, 2, batch_first=True)), TOKENS, 40, 8),
    "rotary": (lambda: Made(rotary, **heads()), TOKENS, 4 + 20, 0),
    "shared keys": (lambda: Made(shared_keys, **heads(4)), TOKENS, 6 + 6, 4),
    "experts": (
        lambda: Made(experts, gate=Linear(3, 3), inward=parameter(3, 3, 4), outward=parameter(3, 4, 2)),
        VECTORS, 12, 4),
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 12, 0.0, "relu", batch_first=True, norm_first=True), TOKENS,
                40 + 12 + 16, 9),
    "batch norm": (lambda: nn.Sequential(Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), Linear(4, 2)), VECTORS, 4, 4),
    "batch norm off": (
        lambda: nn.Sequential(Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), Linear(4, 2)).eval(), VECTORS, 8, 0),
    "layer norm": (lambda: nn.Sequential(Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), Linear(4, 2)), VECTORS, 4, 4),
    "layer norm, eps 0": (
        lambda: nn.Sequential(Linear(3, 4), nn.LayerNorm(4, eps=0.0), nn.ReLU(), Linear(4, 2)), VECTORS,
                          5, 4),
    "norms of parts": (
        lambda: pair(lambda m, h: torch.cat([F.layer_norm(h[:, :2], (2,)), F.layer_norm(h[:, 2:], (2,))], 1)),
        VECTORS, 0, 8),
    "norms that overlap": (lambda: pair(overlapping), VECTORS, 0, 4),
    "group norm, eps 0": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4, eps=0.0), nn.ReLU(),
                                                nn.Conv2d(4, 2, 3)), IMAGES, 6, 2),
    # one tensor used in several ways, one weight used several times
    "read twice": (lambda: both(lambda m, x: m.b(F.relu(m.a(x))) + m.c(F.relu(m.a(x)))), VECTORS, 4, 10),
    "read through tanh": (lambda: both(lambda m, x: m.b(F.relu(m.a(x))) + m.c(torch.tanh(m.a(x)))), VECTORS, 0, 2),
    "read without a gate": (lambda: both(lambda m, x: m.b(m.a(x)) + m.c(F.relu(m.a(x)))), VECTORS, 4, 2),
    "returned": (lambda: both(lambda m, x: (m.b(F.relu(m.a(x))), F.relu(m.a(x)))), VECTORS, 0, 0),
    "penalised": (lambda: both(lambda m, x: m.b(F.relu(m.a(x))) + m.b.weight.sum()), VECTORS, 0, 0),
    "recurrent": (lambda: Made(lambda m, x: m.b(F.relu(m.w(F.relu(m.w(F.relu(m.a(x))))))), a=Linear(3, 4),
                               w=Linear(4, 4, bias=False), b=Linear(4, 2)), VECTORS, 5, 0),
    "recurrent, no gate": (lambda: Made(lambda m, x: m.b(m.w(m.w(m.a(x)))), a=Linear(3, 4), w=Linear(4, 4, bias=False),
                                        b=Linear(4, 2)), VECTORS, 11, 0),
    "tied": (lambda: Made(lambda m, x: F.relu(m.a(x)) @ m.a.weight, a=Linear(3, 4, bias=False)), VECTORS, 0, 0),
    "gram of units": (lambda: both(lambda m, x: (m.a(x) @ m.a(x).T, m.b(m.a(x)))), VECTORS, 0, 0),
    "masked weight": (lambda: both(lambda m, x: F.linear(m.a(x), m.b.weight * MASK)), VECTORS, 4, 2),
    "unused": (
        lambda: Made(lambda m, x: m.b(F.relu(m.a(x))), a=Linear(3, 4), b=Linear(4, 2), c=Linear(3, 3)), VECTORS, 4, 0),
    # what stands between two layers
    "noise": (lambda: pair(lambda m, h: F.relu(h) + torch.randn(4)), VECTORS, 0, 0),
    "random gates": (lambda: pair(lambda m, h: h * torch.rand(4)), VECTORS, 4, 0),
    "threshold": (lambda: pair(lambda m, h: torch.where(h > 0.5, h, 0.0)), VECTORS, 4, 0),
    "threshold, not to 0": (lambda: pair(lambda m, h: torch.where(h > 0.5, h, -0.5)), VECTORS, 0, 0),
    "clipped": (lambda: pair(lambda m, h: h.clip(-1, 1)), VECTORS, 0, 0),
    "mean of units": (lambda: pair(lambda m, h: h * h.mean(1, keepdim=True)), VECTORS, 1, 0),
    "size of units": (lambda: pair(lambda m, h: h / h.norm()), VECTORS, 1, 0),
    "in place": (lambda: pair(lambda m, h: h.mul_(2).relu_()), VECTORS, 4, 0),
    "written view": (lambda: pair(written_view), VECTORS, 2, 0),
    "written detached": (lambda: pair(written_detached), VECTORS, 0, 0),
    "detached": (lambda: pair(lambda m, h: F.relu(h) + h.detach()), VECTORS, 0, 0),
    "no_grad": (lambda: pair(without_gradient), VECTORS, 0, 0),
    "branch": (lambda: pair(branching), VECTORS, 0, 0),
    "own gradient": (lambda: pair(lambda m, h: Clipped.apply(h)), VECTORS, 0, 0),
    "joined with the input": (lambda: Made(lambda m, x: m.b(torch.cat([F.relu(m.a(x)), x], 1)), a=Linear(3, 4),
                                           b=Linear(7, 2)), VECTORS, 4, 0),
    "view across channels": (  # the places of one channel are not those of another, moved
        lambda: Made(lambda m, x: m.b(m.a(x).reshape(-1, 2, 3).transpose(1, 2).reshape(-1, 6)), a=nn.Conv1d(3, 3, 1),
                     b=Linear(6, 2)), (4, 3, 2), 3, 0),
    "padding index": (lambda: nn.Sequential(nn.Embedding(9, 4, padding_idx=1), Linear(4, 2)), WORDS, 0, 4),
    "renormalised": (lambda: nn.Sequential(nn.Embedding(9, 4, max_norm=1.0), Linear(4, 2)), WORDS, 0, 0),
    "weight norm": (
        lambda: Made(lambda m, x: m.b(F.relu(m.a(x))), a=nn.utils.parametrizations.weight_norm(Linear(3, 4)),
                                 b=Linear(4, 2)), VECTORS, 8, 0),
    # cycles of a shuffle have equal lengths and run through their places differently: no matrix mixes them
    "shuffle added": (lambda: Made(lambda m, x: m.b(m.a(x) + interleaved(m.a(x), 3)), a=Linear(3, 15), b=Linear(15, 2)),
                      VECTORS, 8, 8),
    "shuffle in one of two sums": (
        lambda: Made(lambda m, x: m.b(m.a(x) + m.c(x)) + m.d(m.a(x) + interleaved(m.c(x), 3)), a=Linear(3, 15),
                     c=Linear(3, 15), b=Linear(15, 2), d=Linear(15, 2)), VECTORS, 8, 22),
    "shuffle between two uses": (
        lambda: Made(lambda m, x: m.b(m.w(interleaved(m.w(m.a(x)), 3))), a=Linear(3, 15), w=Linear(15, 15, bias=False),
                     b=Linear(15, 2)), VECTORS, 121, 0),
    # more that practitioners build
    "lora": (lambda: Made(lambda m, x: F.linear(x, m.w + m.up @ m.down), w=parameter(5, 3), up=parameter(5, 2),
                          down=parameter(2, 3)), VECTORS, 3, 0),
    "squeeze and excitation": (
        lambda: Made(excited, a=nn.Conv2d(3, 4, 3), b=nn.Conv2d(4, 5, 1), c=nn.Conv2d(5, 4, 1), d=nn.Conv2d(4, 2, 1)),
        IMAGES, 4 + 5, 0),
    "maxout": (lambda: Made(lambda m, x: m.b(m.a(x).view(-1, 4, 2).amax(2)), a=Linear(3, 8), b=Linear(4, 2)),
               VECTORS, 4, 0),
    "larger of two": (lambda: Made(lambda m, x: m.b(torch.maximum(m.a(x), m.c(x))), a=Linear(3, 4), c=Linear(3, 4),
                                   b=Linear(4, 2)), VECTORS, 4, 0),
    "mean of groups": (lambda: Made(lambda m, x: m.b(m.a(x).view(-1, 4, 2).mean(2)), a=Linear(3, 8), b=Linear(4, 2)),
                       VECTORS, 10, 16),
    "transposed convolutions": (
        lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2, output_padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 5, 2),
                              nn.ConvTranspose2d(5, 2, 3, dilation=2)), IMAGES, 4 + 15, 0),
    "u-net": (lambda: Made(u_net, a=nn.Conv2d(3, 4, 3, padding=1), b=nn.Conv2d(4, 6, 1),
                           u=nn.ConvTranspose2d(6, 4, 2, stride=2), d=nn.Conv2d(8, 2, 1)), IMAGES, 4 + 6 + 4, 0),
    "batch norm without statistics": (
        lambda: nn.Sequential(Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.ReLU(), Linear(4, 2)),
        VECTORS, 4, 4),
    "rms norm by hand": (
        lambda: Made(lambda m, x: m.b(m.a(x) * torch.rsqrt(m.a(x).pow(2).mean(-1, True) + 1e-6) * m.g), a=Linear(8, 8),
                     g=parameter(8), b=Linear(8, 5)), TOKENS, 8, 0),
    "directions": (lambda: pair(lambda m, h: h / h.norm(dim=1, keepdim=True)), VECTORS, 1, 0),
    "directions of rows": (
        lambda: Made(lambda m, x: m.b(F.relu(F.linear(x, m.g * m.v / m.v.norm(dim=1, keepdim=True)))),
                     g=parameter(4, 1), v=parameter(4, 3), b=Linear(4, 2)), VECTORS, 4 + 4, 0),
    "how many are not 0": (lambda: pair(lambda m, h: h + h.norm(p=0, dim=1, keepdim=True)), VECTORS, 0, 0),
    "dense connections": (lambda: Made(dense, a=Linear(3, 4), b=Linear(7, 3), h=Linear(10, 2)), VECTORS, 7, 0),
    "both signs": (lambda: Made(lambda m, x: m.b(F.relu(torch.cat([m.a(x), -m.a(x)], 1))), a=Linear(3, 4),
                                b=Linear(8, 2)), VECTORS, 4, 0),
    "class token": (
        lambda: Made(with_class, i=Linear(8, 6), c=parameter(1, 1, 6), p=parameter(1, 5, 6), o=Linear(6, 2)),
        TOKENS, 0, 27),
    "key and value the same": (
        lambda: Made(lambda m, x: m.o(F.scaled_dot_product_attention(m.q(x), m.k(x), m.k(x))), q=Linear(8, 8),
                     k=Linear(8, 8), o=Linear(8, 8)), TOKENS, 36, 0),
    "rows that depend on values": (lambda: pair(lambda m, h: h[h.sum(1) > 0]), VECTORS, 0, 0),
    "hook on a tensor": (lambda: pair(tensor_hooked), VECTORS, 0, 0),
    "memory shared": (lambda: shared_memory(lambda w: w.T), (5, 4), 0, 0),
    "memory overlapping": (lambda: shared_memory(lambda w: w.reshape(-1)[:12].view(3, 4)), (5, 4), 0, 0),
}  # fmt: skip

# an axis of one entry looks as if something were broadcast along it: (module, shape of the example, larger shape)
SIZES = {
    "scaled before batch norm": (
        lambda: Made(lambda m, x: m.n(m.a(x) * x.mean((1, 2), keepdim=True)), a=nn.Conv1d(3, 4, 1),
                     n=nn.BatchNorm1d(4)), (1, 3, 6), (4, 3, 6)),
    "keys scaled": (
        lambda: Made(lambda m, x: m.o(F.scaled_dot_product_attention(m.q(x), m.k(x) * x.mean(2, True), m.v(x))),
                     **heads()), (2, 1, 8), (2, 4, 8)),
    "temperature": (
        lambda: Made(lambda m, x: m.o(((m.q(x) @ m.k(x).mT) * m.t).softmax(-1) @ m.v(x)), t=parameter(1), **heads()),
        (2, 1, 8), (2, 4, 8)),
    "graph attention": (lambda: Made(lambda m, x: (m.a(x) + m.b(x).T).softmax(1) @ m.c(x), a=Linear(4, 1),
                                     b=Linear(4, 1), c=Linear(4, 6)), (1, 4), (5, 4)),
    "einsum": (
        lambda: Made(lambda m, x: torch.einsum("bhqk,bkj->bqj", torch.einsum(
            "bqi,hid,bkj,hjd->bhqk", x, m.q, x, m.k).softmax(-1), x), q=parameter(2, 8, 3), k=parameter(2, 8, 3)),
        (2, 1, 8), (2, 4, 8)),
    "multihead": (lambda: Made(lambda m, x: m.f(x, x, x)[0], f=nn.MultiheadAttention(8, 2, batch_first=True)),
                  (1, 1, 8), (2, 4, 8)),
}  # fmt: skip


def case(name, seed=0):
    """A module of ``CASES``, an input, and the numbers of laws; seeded, with the global generator as it was."""
    make, shape, quadratic, linear = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        example = torch.randint(0, 9, shape) if shape == WORDS else torch.randn(shape)
        return make(), example, quadratic, linear


def seeded(make, seed=0):
    """A module with seeded parameters; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()
