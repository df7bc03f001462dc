"""Submodules that torch.export cannot read are cut out: laws of the rest are laws of the module."""

from __future__ import annotations

import sys

import pytest
import torch
from test_torch_model import confirm
from torch import nn
from torch.nn import Linear
from torch.nn.utils import parametrizations, spectral_norm
from torch_modules import Made, parameter, seeded

import clexact
from clexact.torch import check, laws, model
from clexact.torch.trace import trace

TOLERANCE = 1e-12


class Cubed(torch.autograd.Function):
    """x^3, with five times its gradient."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(context, gradient):
        return 15 * gradient * context.saved_tensors[0] ** 2


class Custom(nn.Module):
    """A gradient of its own."""

    def forward(self, x):
        return Cubed.apply(x)


class Branch(nn.Module):
    """Control flow that depends on values, around a layer."""

    def __init__(self, width=4):
        super().__init__()
        self.layer = Linear(width, width)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else 2 * x


class Several(nn.Module):
    """A list of arguments and a dict of results, one of them None, by values."""

    def __init__(self):
        super().__init__()
        self.layer = Linear(4, 4)

    def forward(self, parts, scale=1.0):
        a, b = parts
        a, b = (a, b) if a.sum() > 0 else (b, a)
        return {"sum": scale * self.layer(a) + b, "none": None, "which": (a > 0).long()}


def network(between, *more):
    return nn.Sequential(Linear(3, 4), nn.ReLU(), Linear(4, 4), between, Linear(4, 4), nn.ReLU(), Linear(4, 2), *more)


def looked_at(between=None):
    """With a hook that reads values, and changes nothing."""
    between = between or Linear(4, 4)
    between.register_forward_hook(lambda part, given, output: print(float(output.detach().sum()), file=sys.stderr))
    return network(between)


def changed_by_a_hook():
    between = Linear(4, 4)
    between.register_forward_hook(lambda part, given, output: output * float(output.detach().norm()))
    return network(between)


def with_a_backward_hook():
    between = Linear(4, 4)
    between.register_full_backward_hook(lambda part, given, output: (given[0] ** 2,))
    return network(between)


def with_a_hook_on_a_weight():
    between = Linear(4, 4)
    between.weight.register_hook(lambda gradient: gradient**2)
    return network(between)


def hook_while_it_runs(part, x):
    if x.requires_grad:
        x.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
    return part.layer(x)


def by_a_number(part, x):
    return x * float(x.detach().abs().sum())


def by_numpy(part, x):
    return x + torch.from_numpy(x.detach().numpy().cumsum(1))


def renormalised():
    return Made(lambda m, i: m.b(torch.relu(m.a(m.words(i).sum(1)))), words=nn.Embedding(6, 3, max_norm=1.0),
                a=Linear(3, 4), b=Linear(4, 2))  # fmt: skip


def twice():
    """One part, called twice on inputs of two shapes."""
    return Made(lambda m, x: m.b(torch.relu(m.a(m.cut(x)))) + m.b(torch.relu(m.a(m.cut(x[:1])))),
                cut=Branch(3), a=Linear(3, 4), b=Linear(4, 2))  # fmt: skip


def several():
    return Made(
        lambda m, x: m.b(torch.relu(m.a(m.cut([m.c(x), m.d(x)], scale=2.0)["sum"]))),
        cut=Several(), a=Linear(4, 3), b=Linear(3, 2), c=Linear(3, 4), d=Linear(3, 4),
    )  # fmt: skip


def tied():
    """The layer inside what is cut is used outside too: it has no law, though relu is around it outside."""
    cut = Branch()
    return Made(lambda m, x: m.b(torch.relu(m.shared(m.cut(m.a(x))))), a=Linear(3, 4), cut=cut, shared=cut.layer,
                b=Linear(4, 2))  # fmt: skip


# name: (network, what is cut, the reason, number of laws)
CUT = {
    "function": (lambda: network(Custom()), "3 (Custom)", "Cubed defines a gradient of its own", 8),
    "branch": (lambda: network(Branch()), "3 (Branch)", "depends on values", 8),
    "smallest": (lambda: network(nn.Sequential(Linear(4, 4), Branch())), "3.1 (Branch)", "depends on values", 18),
    "linear before": (lambda: nn.Sequential(Linear(2, 3), Linear(3, 3), Branch(3)), "2 (Branch)", "on values", 6),
    "number": (lambda: network(Made(by_a_number)), "3 (Made)", "depends on values", 8),
    "numpy": (lambda: network(Made(by_numpy)), "3 (Made)", "numpy", 8),
    "hook that looks": (looked_at, "3 (Linear)", "depends on values", 8),
    "hook that changes": (changed_by_a_hook, "3 (Linear)", "depends on values", 8),
    "backward hook": (with_a_backward_hook, "3 (Linear)", "3 has a backward hook", 8),
    "hook on a weight": (with_a_hook_on_a_weight, "the gradient of 3.weight", "a hook changes or reads", 9),
    "hook while it runs": (lambda: network(Made(hook_while_it_runs, layer=Linear(4, 4))), "3 (Made)", "a hook set", 8),
    "spectral norm": (lambda: network(parametrizations.spectral_norm(Linear(4, 4))),
                      "3.parametrizations.weight.0 (_SpectralNorm)", "no_grad", 9),
    "old spectral norm": (lambda: network(spectral_norm(Linear(4, 4))), "3 (Linear)", "no_grad", 8),
    "max_norm": (renormalised, "words (Embedding)", "writes into its weights", 4),
    "twice": (twice, "cut (Branch)", "depends on values", 4),
    "several": (several, "cut (Several)", "depends on values", 3),
    "tied": (tied, "cut (Branch)", "depends on values", 0),
    "two": (lambda: network(Custom(), Branch(2)), "3 (Custom)", "gradient of its own", 8),
}  # fmt: skip


def example_of(name):
    if name == "max_norm":
        return torch.tensor([[1, 2], [3, 0]])
    return torch.randn(3, 2 if name == "linear before" else 3, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", CUT)
def test_laws_of_the_rest_are_laws_of_the_module(name):
    make, cut, reason, count = CUT[name]
    module, example = seeded(make), example_of(name)
    found = laws(module, example, certify=False)
    assert found.count == count and not found.disputed
    if name != "old spectral norm":  # which cannot be copied into float64
        assert max(check(module, example, found, seed=1).values(), default=0) < TOLERANCE
    said = {part.name: part.reason for part in found.uncovered}
    assert reason in said[cut] and "nothing is claimed of what enters it" in said[cut]


@pytest.mark.parametrize(
    "name", ["function", "branch", "hook that changes", "hook on a weight", "spectral norm", "tied"]
)
def test_the_model_is_that_of_the_network_cut_there(name):
    make, cut, _, _ = CUT[name]
    module, example = seeded(make), example_of(name)[:1]
    made = model(module, example)
    assert made.cuts == (cut,)
    count = clexact.certify(clexact.gradient_flow(made))
    assert f"of the network cut at {cut}" in str(count) and count.scope.endswith(f"cut at {cut}")
    confirm(module.double(), example, count.laws.polynomials())


def test_whether_there_are_others_is_said_of_the_network_cut_there():
    found = laws(seeded(CUT["branch"][0]), example_of("branch"))
    assert (
        found.bounds.upper == 8 and "cut at 3 (Branch)" in found.bounds.scope and "cut at 3 (Branch)" in found.headline
    )


def test_parameters_inside_have_no_law():
    """Not even those that they would have if the branch seen were all."""
    module = seeded(
        lambda: network(Made(lambda m, x: m.b(m.a(x)) if x.sum() > 0 else x, a=Linear(4, 4), b=Linear(4, 4)))
    )
    found = laws(module, example_of("branch"), certify=False)
    assert found.count == 8 and not any(name.startswith("3.") for law in found for name in law.parameters)
    for shift in (-9.0, 9.0):  # both branches
        with torch.no_grad():
            module[2].bias.fill_(shift)
        assert max(check(module, example_of("branch"), found).values()) < TOLERANCE


# -- what must not be cut ---------------------------------------------------------------------------------------------


class Keeps(nn.Module):
    """It hands on what it computes behind its output."""

    def forward(self, x):
        self.kept = x.abs().sum() + float(x.detach().sum())
        return x


def kept():
    return Made(lambda m, x: m.b(torch.relu(m.cut(m.a(x)))) * m.cut.kept, a=Linear(3, 4), cut=Keeps(), b=Linear(4, 2))


class Peeks(nn.Module):
    """It reads a parameter that is not its own."""

    def __init__(self, *others):
        super().__init__()
        self.others = others

    def forward(self, x):
        return x * self.others[0].weight.sum() if x.sum() > 0 else x + self.others[0].weight.sum()


def peeking():
    a = Linear(3, 4)
    return Made(lambda m, x: m.cut(m.b(torch.relu(m.a(x)))), a=a, b=Linear(4, 2), cut=Peeks(a))


class Writes(nn.Module):
    """It writes into what enters it, unseen by its output."""

    def forward(self, x):
        x.mul_(float(x.detach().sum()))
        return x.new_ones(())


def writing():
    def run(m, x):
        h = m.a(x)
        return m.b(torch.relu(h * m.cut(h)))

    return Made(run, a=Linear(3, 4), b=Linear(4, 2), cut=Writes())


def counted(part, x):
    return float(x.detach().sum()) if x.sum() > 0 else 2.0


def numbered():
    return Made(lambda m, x: m.b(torch.relu(m.a(x))) * m.cut(m.a(x)), a=Linear(3, 4), b=Linear(4, 2), cut=Made(counted))


def selected():
    return Made(lambda m, x: m.b(m.cut(m.a(x))), a=Linear(3, 4), b=Linear(4, 2), cut=Made(lambda m, x: x[x[:, 0] > 0]))


def uncalled():
    """Another calls on the layer's forward: no call is seen to be cut."""
    cut = Made(by_a_number)
    return Made(lambda m, x: m.b(torch.relu(m.cut.forward(m.a(x)))), a=Linear(3, 4), cut=cut, b=Linear(4, 2))


