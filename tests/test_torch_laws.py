"""Laws of PyTorch modules: true ones only, all of the patterns that are read, and what an optimizer does to them."""

import copy
import logging
import pickle
import random
import sys
import threading
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from latex2mathml.converter import convert
from torch import nn
from torch.nn import Linear
from torch.nn import functional as F  # noqa: N812
from torch_modules import (
    CASES,
    GPT,
    SIZES,
    Llama,
    Made,
    ResNet18,
    both,
    case,
    heads,
    hooked,
    pair,
    parameter,
    residual,
    seeded,
)

import clexact
from clexact import models
from clexact.symmetry import shifts
from clexact.symmetry.grading import matching
from clexact.torch import Bounds, ModuleLaw, Status, Term, View, certification, check, counting, laws, trace
from clexact.torch.exported import LOGGERS
from clexact.torch.failures import RuleFailedWarning
from clexact.torch.translation import RULES

EXACT = 1e-12  # relative, in float64


def mlp():
    return nn.Sequential(Linear(3, 4), nn.ReLU(), Linear(4, 2))


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def contradicted(found):
    return [why for _, why in found.disputed if "contradicts" in why]


def rank(found, module, seed=0):
    """The rank of the gradients of all laws at a random point, by autograd and singular values."""
    names = [name for name, _ in module.named_parameters()]
    point = tuple(draw(*p.shape, seed=seed + n).double() for n, p in enumerate(module.parameters()))

    def values(*parameters):
        return torch.cat([law.value(dict(zip(names, parameters, strict=True))).reshape(-1) for law in found])

    if not len(found):
        return 0
    parts = torch.autograd.functional.jacobian(values, point)
    return int(torch.linalg.matrix_rank(torch.cat([part.flatten(1) for part in parts], 1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_only_true_laws(name):
    """As many as expected, and none that the module's own gradient refutes: neither unasked nor at another point."""
    module, example, quadratic, linear = case(name)
    found = laws(module, example, certify=False)
    numbers = [sum(law.count for law in found if law.degree == degree) for degree in (2, 1)]
    assert numbers == [quadratic, linear], str(found)
    assert not found.disputed
    assert all(residual < EXACT for residual in check(module, example, found, seed=5).values())
    assert found.count == found.independent.most == rank(found, module)
    assert all(law.count == rank([law], module) for law in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_laws_of_an_example_of_size_one_hold_at_any_size(name):
    make, little, large = SIZES[name]
    module = seeded(make)
    found = laws(module, draw(*little), certify=False)
    assert len(found) or len(found.approximate)
    assert all(residual < EXACT for residual in check(module, draw(*large), found).values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "linear", "attention", "pooled"])
def test_a_wrong_law_is_seen(name):
    """What ``check`` says of a law with one coefficient changed."""
    module, example, _, _ = case(name)
    law = laws(module, example, certify=False)[0]
    first, *others = law.terms
    law = copy.copy(law)
    object.__setattr__(law, "terms", (Term(first.parameter, 2 * first.coefficient + 1, first.view), *others))
    assert check(module, example, [law])[law.name] > 1e-3


@pytest.mark.slow
def test_a_hook_on_a_node_of_the_graph_is_refuted():
    """It cannot be read; the module's own gradient contradicts the law."""
    found = laws(seeded(lambda: pair(hooked)), draw(5, 3))
    ((law, why),) = found.disputed
    assert not len(found) and not found.count and "contradicts" in why and "tolerance 1.0e-09" in why
    assert found.bounds is None  # what was read is not what runs
    assert "1 more law disputed" in found.headline and f"DISPUTED, {law.name}: {law.formula}" in str(found)
    assert "disputed" in found._repr_html_()


def in_float32(m, x):
    """As GPT-Neo does it: whatever the module's type, the scores and their softmax are in float32."""
    q, k, v = m.q(x), m.k(x), m.v(x)
    return m.o((q.float() @ k.float().mT).softmax(-1).to(v.dtype) @ v)


@pytest.mark.slow
def test_a_cast_to_float32_does_not_contradict_a_law():
    """The rounding of the lowest precision met on the way is allowed for; a wrong law is still seen."""
    module, example = seeded(lambda: Made(in_float32, **heads())), draw(2, 4, 8)
    found = laws(module, example, certify=False)
    assert found.count == 36 + 36 + 8 and not found.disputed
    assert any("float64, with float32 on the way" in note for note in found.notes)
    assert max(check(module, example, found).values()) > 1e-9
    hooks = seeded(
        lambda: Made(lambda m, x: m.b(hooked(m, m.a(x).float().to(x.dtype))), a=Linear(3, 4), b=Linear(4, 2))
    )
    assert "tolerance 1.2e-04 (float32)" in laws(hooks, draw(5, 3), certify=False).disputed[0][1]


def test_nothing_is_contradicted_in_few_bits():
    module = seeded(lambda: pair(lambda m, h: h.bfloat16().to(h.dtype)))
    found = laws(module, draw(5, 3), certify=False)
    assert found.count == 10 and any("bfloat16 on the way: the numerical check says nothing" in n for n in found.notes)


# -- how many ---------------------------------------------------------------------------------------------------------


def product(m, x):
    return ((m.u @ m.v.T) * m.a).sum() * x.sum()


def rank_one_terms(m, x):
    return torch.einsum("ir,jr,kr->ijk", m.a, m.b, m.c) * x.sum()


def tucker(m, x):
    return torch.einsum("abc,ia,jb,kc->ijk", m.g, m.a, m.b, m.c) * x.sum()


def edges(m, x):
    """Functions of one variable on the edges, as in a KAN."""
    return torch.einsum("bik,oik->bo", torch.stack([x, x**2, x.sin()], -1), m.c * m.s[..., None])


OVERLAPPING = {
    "product": (lambda: Made(product, u=parameter(3, 2), v=parameter(4, 2), a=parameter(3, 4)), 18, 19),
    "tensor of rank 3": (lambda: Made(rank_one_terms, a=parameter(4, 3), b=parameter(5, 3), c=parameter(6, 3)), 6, 6),
    "tucker": (
        lambda: Made(tucker, g=parameter(2, 2, 2), a=parameter(4, 2), b=parameter(5, 2), c=parameter(6, 2)), 9, 9),
    "edges": (lambda: Made(edges, c=parameter(4, 3, 3), s=parameter(4, 3)), 12, 12),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(Linear(3, 4, bias=False)), 4, 4),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", OVERLAPPING)
def test_dependent_laws_are_counted_once(name):
    make, count, total = OVERLAPPING[name]
    module = seeded(make)
    found = laws(module, draw(5, 3), certify=False)
    assert sum(law.count for law in found) == total and all(law.count == rank([law], module) for law in found)
    assert found.count == found.independent.most == rank(found, module) == count
    assert f"{count} independent conserved numbers" in str(found)
    assert (f"have {total} in all" in found._repr_html_()) == (total > count)


def test_too_many_to_eliminate(monkeypatch):
    """Then what is proved is said, and what it is at most."""
    module = seeded(OVERLAPPING["product"][0])
    monkeypatch.setattr(counting, "MOST_WORK", 0)
    found = laws(module, draw(5, 3), certify=False)
    assert found.count < 18 < found.independent.most == 19
    assert f"at least {found.count} and at most 19 independent conserved numbers" in found.headline
    assert "too many for their independence to be certified" in found.headline


@pytest.mark.parametrize("work", [None, 0])
def test_wide_layers_without_gates(work, monkeypatch):
    """Their laws touch each other's entries; where elimination at a random point takes long, at one of few entries."""
    module = seeded(lambda: nn.Sequential(Linear(2, 6), Linear(6, 6), Linear(6, 5), Linear(5, 2)))
    if work is not None:
        monkeypatch.setattr(counting, "MOST_WORK", work)
    found = laws(module, draw(5, 2), certify=False)
    assert found.count == found.independent.most == rank(found, module) == 21 + 21 + 15


@pytest.mark.parametrize(
    ("index", "count"), [((0, 1, 2, 3), 2), ((0, 1, 1, 2), 2), ((0, 1, 0, 1), 1), ((0, 0, 1, 2), 2)]
)
def test_entries_held_twice(index, count):
    view = View((2, 2), (0,), None, None, index=index)
    law = ModuleLaw("scale", (Term("w", 1, view),), "w", 0, Status.SYMMETRY, "", "")
    assert counting.independent([law], {"w": (4,)}) == counting.Independent(count, count)


def gram(name, *terms):
    """A matrix law of square parameters: (parameter, coefficient, axis of the rows)."""
    each = tuple(Term(parameter, c, View((3, 3), (), unit)) for parameter, c, unit in terms)
    return ModuleLaw("gram", each, name, 0, Status.SYMMETRY, "", "")


@pytest.mark.parametrize(
    "chosen",
    [
        [[("w", 1, 0), ("w", -1, 1)]],  # trace 0
        [[("w", 1, 0), ("v", -1, 1)], [("v", 1, 0), ("w", -1, 1)]],  # the traces are opposite
        [[("w", 1, 0), ("v", -1, 1)], [("v", 1, 1), ("u", -1, 0)], [("u", 1, 0), ("w", -1, 0)]],
        [[("w", 1, 0), ("v", -1, 1)], [("v", 1, 0), ("u", -1, 1)]],
    ],
)
@pytest.mark.parametrize("work", [None, 0])
def test_matrix_laws_that_share_parameters(chosen, work, monkeypatch):
    module = Made(None, **{name: parameter(3, 3) for name in "uvw"})
    found = [gram(str(n), *terms) for n, terms in enumerate(chosen)]
    if work is not None:
        monkeypatch.setattr(counting, "MOST_WORK", work)
    counted = counting.independent(found, dict.fromkeys("uvw", (3, 3)))
    true = rank(found, module)
    assert counted.count <= true <= counted.most and (work == 0 or counted.count == counted.most)


def test_what_is_certified_is_of_the_module():
    """With one input there are more laws than those of the units, and what is certified says so."""
    found = laws(nn.Sequential(Linear(1, 4, bias=False), nn.ReLU(), Linear(4, 2, bias=False)), draw(5, 1))
    assert found[0].evidence == "of the module: exactly 4 laws (all data, generic start, free gates)"
    assert found.bounds == Bounds(4, 4, "all data, generic start, free gates") and found.blocks[0].complete
    assert found.headline.endswith("; its gradient flow has exactly 4 laws (all data, generic start, free gates)")


def test_what_no_rule_finds_is_listed():
    """Hyperbolic rotations of u and v: proved by certify as identities, and constant under PyTorch's own gradient."""
    module = Made(lambda self, x: x @ (self.u @ self.u.mT - self.v @ self.v.mT), u=parameter(2, 2), v=parameter(2, 2))
    found = laws(module, draw(5, 2))
    assert len(found) == 0 and found.bounds is not None and found.bounds.upper == len(found.further) == 4
    assert "further, of the gradient flow by certify: u[0,0]*v[0,0]" in str(found) and "not covered: u" not in str(
        found
    )
    module = module.double()
    gradients = torch.autograd.grad(module(draw(5, 2).double()).square().sum(), [module.u, module.v])
    point = [Fraction(entry) for entry in torch.cat([module.u, module.v]).ravel().tolist()]
    moved = torch.cat(gradients).ravel().tolist()
    for law in found.further:
        slope = sum(float(d(*point)) * v for d, v in zip(law.gradient, moved, strict=True))
        assert abs(slope) < 1e-9 * sum(map(abs, moved))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "swiglu", "recurrent", "tied", "layer norm", "larger of two", "attention"])
def test_laws_of_some_parameters_alone(name, monkeypatch):
    """Where the whole module takes long: exactly the laws in the parameters of one law, whatever the others are."""
    module, example, _, _ = case(name)
    whole = laws(module, example)
    monkeypatch.setattr(certification, "DIMENSION", sum(p.numel() for p in module.parameters()) - 1)
    found = laws(module, example)
    assert found.bounds is None and whole.bounds is not None and found.count == whole.count
    for block in found.blocks:
        assert block.complete == (block.status is Status.CERTIFIED_ALONE)
        assert set(block.parameters) == set(dict(module.named_parameters())) or " alone, whatever" in block.evidence
    assert not len(found) or "in their parameters alone; whether it has others is not" in found.headline


def test_laws_that_are_not_listed_are_counted():
    """The seventh law of 1-2-2-1 is no polynomial; those of a view across channels are, though no rule finds them."""
    layers = (Linear(1, 2, bias=False), Linear(2, 2, bias=False), Linear(2, 1, bias=False))
    found = laws(nn.Sequential(*layers), draw(5, 1))
    assert not found.blocks[0].complete and not found.further
    assert "exactly 7 laws" in found.blocks[0].evidence and "of which 6 are listed" in found.blocks[0].evidence
    module, example, _, _ = case("view across channels")
    found = laws(module, example)
    assert found.blocks[0].complete and (found.count, len(found.further)) == (3, 3)


def test_nothing_is_certified_of_what_is_large():
    found = laws(nn.Sequential(Linear(60, 60), nn.Linear(60, 60)), draw(2, 60))
    assert found.bounds is None and {law.status for law in found} == {Status.SYMMETRY}
    assert {law.status for law in laws(mlp(), draw(2, 3), certify=False)} == {Status.SYMMETRY}


# -- how they are written ---------------------------------------------------------------------------------------------


def written_value(formula, parameters):
    """The value of a matrix law from its formula alone: of all matrices of a stack."""
    formula, each, _ = formula.partition(" for each h")
    total, _, where = formula.partition(" where ")
    named = dict(part.split(" = ") for part in where.split("; ") if part)
    values, h = [], 0
    while True:
        try:
            matrices = {name: read_matrix(expression, parameters, h) for name, expression in named.items()}
        except IndexError:
            return torch.stack(values)
        values.append(evaluated(total, matrices, parameters))
        if not each:
            return values[0]
        h += 1


def read_matrix(expression, parameters, h):
    """A parameter, and what torch makes of it."""
    name = max((name for name in parameters if expression.startswith(name)), key=len)
    value = eval(f"p{expression[len(name) :]}", {"p": parameters[name], "h": h})
    return value[:, None] if value.ndim == 1 else value


def evaluated(total, matrices, parameters):
    value = 0
    for part in f"+ {total}".replace("- ", "|- ").replace("+ ", "|+ ").split("|")[1:]:
        sign, first, second = part.split()[0], part.split()[-2], part.split()[-1]
        a, b = (
            (matrices[f] if f in matrices else read_matrix(f, parameters, 0))
            for f in map(untransposed, (first, second))
        )
        product = (a.T if first.endswith("^T") else a) @ (b.T if second.endswith("^T") else b)
        value = value + (product if sign == "+" else -product)
    return value


def untransposed(name):
    return name.removesuffix("^T")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (_, _, quadratic, _) in CASES.items() if quadratic])
