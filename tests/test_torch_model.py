"""Modules as models: each operation, and whole networks, against PyTorch in float64; counts, laws and certificates."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch_modules
from torch import nn
from torch.nn import Linear
from torch.nn import functional as F  # noqa: N812
from torch_modules import Made, case, heads, pair, parameter, seeded

import clexact
from clexact.proofs import program_verifier
from clexact.torch import laws, model
from clexact.torch.translate import parameter_names
from clexact.training.risk import Risk

NEAR = 1e-10


def draw(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def point(module):
    """The module's parameters as the model takes them."""
    given = dict(module.named_parameters())
    return {name: given[own].detach().numpy() for own, name in parameter_names(module).items()}


def flat(outputs):
    """Outputs as one tensor: the only one, or all in one vector."""
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    return outputs[0] if len(outputs) == 1 else torch.cat([part.reshape(-1) for part in outputs])


class Compared:
    """A module in float64, the model of it, and both on one input."""

    def __init__(self, module, example, inputs=None):
        module = module.double()
        self.module, self.example = module, tuple(x.double() if x.is_floating_point() else x for x in example)
        self.model = model(module, self.example)
        given = [x for x in self.example if x.is_floating_point()] if inputs is None else inputs
        gates = {gate.probe for gate in self.model.program.gates}
        names = [name for name in self.model.probes if name not in gates]
        self.inputs = {name: x.numpy()[None] for name, x in zip(names, given, strict=True)} or None

    def agree(self, run=None):
        """Outputs, and the gradients of the squared distance to a target: the model's own reverse sweep, and autograd."""
        self.module.zero_grad()
        outputs = flat((run or (lambda: self.module(*self.example)))())
        targets = draw(*outputs.shape, seed=2)
        risk = Risk(self.model, (self.inputs, targets.numpy()[None]))
        theta = risk.start(point(self.module))
        np.testing.assert_allclose(risk.outputs(theta)[0], outputs.detach().numpy(), rtol=NEAR, atol=NEAR)
        loss = risk(theta)
        found, first = risk.gradient(theta), 0
        ((outputs - targets) ** 2).sum().backward()
        scale = loss / float(((outputs - targets) ** 2).sum().detach())
        for own, parameter_ in self.module.named_parameters():
            if own not in parameter_names(self.module):
                continue
            mine = found[first : first + parameter_.numel()].reshape(parameter_.shape)
            theirs = np.zeros(mine.shape) if parameter_.grad is None else scale * parameter_.grad.numpy()
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * max(1, np.abs(theirs).max(initial=0)))
            first += parameter_.numel()
        assert first == self.model.dimension


def applied(function, *shapes, more=None):
    """A module that applies a function to products of parameters and inputs of these shapes."""
    made = Made(
        lambda m, *x: function(*(w * each for w, each in zip(m.w, x, strict=True))),
        w=nn.ParameterList(parameter(*shape) for shape in shapes),
    )
    return made, tuple(draw(*shape, seed=3 + n) for n, shape in enumerate(shapes))


CAUSAL = torch.ones(3, 3, dtype=torch.bool).tril()
ROWS = torch.tensor([[True, False, True], [True, True, True], [False, False, True]])
ADDED = torch.tensor([[0.5, float("-inf"), 0.25], [0, 1, 2], [float("-inf"), float("-inf"), 0]])
ATTENTION = F.scaled_dot_product_attention
QKV = ((1, 2, 3, 4),) * 3