UNSAFE = {"kept": kept, "peeking": peeking, "writing": writing, "numbered": numbered, "uncalled": uncalled}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_is_seen_otherwise_than_by_its_output_is_not_cut(name):
    """Then what is around it is cut; here that is the module itself, which is refused with the reason."""
    module = seeded(UNSAFE[name])
    found = laws(module, example_of("branch"))
    assert not len(found) and found.uncovered[0].name == "the whole module"
    with pytest.raises(ValueError, match=r"cannot be made a model: .*values"):
        model(module, example_of("branch"))


@pytest.mark.parametrize("name", UNSAFE)
def test_then_what_is_around_it_is_cut(name):
    """Where a larger submodule shows all that it does by its output."""
    module = seeded(lambda: nn.Sequential(UNSAFE[name](), Linear(2, 3), nn.ReLU(), Linear(3, 2)))
    found = laws(module, example_of("branch"), certify=False)
    assert found.count == 3 and "0 (Made)" in {part.name for part in found.uncovered}
    assert max(check(module, example_of("branch"), found).values()) < TOLERANCE


def test_a_number_taken_out_of_a_tensor_is_opaque():
    """Where torch.export reads it, there is nothing to cut out."""
    module = seeded(lambda: network(Made(lambda m, x: x * x.detach().abs().sum().item())))
    found = laws(module, example_of("branch"), certify=False)
    said = {part.name for part in found.uncovered}
    assert found.count == 8 and {"item in 3", "mul with a number that depends on values in 3"} <= said
    assert max(check(module, example_of("branch"), found).values()) < TOLERANCE