def test_the_formula_of_a_matrix_law_can_be_multiplied(name):
    module, example, _, _ = case(name)
    parameters = {key: p.detach().double() for key, p in module.named_parameters()}
    products = [law for law in laws(module, example, certify=False) if law.kind == "gram" and "..." not in law.formula]
    if not products:
        pytest.skip("no law of this module is written as a sum of products of matrices")
    for law in products:
        assert torch.allclose(written_value(law.formula, parameters), law.value(parameters))


def test_formulas_say_which_side_is_transposed():
    found = laws(nn.Sequential(Linear(3, 4), Linear(4, 2)), draw(5, 3), certify=False)
    assert found[0].formula == "0.weight 0.weight^T + 0.bias 0.bias^T - 1.weight^T 1.weight"
    assert found[0].latex.endswith(r"\text{1.weight}^\top\,\text{1.weight}")
    convolutions = case("two convolutions")
    assert laws(*convolutions[:2], certify=False)[0].formula == (
        "P1 P1^T + 0.bias 0.bias^T - P2 P2^T where P1 = 0.weight.flatten(1); P2 = 1.weight.movedim(1, 0).flatten(1)"
    )


@pytest.mark.slow
def test_resnet_18():
    module = seeded(ResNet18)
    found = laws(module, draw(2, 3, 32, 32))
    inner = [law for law in found if len(law.terms) == 3]  # bn1 (weight, bias) -> conv2 of the 8 blocks
    streams = [law for law in found if len(law.terms) > 3]  # one for each stage: what is added ties its layers
    assert [law.count for law in inner] == [64, 64, 128, 128, 256, 256, 512, 512]
    sums = [law for law in found if law.degree == 1]  # the biases of bn2 and of the downsampling are added
    assert [law.count for law in streams] == [64, 128, 256, 512] and [law.count for law in sums] == [128, 256, 512]
    assert streams[0].parameters[:2] == ("bn1.weight", "bn1.bias") and "fc.weight" in streams[3].parameters
    assert found.count == 2 * 960 + 960 + 896 and len(found) == 15
    assert sum(law.count for law, _ in found.approximate) == 64 + 2 * 2 * (64 + 128 + 256 + 512) + 128 + 256 + 512
    assert not contradicted(found) and any("Checked numerically" in note for note in found.notes)