OPERATIONS = {
    "linear": (lambda x, w, b: F.linear(x, w, b), (2, 3), (4, 3), (4,)),
    "linear, a vector": (lambda x, w: F.linear(x, w), (3,), (4, 3)),
    "linear, a stack": (lambda x, w, b: F.linear(x, w, b), (1, 2, 3), (4, 3), (4,)),
    "addmm": (lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=3), (2, 4), (2, 3), (3, 4)),
    "mm": (torch.mm, (2, 3), (3, 4)),
    "bmm": (torch.bmm, (2, 2, 3), (2, 3, 4)),
    "baddbmm": (torch.baddbmm, (2, 2, 4), (2, 2, 3), (2, 3, 4)),
    "matmul": (torch.matmul, (2, 2, 3), (3, 4)),
    "matmul, stacks of one": (torch.matmul, (1, 2, 3), (1, 3, 4)),
    "matmul, stacks repeated": (torch.matmul, (2, 1, 2, 3), (3, 3, 4)),
    "mv": (torch.mv, (2, 3), (3,)),
    "vector times matrix": (torch.matmul, (3,), (3, 2)),
    "dot": (torch.dot, (3,), (3,)),
    "outer": (torch.outer, (3,), (2,)),
    "inner": (torch.inner, (2, 3), (4, 3)),
    "einsum": (lambda a, b: torch.einsum("bij,bkj->bik", a, b), (2, 2, 3), (2, 4, 3)),
    "einsum, a trace": (lambda a, b: torch.einsum("ij,ji->", a, b), (2, 3), (3, 2)),
    "bilinear": (lambda a, b, w: F.bilinear(a, b, w), (2, 3), (2, 2), (4, 3, 2)),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1, dilation=2), (2, 3, 7), (4, 3, 3), (4,)),
    "conv1d, same": (lambda x, w: F.conv1d(x, w, padding="same"), (1, 2, 5), (3, 2, 4)),
    "conv1d, no batch": (lambda x, w: F.conv1d(x, w), (2, 5), (3, 2, 2)),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, (2, 1), (0, 1)), (1, 2, 5, 4), (3, 2, 3, 2), (3,)),
    "conv2d, groups": (lambda x, w: F.conv2d(x, w, groups=2, padding=1), (2, 4, 4, 4), (6, 2, 3, 3)),
    "conv2d, depthwise": (lambda x, w: F.conv2d(x, w, groups=3), (1, 3, 4, 4), (3, 1, 2, 2)),
    "conv3d": (lambda x, w: F.conv3d(x, w, padding=1), (1, 2, 2, 3, 2), (2, 2, 2, 2, 2)),
    "conv_transpose1d": (
        lambda x, w, b: F.conv_transpose1d(x, w, b, stride=3, padding=1, output_padding=1, dilation=2),
        (2, 3, 4), (3, 2, 3), (2,)),
    "conv_transpose2d": (lambda x, w: F.conv_transpose2d(x, w, stride=2, groups=2), (1, 4, 3, 2), (4, 3, 2, 3)),
    "conv_transpose3d": (lambda x, w: F.conv_transpose3d(x, w, padding=1), (1, 2, 2, 3, 2), (2, 2, 2, 2, 2)),
    "add": (lambda a, b: torch.add(a, b, alpha=0.5) + 2, (2, 3), (3,)),
    "sub": (lambda a, b: torch.sub(a, b, alpha=2) - 1.5, (2, 3), (1, 3)),
    "rsub": (lambda a: torch.rsub(a, 1.25, alpha=2) + (1 - a), (2, 3)),
    "mul": (lambda a, b: a * b * 0.3, (2, 3), (2, 1)),
    "mul by a tensor": (lambda a: a * torch.tensor([0.1, 2.0, 0.0]), (2, 3)),
    "div": (lambda a: a / 3 + a / torch.tensor([0.1, 2.0, 4.0]), (2, 3)),
    "div by what varies": (lambda a, b: a / b + torch.reciprocal(b) + 2 / b, (2, 3), (2, 3)),
    "neg": (lambda a: -a, (2, 3)),
    "pow": (lambda a: a**3 + a**2.0 + a**-2, (2, 3)),
    "pow 0": (lambda a: a * a**0, (2, 3)),
    "square": (torch.square, (2, 3)),
    "addcmul": (lambda a, b, c: torch.addcmul(a, b, c, value=0.5), (2, 3), (2, 3), (3,)),
    "sum": (lambda a: a.sum() + a.sum(1).sum(0) + a.sum((0, 1)), (2, 3)),
    "sum, kept": (lambda a: a.sum(-1, keepdim=True), (2, 3)),
    "mean": (lambda a: a.mean() + a.mean(0).mean() + a.mean((0, 1), keepdim=True).sum(), (2, 3)),
    "cumsum": (lambda a: a.cumsum(1), (2, 3)),
    "relu": (torch.relu, (2, 3)),
    "leaky_relu": (lambda a: F.leaky_relu(a, 0.1) + F.leaky_relu(a, 1.0), (2, 3)),
    "prelu": (F.prelu, (2, 3, 2), (3,)),
    "prelu, one": (F.prelu, (2, 3), (1,)),
    "abs": (torch.abs, (2, 3)),
    "clamp": (lambda a: a.clamp(min=0) + 2 * a.clamp(max=0) + torch.clamp_min(a, 0.0), (2, 3)),
    "threshold": (lambda a: F.threshold(a, 0.0, 0.0), (2, 3)),
    "maximum": (torch.maximum, (2, 3), (2, 3)),
    "minimum": (torch.minimum, (2, 3), (2, 3)),
    "amax": (lambda a: a.amax(1) + a.amax((0, 2)).sum() + a.amin(2, keepdim=True).sum(), (2, 3, 2)),
    "max": (lambda a: a.max(1).values * a.max() - a.min(0, keepdim=True)[0].sum() * a.min(), (2, 3)),
    "max of two": (lambda a, b: torch.max(a, b) + 2 * torch.min(a, b), (2, 3), (2, 3)),
    "max_pool1d": (lambda a: F.max_pool1d(a, 3, 2, 1), (1, 2, 6)),
    "max_pool2d": (lambda a: F.max_pool2d(a, 2), (1, 2, 4, 5)),
    "max_pool2d, overlapping": (lambda a: F.max_pool2d(a, 3, 2, 1), (2, 2, 5, 4)),
    "max_pool2d, dilated": (lambda a: F.max_pool2d(a, 2, 1, 0, 2), (1, 2, 4, 5)),
    "max_pool3d": (lambda a: F.max_pool3d(a, 2), (1, 2, 2, 4, 3)),
    "avg_pool1d": (lambda a: F.avg_pool1d(a, 2, 1), (1, 2, 5)),
    "avg_pool2d": (lambda a: F.avg_pool2d(a, 3, 2, 1), (2, 2, 5, 4)),
    "avg_pool2d, border left out": (lambda a: F.avg_pool2d(a, 3, 2, 1, count_include_pad=False), (1, 2, 5, 4)),
    "avg_pool2d, divided by 5": (lambda a: F.avg_pool2d(a, 2, divisor_override=5), (1, 2, 4, 4)),
    "avg_pool3d": (lambda a: F.avg_pool3d(a, 2), (1, 2, 2, 4, 3)),
    "adaptive_avg_pool": (lambda a: F.adaptive_avg_pool2d(a, (2, 1)), (1, 2, 4, 3)),
    "adaptive_max_pool": (lambda a: F.adaptive_max_pool2d(a, (2, 1)), (1, 2, 4, 3)),
    "shapes": (
        lambda a: a.view(3, 4).reshape(2, 2, 3).flatten(1).unflatten(1, (3, 2)).unsqueeze(1).squeeze(1), (2, 6)),
    "permute": (lambda a: a.permute(2, 0, 1).transpose(0, 1).movedim(0, 2).mT, (2, 3, 4)),
    "t": (lambda a: a.t() @ a.T.T, (2, 3)),
    "expand": (lambda a: a.expand(2, 4, 3).sum(0) * a.repeat(4, 1), (1, 3)),
    "tile": (lambda a: a.tile(2) + a.repeat(1, 2), (2, 3)),
    "repeat_interleave": (lambda a: a.repeat_interleave(2, 1), (2, 3)),
    "slice": (lambda a: a[:, 1:] * a[:, :-1] + a[-1, ::2][None], (2, 3)),
    "select": (lambda a: a[1] * a.select(1, -1).sum() + a.narrow(1, 1, 1).sum(), (2, 3)),
    "split": (lambda a: sum(part.sum(1) * n for n, part in enumerate(a.split(2, 1))), (2, 5)),
    "split, sizes": (lambda a: a.split([1, 4], 1)[1].sum(1) * a.split([1, 4], 1)[0][:, 0], (2, 5)),
    "chunk": (lambda a: a.chunk(2, 1)[0][:, :2] * a.chunk(2, 1)[1], (2, 5)),
    "unbind": (lambda a: a.unbind(1)[0] * a.unbind(1)[2], (2, 3)),
    "cat": (lambda a, b: torch.cat([a, torch.ones(2, 1), b, a], 1), (2, 3), (2, 1)),
    "stack": (lambda a, b: torch.stack([a, b, torch.ones(3)], -1), (3,), (3,)),
    "index_select": (lambda a: a.index_select(1, torch.tensor([2, 0, 2])), (2, 3)),
    "index": (lambda a: a[torch.tensor([1, 0]), torch.tensor([2, 2])] + a[:, torch.tensor([0, 2])].sum(1), (2, 3)),
    "gather": (lambda a: a.gather(1, torch.tensor([[2, 0], [1, 1]])), (2, 3)),
    "diagonal": (lambda a: a.diagonal(1), (3, 4)),
    "unfold": (lambda a: a.unfold(1, 3, 2), (2, 7)),
    "pad": (lambda a: F.pad(a, (1, 2, 0, 1)), (2, 3)),
    "pad with a number": (lambda a: F.pad(a, (1, 0), value=0.5), (2, 3)),
    "pad, cut off": (lambda a: F.pad(a, (-1, 2)), (2, 3)),
    "pad, reflected": (lambda a: F.pad(a, (2, 1), mode="reflect"), (1, 2, 4)),
    "pad, replicated": (lambda a: F.pad(a, (1, 2), mode="replicate"), (1, 2, 4)),
    "pad, circular": (lambda a: F.pad(a, (1, 2), mode="circular"), (1, 2, 4)),
    "roll": (lambda a: a.roll(1, 1) * a.roll((1, 2), (0, 1)) + a.roll(2), (2, 3)),
    "flip": (lambda a: a.flip(1) * a.flip((0, 1)), (2, 3)),
    "pixel_shuffle": (lambda a: F.pixel_shuffle(a, 2), (1, 4, 2, 3)),
    "nearest": (lambda a: F.interpolate(a, scale_factor=2, mode="nearest"), (1, 2, 2, 3)),
    "masked_fill": (lambda a: a.masked_fill(ROWS, 1.5), (3, 3)),
    "where": (lambda a, b: torch.where(ROWS, a, b) + torch.where(ROWS, a, 0.0), (3, 3), (3, 3)),
    "tril": (lambda a: a.tril() + a.triu(1) * 2, (3, 3)),
    "exp": (lambda a: torch.exp(a * 0.25), (2, 3)),
    "tanh": (torch.tanh, (2, 3)),
    "sigmoid": (torch.sigmoid, (2, 3)),
    "silu": (F.silu, (2, 3)),
    "gelu": (F.gelu, (2, 3)),
    "gelu, tanh": (lambda a: F.gelu(a, approximate="tanh"), (2, 3)),
    "glu": (lambda a: F.glu(a, 1), (2, 4)),
    "softmax": (lambda a: a.softmax(-1) + a.softmax(0), (2, 3)),
    "softmax of one": (lambda a: a * a.softmax(1), (2, 1)),
    "softmax, masked": (lambda a: a.masked_fill(~ROWS, float("-inf")).softmax(-1), (2, 3, 3)),
    "softmax, masked by where": (lambda a: (torch.where(ROWS, a, float("-inf")) / 2).softmax(-1), (3, 3)),
    "softmax, masked columns": (lambda a: (a.masked_fill(~ROWS.T, float("-inf")) * 2).softmax(0), (3, 3)),
    "softmax, masked twice": (
        lambda a: (a.masked_fill(~ROWS, float("-inf")) + ADDED).softmax(-1), (3, 3)),
    "softmax, mask added": (lambda a: (a + ADDED).softmax(-1), (2, 3, 3)),
    "attention": (lambda q, k, v: ATTENTION(q, k, v), *QKV),
    "attention, causal": (lambda q, k, v: ATTENTION(q, k, v, is_causal=True), *QKV),
    "attention, scaled": (lambda q, k, v: ATTENTION(q, k, v, scale=0.25), *QKV),
    "attention, mask": (lambda q, k, v: ATTENTION(q, k, v, attn_mask=CAUSAL), *QKV),
    "attention, mask added": (lambda q, k, v: ATTENTION(q, k, v, attn_mask=ADDED.double()), *QKV),
    "attention, width 3": (lambda q, k, v: ATTENTION(q, k, v), *((2, 3),) * 3),
    "attention, grouped queries": (
        lambda q, k, v: ATTENTION(q, k, v, enable_gqa=True), (1, 4, 3, 2), (1, 2, 3, 2), (1, 2, 3, 2)),
    "several outputs": (lambda a, b: (a * b, a.sum(1), b), (2, 3), (2, 3)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_that_of_pytorch(name):
    function, *shapes = OPERATIONS[name]
    module, example = seeded(lambda: applied(function, *shapes))
    Compared(module, example).agree()


MODULES = [
    "relu", "linear", "more units than columns", "single units", "prelu", "dropout off", "two convolutions", "pooled",
    "depthwise", "circular", "flattened", "mean", "shuffle", "swiglu", "bilinear glu", "glu", "square", "scale",
    "one scale", "embedding", "residual", "linear stream", "attention", "multihead", "rotary", "shared keys", "experts",
    "batch norm off", "read twice", "read through tanh", "read without a gate", "returned", "penalised", "recurrent",
    "recurrent, no gate", "tied", "gram of units", "masked weight", "unused", "mean of units", "in place",
    "joined with the input", "view across channels", "padding index", "shuffle added", "shuffle in one of two sums",
    "shuffle between two uses", "lora", "squeeze and excitation", "maxout", "larger of two", "mean of groups",
    "transposed convolutions", "u-net", "dense connections", "both signs", "key and value the same",
]  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_model_agree(name):
    module, example, _, _ = case(name)
    Compared(module, (example,)).agree()