def test_a_shape_that_depends_on_values_is_not_cut():
    module, x = seeded(selected), torch.tensor([[1.0, 2, 3], [-1, -2, -3], [4, 5, 6], [-3, 2, 8]])
    assert laws(module, x).uncovered[0].name == "the whole module"


def test_parameters_that_share_memory_are_still_refused():
    memory = torch.randn(12)
    module = network(Branch())
    module.first, module.second = nn.Parameter(memory[:8]), nn.Parameter(memory[4:])
    assert "share memory" in laws(module, example_of("branch")).uncovered[0].reason


# -- the module is left alone -----------------------------------------------------------------------------------------


def test_the_module_is_as_before():
    module = seeded(lambda: network(Branch()))
    before = {name: set(part.__dict__) for name, part in module.named_modules()}
    trace(module, example_of("branch"))
    assert {name: set(part.__dict__) for name, part in module.named_modules()} == before
    own = module[3]._compiled_call_impl = module[3]._call_impl  # as Module.compile sets it
    trace(module, example_of("branch"))
    assert module[3]._compiled_call_impl is own


def test_reading_is_the_same_each_time():
    first, second = (str(laws(seeded(CUT["spectral norm"][0]), example_of("number"), certify=False)) for _ in range(2))
    assert first == second


def test_cut_parameters_that_are_frozen_are_constants():
    module = seeded(lambda: network(Branch()))
    module[3].requires_grad_(False)
    found = laws(module, example_of("branch"), certify=False)
    assert found.count == 8 and max(check(module, example_of("branch"), found).values()) < TOLERANCE


def test_a_parameter_of_the_module_itself_beside_a_cut():
    module = seeded(
        lambda: Made(lambda m, x: m.cut(m.a(x)) * m.scale, a=Linear(3, 4), cut=Branch(), scale=parameter(4))
    )
    found = laws(module, example_of("branch"), certify=False)
    assert all(residual < TOLERANCE for residual in check(module, example_of("branch"), found).values())