@pytest.mark.slow
def test_a_narrow_resnet_in_float64():
    module, example = seeded(lambda: ResNet18(4, 3)), draw(2, 3, 64, 64)
    found = laws(module, example, loss="cross_entropy", certify=False)
    assert found.count == 45 * 4 + 33 + 56 == check_count(module, example, found)


def check_count(module, example, found):
    """How many numbers are conserved, if all residuals are rounding."""
    residuals = check(module, example, found, loss="cross_entropy", class_axis=-1, seed=3)
    assert max(residuals.values()) < EXACT
    return sum(law.count for law in found)


@pytest.mark.slow
def test_gpt_2():
    module = seeded(GPT).eval()
    names = dict(module.named_parameters())
    found = laws(module, torch.zeros(1, 4, dtype=torch.long))
    heads = [law for law in found if law.kind == "gram"]
    assert len(heads) == 24 and all(law.shape == (12, 64, 64) and law.count == 12 * 64 * 65 // 2 for law in heads)
    scales = [law for law in found if law.kind == "diagonal"]
    assert len(scales) == 24 and all(
        law.count == 768 for law in scales
    )  # weight and bias of each norm -> what reads it
    sums = {law.terms[0].parameter: law.count for law in found if law.degree == 1}
    assert sums["h.3.mlp.2.weight"] == 3072 and sums["h.3.attn.c_attn.bias"] == 768 and sums["wpe.weight"] == 1024
    assert all(name in names for law in found for name in law.parameters)
    assert any("gelu" in part.name and "no rescaling" in part.reason for part in found.uncovered)
    assert found.values(module)[heads[0].name].shape == (12, 64, 64)


@pytest.mark.slow
def test_deep_residual_networks():
    """A stream has a path for every subset of the blocks: 2^40 of them."""
    module = seeded(lambda: residual(40))
    stream, *inner = laws(module, draw(5, 3))
    assert stream.kind == "gram" and stream.count == 10 and len(stream.terms) == 2 + 40 * 3 + 1
    assert [law.count for law in inner] == [3] * 40
    assert stream.evidence == "of the module: exactly 130 laws (all data, generic start, free gates)"


@pytest.mark.slow
def test_a_deep_llama():
    module = seeded(lambda: Llama(12))
    found = laws(module, torch.tensor([[1, 4, 2, 0]]), loss="cross_entropy", class_axis=2, certify=False)
    each = 16 + 4 + 20 + 16 + 48  # norm, planes of the key heads, values and output, norm, SwiGLU
    assert found.count == found.independent.most == 12 * each + 16 + 16 and not found.disputed


@pytest.mark.slow
def test_a_small_gpt_in_float64():
    """With dropout the stream after a layer is not shifted as one; the untied head has its classes."""
    module, example = seeded(lambda: GPT(8, 2, 2, 11, 6)), torch.tensor([[1, 4, 2, 0]])
    tied = laws(module, example, certify=False)
    assert not any("mlp.2" in name for law in tied for name in law.parameters)
    module.lm_head.weight = nn.Parameter(draw(11, 8))
    free = laws(module.eval(), example, loss="cross_entropy", class_axis=-1, certify=False)
    assert {"wte.weight", "lm_head.weight", "h.0.mlp.2.weight"} <= {name for law in free for name in law.parameters}
    assert max(check(module, example, free, loss="cross_entropy", class_axis=-1).values()) < EXACT


# -- the exact side ---------------------------------------------------------------------------------------------------


def matrix_at(fields, theta):
    """The values of the fields at a point, in floating point: (fields, D)."""
    terms, size = fields.terms, len(theta)
    powers = theta[terms.var] ** terms.power
    monomials = np.array([powers[i:j].prod() for i, j in pairwise(terms.start)])
    out = np.zeros(len(fields) * size)
    np.add.at(out, terms.owner, terms.coef.astype(float) * monomials)
    return out.reshape(-1, size)


def conv(*layers):
    return nn.Sequential(*layers)


TWINS = {
    "relu": (lambda: conv(Linear(3, 4, bias=False), nn.ReLU(), Linear(4, 2, bias=False)), (3,),
             models.relu([2, 4, 3]), ["2.weight", "0.weight"]),
    "linear": (lambda: conv(Linear(3, 4, bias=False), Linear(4, 2, bias=False)), (3,),
               models.linear([2, 4, 3]), ["1.weight", "0.weight"]),
    "bias": (lambda: conv(Linear(3, 4), nn.LeakyReLU(0.25), Linear(4, 2, bias=False)), (3,),
             models.relu([2, 4, 3], bias=True, slope=Fraction(1, 4)), ["2.weight", "0.weight", "0.bias"]),
    "conv1d": (lambda: conv(nn.Conv1d(1, 3, 2, bias=False), nn.ReLU(), nn.Conv1d(3, 2, 2, bias=False)), (1, 4),
               models.conv1d([1, 3, 2], 2, relu=True), ["0.weight", "2.weight"]),
    "linear conv2d": (lambda: conv(nn.Conv2d(1, 2, 2, bias=False), nn.Conv2d(2, 2, 2, bias=False)), (1, 4, 4),
                      models.conv2d([1, 2, 2], 2), ["0.weight", "1.weight"]),
    "glu": (lambda: Made(lambda m, x: m.u(m.a(x) * m.b(x)), u=Linear(3, 2, bias=False), a=Linear(2, 3, bias=False),
                         b=Linear(2, 3, bias=False)), (2,),
            clexact.Model({"U": (2, 3), "A": (3, 2), "B": (3, 2)}, {"x": 2},
                          lambda U, A, B, x: U @ ((A @ x) * (B @ x))),
            ["u.weight", "a.weight", "b.weight"]),
    "attention": (lambda: Made(lambda m, x: m.o(((m.q(x) @ m.k(x).mT).softmax(-1)) @ m.v(x)),
                               **{name: Linear(3, 2, bias=False) for name in "qkv"}, o=Linear(2, 3, bias=False)),
                  (4, 3),
                  clexact.Model({"Q": (2, 3), "K": (2, 3), "V": (2, 3), "W": (3, 2)}, {"x": 3, "y": 3, "z": 3},
                                lambda Q, K, V, W, x, y, z: clexact.concatenate(
                                    [((Q @ x) @ (K @ y)).reshape((1,)), W @ (V @ z)])),
                  ["q.weight", "k.weight", "v.weight", "o.weight"]),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
def test_gradients_lie_in_the_exact_fields(name):
    """The gradient of a loss is a combination of the values of the fields of the model of the same family."""
    make, shape, model, order = TWINS[name]
    module = seeded(make).double()
    parameters = dict(module.named_parameters())
    theta = torch.cat([parameters[key].reshape(-1) for key in order]).detach().numpy()
    basis = matrix_at(clexact.gradient_flow(model).fields, theta)
    u, s, _ = np.linalg.svd(basis.T, full_matrices=False)
    span = u[:, s > 1e-10 * s[0]]
    assert span.shape[1] < len(theta)
    for seed in range(3):
        x, y = draw(6, *shape, seed=seed).double(), draw(1, seed=seed + 9).double()
        loss = ((module(x) - y) ** 2).mean() + module(x).exp().mean()
        gradients = torch.autograd.grad(loss, [parameters[key] for key in order])
        g = torch.cat([part.reshape(-1) for part in gradients]).numpy()
        assert np.linalg.norm(g - span @ (span.T @ g)) < EXACT * np.linalg.norm(g)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "linear", "bias", "glu", "attention", "linear conv2d"])
