"""The data that a module is trained on: how they are given, what they never excite, against autograd in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset  # noqa: E402

import clexact  # noqa: E402
import clexact.torch  # noqa: E402
from clexact.torch.data import cases, gathered  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
X = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 1.0], [2.0, 0.0, 3.0]])
Y = torch.zeros(3)
TOKENS = torch.tensor([[0, 2], [2, 4], [4, 4], [0, 0]])


class Samples(Dataset):
    """A data set whose inputs are arrays."""

    def __len__(self):
        return 3

    def __getitem__(self, n):
        return X[n].numpy(), n


class Stream(IterableDataset):
    """One that has no length."""

    def __iter__(self):
        return iter(X)


GIVEN = {
    "tensor": X, "array": X.numpy(), "lists": X.tolist(), "integers": X.long(), "half": X.half(),
    "loader": DataLoader(TensorDataset(X, Y), batch_size=2), "data set": TensorDataset(X, Y), "samples": Samples(),
    "stream": Stream(), "pairs": [(X[:2], Y[:2]), (X[2:], Y[2:])], "batches": [X[:1], X[1:]],
}  # fmt: skip


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_all_ways_to_give_inputs_are_the_same(given):
    [values] = gathered(X[:1], given)
    assert values.astype(float).tolist() == X.tolist()
    assert cases(values, (1, 3), "x").shape == (3, 1, 3)
    assert cases(values, (3,), "x").shape == (3, 3)


@pytest.mark.parametrize(
    ("example", "given"),
    [
        ((X[:1], Y[:1]), (X, Y)), ((X[:1], Y[:1]), [(X, Y, Y)]), ((X[:1], Y[:1]), [((X, Y), Y)]),
        ({"a": X[:1], "b": Y[:1]}, {"b": Y, "a": X}), ({"a": X[:1], "b": Y[:1]}, [{"b": Y, "a": X, "y": Y}]),
    ],
)  # fmt: skip
def test_several_tensors(example, given):
    first, second = gathered(example, given)
    assert (first == X.numpy()).all() and (second == Y.numpy()).all()


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ("text", TypeError, "not str"), (5, TypeError, "not int"), ([], ValueError, "at least one batch"),
        (X * 1j, TypeError, "complex"), ([(Y, X), (X, Y)], ValueError, "one shape"), (Samples, TypeError, "a tensor"),
        (TensorDataset(X[:0]), ValueError, "at least one batch"), ([{"a": X}], TypeError, "not dict"),
        ((torch.zeros(1, 3).expand(2 * 10**6, 3) for _ in iter(int, 1)), ValueError, "fewer batches"),
    ],
)  # fmt: skip
def test_what_are_no_inputs_is_told(given, error, match):
    with pytest.raises(error, match=match) as found:
        gathered(X[:1], given)
    assert "\n" not in str(found.value)


def test_wrong_shapes_are_told():
    with pytest.raises(ValueError, match="no whole number of batches of 2"):
        cases(X.numpy(), (2, 3), "x")
    for wrong in (torch.zeros(3, 2), torch.zeros(0, 3), torch.zeros(3)):
        with pytest.raises(ValueError, match=r"shape \(N, 3\), N at least 1"):
            cases(wrong.numpy(), (1, 3), "x")
    with pytest.raises(ValueError, match="finite number, not nan"):
        clexact.torch.model(nn.Linear(3, 1), X[:1], inputs=X * torch.nan)


def test_flows_of_a_model_are_on_the_data_that_it_remembers():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    model = clexact.torch.model(net, X[:1], inputs=DataLoader(TensorDataset(X, Y)))
    flow = clexact.gradient_flow(model)
    count = clexact.certify(flow)
    assert flow.scope.startswith("this data") and count.exact
    assert "_0_weight[i,1]  (i < 2)" in count.laws.written()  # a dead column
    assert count.laws == clexact.certify(clexact.gradient_flow(clexact.torch.model(net, X[:1]), inputs=X[:, None])).laws
    assert clexact.momentum_flow(model).scope.startswith("this data")


def _moved(module, law, model, inputs, rng):
    """How far autograd moves a law of a module on data."""
    module = module.double()
    output = module(inputs)
    (output * torch.tensor(rng.normal(size=output.shape))).sum().backward()
    slopes = {n: p.grad for n, p in zip(model.parameters, module.parameters(), strict=True)}
    theta = {n: p.detach() for n, p in zip(model.parameters, module.parameters(), strict=True)}
    gradient = law.gradient(theta)
    size = sum((g.abs() * slopes[n].abs()).sum() for n, g in gradient.items())
    return max(
        abs(sum((g.reshape(-1, slopes[n].numel()) @ slopes[n].ravel()) for n, g in gradient.items())).max().item()
        / max(size.item(), 1e-12),
        0,
    )


@pytest.mark.parametrize("padding", [None, 2])
def test_rows_of_an_embedding_that_no_token_uses_are_one_family(padding):
    net = nn.Sequential(nn.Embedding(7, 2, padding_idx=padding), nn.Flatten(), nn.Linear(4, 2))
    model = clexact.torch.model(net, TOKENS[:1], inputs=DataLoader(TensorDataset(TOKENS, torch.zeros(4)), batch_size=3))
    count = clexact.certify(clexact.gradient_flow(model))
    assert count.exact and not count.error and count.scope.startswith("this data")
    rows = "{1, 3, 5, 6}" if padding is None else "{1..3, 5, 6}"
    assert f"_0_weight[i,j]  (i in {rows}, j < 2)" in count.laws.written()
    rng = np.random.default_rng(0)
    for law in count.laws.families:
        assert _moved(net, law, model, TOKENS, rng) < 1e-9


def test_a_batch_is_one_input_of_a_batch_norm():
    net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1), nn.Linear(1, 1))
    data = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0], [2.0, 0.0]])
    count = clexact.certify(clexact.gradient_flow(clexact.torch.model(net, data, inputs=data)))
    assert count.upper < count.dimension and count.lower >= 2  # the bias before the norm, the balance behind it