def test_as_many_laws_as_the_model(name):
    make, shape, model, _ = TWINS[name]
    count = clexact.certify(clexact.gradient_flow(model))
    found = laws(seeded(make), draw(2, *shape))
    assert found.count == count.lower == count.upper


# -- the loss and the optimizer ---------------------------------------------------------------------------------------


def test_cross_entropy_adds_the_sums_over_classes():
    found = laws(mlp(), draw(5, 3), loss="cross_entropy")
    assert [(law.name, law.count) for law in found if law.degree == 1] == [
        ("2.weight: sums over axis 0", 4), ("2.bias: sums over axis 0", 1)]  # fmt: skip
    pixels = nn.Conv2d(3, 4, 1)
    assert laws(pixels, draw(2, 3, 5, 5), loss="cross_entropy").count == 0  # it is not known where the classes are
    assert laws(pixels, draw(2, 3, 5, 5), loss="cross_entropy", class_axis=1).count == 4


def steps(module, optimizer, x, count=3):
    """{law: its values, and those at the gradients} along some steps on a squared loss."""
    found = laws(module, x, optimizer=optimizer, certify=False)
    history = {law.name: ([], []) for law in [*found, *(law for law, _ in found.broken)]}
    every = [*found, *(law for law, _ in found.broken)]
    parameters = dict(module.named_parameters())
    for step in range(count):
        optimizer.zero_grad()
        (module(x) - step).square().mean().backward()
        gradients = {name: p.grad for name, p in parameters.items()}
        for law in every:
            values, forms = history[law.name]
            values.append(law.value(parameters).detach().clone())
            forms.append(law.value(gradients).detach().clone())
        optimizer.step()
    for law in every:
        history[law.name][0].append(law.value(parameters).detach().clone())
    return found, history


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("middle", [nn.ReLU, nn.Identity])
def test_a_step_of_sgd_is_of_second_order_exactly(decay, middle):
    module = seeded(lambda: nn.Sequential(Linear(3, 4), middle(), Linear(4, 2))).double()
    eta = 0.1
    optimizer = torch.optim.SGD(module.parameters(), lr=eta, weight_decay=decay)
    found, history = steps(module, optimizer, draw(5, 3).double())
    assert len(found) == 1 and ("e^{-2 lambda t}" in found[0].reason) == bool(decay)
    values, forms = history[found[0].name]
    for before, after, form in zip(values[:-1], values[1:], forms, strict=True):
        predicted = (1 - eta * decay) ** 2 * before + eta**2 * form
        assert torch.allclose(after, predicted, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("optimizer", "settings", "said"),
    [
        (torch.optim.SGD, {"momentum": 0.9}, "6 laws of Noether"),
        (torch.optim.Adam, {}, "rescales each entry"),
        (torch.optim.AdamW, {}, "rescales each entry"),
        (torch.optim.RMSprop, {}, "rescales each entry"),
        (torch.optim.LBFGS, {}, "not known"),
    ],
)
def test_optimizers_that_break_the_law(optimizer, settings, said):
    module = seeded(lambda: nn.Sequential(Linear(3, 4), Linear(4, 2)))
    found = laws(module, draw(5, 3), optimizer=optimizer(module.parameters(), lr=0.1, **settings), certify=False)
    ((law, why),) = found.broken
    assert not len(found) and said in why and law.kind == "gram"


@pytest.mark.slow
def test_what_has_no_gradient_survives_momentum_but_not_adam():
    module, x, _, _ = case("batch norm")
    module.double()
    for optimizer, kept in (
        (torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9), True),
        (torch.optim.Adam(module.parameters(), lr=0.1), False),  # its gradient is rounding, which Adam rescales
    ):
        found, history = steps(module, optimizer, x.double())
        drift = max(abs(history["0.bias: every entry"][0][0] - history["0.bias: every entry"][0][-1]))
        assert kept == ("0.bias: every entry" in {law.name for law in found}) == bool(drift < 1e-12)


def test_groups_of_parameters():
    module = mlp()
    first, last = ({"params": list(module[layer].parameters())} for layer in (0, 2))
    other = torch.optim.SGD([first, {**last, "lr": 0.2}], lr=0.1)
    ((_, why),) = laws(module, draw(5, 3), optimizer=other, certify=False).broken
    assert "different lr (0.weight: 0.1, 0.bias: 0.1, 2.weight: 0.2)" in why
    decayed = torch.optim.SGD([first, {**last, "weight_decay": 0.2}], lr=0.1)
    assert "weight_decay" in laws(module, draw(5, 3), optimizer=decayed, certify=False).broken[0][1]
    assert len(laws(module, draw(5, 3), optimizer=torch.optim.SGD([first, last], lr=0.1), certify=False)) == 1
    part = torch.optim.SGD(module[2].parameters(), lr=0.1)
    assert "not given 0.weight" in laws(module, draw(5, 3), optimizer=part, certify=False).broken[0][1]


# -- reading ----------------------------------------------------------------------------------------------------------


def test_frozen_and_unused_parameters():
    module = mlp()
    module[0].bias.requires_grad_(False)
    found = laws(module, draw(5, 3), certify=False)
    assert not len(found) and any("0.bias" in part.name and "not trained" in part.reason for part in found.uncovered)
    module, example, _, _ = case("unused")
    idle = [part for part in laws(module, example, certify=False).uncovered if "no gradient" in part.reason]
    assert [part.name for part in idle] == ["c.weight, c.bias"]


@pytest.mark.slow
def test_the_module_is_left_as_it_was():
    """Mode of each part, parameters, statistics, gradients, hooks, and the global random states."""
    module = seeded(lambda: nn.Sequential(Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.ReLU(), Linear(4, 2)))
    module[4].eval()
    example = draw(5, 3)
    module(example).sum().backward()
    hook = module[3].register_forward_hook(lambda *_: None)
    before, modes = copy.deepcopy(module.state_dict()), [part.training for part in module.modules()]
    gradients = [p.grad.clone() for p in module.parameters()]
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    with torch.no_grad():
        found = laws(module, example, loss="cross_entropy")
        assert not torch.is_grad_enabled()
    assert found.count and [part.training for part in module.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(module.parameters(), gradients, strict=True))
    # PyTorch has no public list of hooks
    assert list(module[3]._forward_hooks) == [hook.id] and not any(p._backward_hooks for p in module.parameters())
    assert torch.equal(torch.random.get_rng_state(), states[0]) and random.getstate() == states[2]
    assert np.array_equal(np.random.get_state()[1], states[1])


def test_an_unsupported_layer_leaves_the_laws_of_the_rest():
    module = nn.Sequential(
        Linear(3, 4), nn.ReLU(), Linear(4, 5), nn.Softplus(), Linear(5, 5), nn.Hardtanh(), Linear(5, 2)
    )
    found = laws(module, draw(5, 3))
    assert [law.name for law in found] == ["0 -> 2"]
    assert {"softplus in 3", "hardtanh in 5"} <= {part.name for part in found.uncovered}


def fails(*_, **__):
    raise KeyError("no such factor")


def test_a_rule_that_fails_is_told(monkeypatch):
    """What enters is fixed, and it is no operation without a rule; with warnings as errors, as here, it raises."""
    monkeypatch.setitem(RULES, "relu", fails)
    with pytest.raises(RuleFailedWarning, match="the rule for relu failed: KeyError: 'no such factor'"):
        laws(mlp(), draw(5, 3), loss="cross_entropy", certify=False)
    with pytest.warns(RuleFailedWarning):
        found = laws(mlp(), draw(5, 3), loss="cross_entropy", certify=False)
    assert {law.name for law in found} == {"2.weight: sums over axis 0", "2.bias: sums over axis 0"}
    (said,) = [part.reason for part in found.uncovered if part.name == "relu in 1"]
    assert said.startswith("clexact's rule failed (KeyError: 'no such factor'), please report it: nothing is claimed")


def test_arguments_that_a_rule_does_not_cover():
    module = nn.Sequential(nn.Embedding(5, 3, scale_grad_by_freq=True), Linear(3, 2))
    found = laws(module, torch.tensor([[1, 3]]), certify=False)
    assert any("scales gradients by frequency" in part.name and "no rule" in part.reason for part in found.uncovered)


def test_tokens_vary_freely():
    """A law holds for any tokens, not only for those of the example; the row of padding has no gradient."""
    module = seeded(lambda: nn.Sequential(nn.Embedding(5, 3, padding_idx=2), Linear(3, 2, bias=False)))
    found = laws(module, torch.tensor([[1, 3, 2]]))
    assert [law.formula for law in found if law.degree == 1] == ["0.weight[2,i]"]
    assert found.bounds is not None and found.bounds.scope.startswith("all data and mixtures of tokens")
    for tokens in ([[0, 4]], [[1, 1]], [[2, 0]]):
        assert all(residual < EXACT for residual in check(module, torch.tensor(tokens), found).values())


ODD = {
    "attention to itself": lambda m, x: m.b(F.scaled_dot_product_attention(m.a(x), m.a(x), m.a(x))),
    "one tensor": lambda m, x: (lambda h: m.b(F.scaled_dot_product_attention(h, h, h)))(m.a(x)),
    "a number": lambda m, x: m.b(m.a(x))[0] @ m.a(x)[0, :2],
    "detached in place": lambda m, x: m.b(m.a(x).clone().detach_() * m.a(x)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_no_rule_fails(name, loss):
    found = laws(seeded(lambda: both(ODD[name])), draw(5, 3), loss=loss, certify=False)
    assert not found.disputed and not any("please report" in part.reason for part in found.uncovered)


@pytest.mark.parametrize("wrap", [partial(torch.compile, backend="eager"), nn.DataParallel])
def test_wrapped_modules(wrap):
    module = mlp()
    found = laws(wrap(module), draw(5, 3), certify=False)
    assert found[0].parameters == ("0.weight", "0.bias", "2.weight")
    assert torch.equal(found.values(wrap(module))["0 -> 2"], found.values(module)["0 -> 2"])
    assert check(wrap(module), draw(5, 3), found) == check(module, draw(5, 3), found)


def test_check_of_other_modules():
    found = laws(mlp(), draw(5, 3), certify=False)
    with pytest.raises(ValueError, match=r"a law speaks of the parameter '0\.weight', which the module does not have"):
        check(pair(lambda m, h: h), draw(5, 3), found)
    frozen = mlp()
    frozen[0].requires_grad_(False)
    assert check(frozen, draw(5, 3), found)["0 -> 2"] > 1e-3  # what is frozen does not move


def test_copies_and_pickles():
    """The laws and all that is said of them, those that nearly hold too."""
    module, example, _, _ = case("layer norm")
    found = laws(module, example, certify=False)
    for other in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert str(other) == str(found) and other.approximate == found.approximate and len(found.approximate)
        assert other.count == found.count and other.laws == found.laws


class DynamicCache:
    """As that of Hugging Face: torch.export does not know it."""


@pytest.mark.parametrize(
    "answer",
    [
        lambda y: (y, DynamicCache()),
        lambda y: {"logits": y, "past_key_values": DynamicCache()},
        lambda y: {"logits": y, "past_key_values": ((y, y),)},
    ],
)
def test_a_cache_in_the_output(answer):
    def decode(m, x, use_cache=True):
        y = m.b(torch.relu(m.a(x)))
        return answer(y) if use_cache else (y,)

    module = both(decode)
    found = laws(module, draw(5, 3), certify=False)
    assert found.count == laws(module, (draw(5, 3), False), certify=False).count == 4 and not found.disputed
    assert any("of keys and values that it gives" in note for note in found.notes)


def test_an_output_of_another_kind():
    module = both(lambda m, x: (m.a(x), random.Random()))
    assert "its output holds a Random, which is no tensor" in laws(module, draw(5, 3)).uncovered[0].reason


def test_inputs_of_several_kinds():
    module = Made(lambda m, x, y: m.b(torch.relu(m.a(x))) + y, a=Linear(3, 4), b=Linear(4, 2))
    assert laws(module, (draw(5, 3), draw(5, 2)), certify=False).count == 4
    keyed = nn.Bilinear(2, 2, 2)
    assert laws(keyed, {"input1": draw(5, 2), "input2": draw(5, 2)}, certify=False).count == 0


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((5, None), TypeError, "expected a torch.nn.Module, not 5"),
        ((nn.LazyLinear(4), draw(5, 3)), ValueError, "lazy layers"),
        ((mlp().double(), draw(5, 3)), ValueError, "the module fails on the example input: .* dtype"),
        ((mlp(), draw(5, 4)), ValueError, "the module fails on the example input"),
        ((mlp().requires_grad_(False), draw(5, 3)), ValueError, "no parameter that is trained"),
        ((Made(lambda m, x: m.a(x).argmax(), a=Linear(3, 4)), draw(5, 3)), ValueError, "no output of the module has"),
    ],
)
def test_laws_rejects_modules(arguments, error, said):
    with pytest.raises(error, match=said):
        laws(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"loss": "hinge"}, ValueError, "loss must be one of"),
        ({"optimizer": "sgd"}, TypeError, "optimizer must be"),
        ({"seed": -1}, ValueError, "seed must be"),
        ({"loss": "cross_entropy", "class_axis": 3}, ValueError, "class_axis 3 is no axis"),
        (
            {"optimizer": torch.optim.SGD(mlp().parameters())},
            ValueError,
            "the optimizer holds no parameter of the module",
        ),
        ({"class_axis": 1.0}, TypeError, "class_axis must be an integer"),
    ],
)
def test_laws_rejects_options(options, error, said):
    with pytest.raises(error, match=said):
        laws(mlp(), draw(5, 3), **options)


# -- what is shown ----------------------------------------------------------------------------------------------------


def test_shown():
    found = laws(mlp(), draw(5, 3), loss="cross_entropy")
    assert "9 independent conserved numbers in 3 laws of Sequential" in str(
        found
    ) and "|0.weight[i]|² + 0.bias[i]²" in str(found)
    assert "<table>" in found._repr_html_() and r"\|\text{0.weight}_{i}\|^2" in found._repr_latex_()
    frame = found.to_frame()
    assert list(frame["count"]) == [4, 4, 1] and frame["parameters"][0] == ("0.weight", "0.bias", "2.weight")
    assert laws(pair(lambda m, h: torch.tanh(h)), draw(5, 3), certify=False)._repr_latex_() == ""


@pytest.mark.slow
def test_latex_is_balanced_and_read_by_another():
    """Of vectors, matrices, blocks of parameters and sums: braces close, and latex2mathml knows every command."""
    encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    for found in (laws(mlp(), draw(5, 3), loss="cross_entropy"), laws(encoder, draw(2, 3, 8), certify=False)):
        shown = found.to_latex()
        assert shown.count("{") == shown.count("}") and shown.count(r" \\") == len(found) - 1
        for law in found:
            rendered = convert(law.latex)
            assert "\\" not in rendered.replace(r"\_", "") and law.latex.count("{") == law.latex.count("}")
            assert all(name.partition("[")[0].replace("_", r"\_") in rendered for name in law.parameters)


@pytest.mark.parametrize("index", [None, tuple(range(4, 16))])
def test_views_of_parameters(index):
    w, v = draw(24, 5).double(), draw(24, 5, seed=1).double()
    term = Term("w", 1, View((3, 4, 5), (0,), 1, 0, 4, 16, index))
    p, q = (x[4:16].reshape(3, 4, 5) for x in (w, v))
    assert torch.allclose(term.gram(w, v), (p @ q.mT + q @ p.mT) / 2) and torch.allclose(
        term.norms(w), (p**2).sum(2).ravel()
    )
    assert torch.allclose(term.norms(w, v), (p * q).sum(2).ravel()) and torch.allclose(term.sums(w), p.sum(1).ravel())
    kernel = draw(6, 4, 3, 3).double()
    columns = Term("k", 1, View((6, 2, 2, 3, 3), (1,), 2))  # input channels in two groups
    flat = kernel.reshape(6, 2, 2, 9).permute(1, 2, 0, 3).reshape(2, 2, 54)
    assert torch.allclose(columns.gram(kernel), flat @ flat.mT)
    assert torch.allclose(columns.norms(kernel), (flat**2).sum(2).ravel())


@pytest.mark.parametrize(
    ("old", "new"),
    [((2, 3, 12), (2, 3, 3, 4)), ((2, 8, 1, 1), (2, 8)), ((5,), (1, 1, 5)), ((4, 9), (6, 6)), ((), (1, 1)), ((1,), ()),
     ((4, 3, 8), (4, 6, 4)), ((1, 2, 1, 3), (2, 3, 1))],
)  # fmt: skip
def test_axes_of_a_reshape(old, new):
    """Groups of axes that hold the same entries, in order and none left out."""
    groups = matching(old, new)
    assert [axis for before, _ in groups for axis in before] == list(range(len(old)))
    assert [axis for _, after in groups for axis in after] == list(range(len(new)))
    assert all(np.prod([old[a] for a in before]) == np.prod([new[a] for a in after]) for before, after in groups)


class Talking(nn.Module):
    """It prints, logs and lets another thread log; then it branches on a value, which torch.export tells at length."""

    def __init__(self):
        super().__init__()
        self.layer = Linear(2, 2)

    def forward(self, x):
        print("printed")
        print("printed as an error", file=sys.stderr)
        logging.getLogger("torchless").warning("logged")
        other = threading.Thread(target=logging.getLogger(LOGGERS[1]).warning, args=("logged elsewhere",))
        other.start()
        other.join()
        out = self.layer(x)
        return out if out.sum() > 0 else 2 * out


def test_only_what_torch_export_says_is_silenced(capsys, caplog):
    """While a module is read, what its own code prints and logs comes through, and what other threads log."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.disabled, list(logger.filters)) for logger in loggers]
    loggers[1].addHandler(caplog.handler)
    try:
        with pytest.raises(trace.UnreadableError, match="depends on values"):
            trace.trace(Talking(), torch.ones(3, 2))
    finally:
        loggers[1].removeHandler(caplog.handler)
    printed = capsys.readouterr()
    assert set(printed.out.splitlines()) == {"printed"}
    assert {line for line in printed.err.splitlines() if "logged elsewhere" not in line} == {"printed as an error"}
    logged = [record.message for record in caplog.records if record.name in ("torchless", *LOGGERS)]
    times = 3  # when it is run, when it is exported, and when it is run to see what its parts are given
    assert sorted(logged) == ["logged"] * times + ["logged elsewhere"] * times
    assert [(logger.disabled, list(logger.filters)) for logger in loggers] == before
    assert not hasattr(torch.export._trace, "print")


class Silent(Talking):
    """It cannot be exported, and does not say why."""

    def forward(self, x):
        if torch.compiler.is_exporting():
            raise NotImplementedError
        return self.layer(x)


def test_an_error_that_says_nothing_is_told_by_its_class():
    with pytest.raises(trace.UnreadableError, match=r"^it could not be read by torch.export: NotImplementedError$"):
        trace.trace(Silent(), torch.ones(3, 2))


def test_the_example_of_the_documentation(capsys):
    """It prints what the page says, up to the rounding measured by the numerical check."""
    text = (Path(__file__).parent.parent / "docs" / "pytorch.md").read_text(encoding="utf-8")
    code, rest = text.split("```python\n")[1].split("```\n\n", 1)
    shown = [line[4:] for line in rest.split("\n\n", 1)[0].splitlines()]
    exec(code, {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("largest residual")[0] for line in printed] == [
        line.split("largest residual")[0] for line in shown
    ]


# -- the law type -----------------------------------------------------------------------------------------------------


class Residual(nn.Module):
    """Equal blocks on a stream that nothing rescales."""

    def __init__(self, blocks):
        super().__init__()
        self.h = nn.ModuleList(nn.Sequential(Linear(3, 4), nn.ReLU(), Linear(4, 3)) for _ in range(blocks))
        self.head = Linear(3, 3)

    def forward(self, x):
        for block in self.h:
            x = x + block(x)
        return torch.tanh(self.head(torch.tanh(x)))


def test_a_law_of_a_module_takes_one_vector_of_all_parameters():
    module = nn.Sequential(Linear(3, 4), Linear(4, 4), nn.ReLU(), Linear(4, 2))
    parameters = dict(module.named_parameters())
    theta = nn.utils.parameters_to_vector(module.parameters()).detach().double().requires_grad_()
    for law in laws(module, draw(5, 3), loss="cross_entropy", certify=False):
        assert [name for name, _ in law.layout] == list(parameters)
        named = {name: p.detach().double() for name, p in parameters.items()}
        value = law(theta)
        assert value.shape == law.shape and torch.equal(value, law.value(named)) and torch.equal(value, law(**named))
        weights = torch.randn(law.shape, dtype=torch.float64)
        (slope,) = torch.autograd.grad((value * weights).sum(), theta)
        found, first = law.gradient(theta.detach(), weights), 0
        for name, given in parameters.items():
            own = slope[first : first + given.numel()].reshape(given.shape)
            assert torch.allclose(found.get(name, torch.zeros_like(own)), own)
            first += given.numel()
        assert law.size == len(law.polynomials()) >= law.count


def test_repeated_blocks_are_one_line():
    found = laws(Residual(4), draw(5, 3), certify=False)
    (fold,) = [fold for fold in found.folded() if fold.many > 1]
    assert len(found) > 3 and fold.many == 4 and fold.members == tuple(found[: fold.many])
    assert str(found).count("h.0..3.") >= 3 and "h.1." not in str(found)
    assert "h.0..3." in found._repr_html_() and "<td>4 × " in found._repr_html_()
    for k, law in enumerate(fold.members):
        assert str(fold.shown).replace("0..3", str(k)) == str(law)
    assert all(fold.many == 1 for fold in laws(Residual(2), draw(5, 3), certify=False).folded())


@pytest.mark.slow
def test_matrices_of_heads_in_every_layer_of_an_encoder():
    """Queries and keys, values and outputs of heads wider than there are tokens, one of which is hidden."""
    layer = nn.TransformerEncoderLayer(8, 2, 4, 0.0, batch_first=True)
    module = seeded(lambda: nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))
    example = {"src": torch.randn(1, 3, 8), "src_key_padding_mask": torch.tensor([[False, False, True]])}
    found = laws(module, example, certify=False)
    assert not found.disputed and [law.count for law in found if law.kind == "gram"] == 4 * [2 * 4 * 5 // 2]


@pytest.mark.parametrize("name", ["relu", "mean of groups", "padding index"])
def test_no_translation_is_lost_to_what_gates_show(monkeypatch, name):
    """The laws are the same where nothing is known of gates, and every large parameter is searched twice."""
    monkeypatch.setattr(shifts, "LARGE", 5)
    module, example = case(name)[:2]
    found = laws(module, example, certify=False)
    monkeypatch.setattr(shifts.Sweep, "behind_gates", lambda sweep: set())
    monkeypatch.setattr(shifts.Sweep, "shown", lambda sweep: set())
    assert list(map(str, found)) == list(map(str, laws(module, example, certify=False)))
