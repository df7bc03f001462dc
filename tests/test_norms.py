"""Norms: they are those of PyTorch, and the laws of what is normalised are all there are."""

import random
from fractions import Fraction

import numpy as np
import pytest
import torch

import clexact
from clexact import functions as f
from clexact.flows.gradient import GradientFlow
from clexact.laws import quadratic
from clexact.laws.polynomial_laws import proposed_laws
from clexact.programs.algebras import Algebra
from clexact.symmetry.known_sums import known

F = torch.nn.functional
EPS = Fraction(1, 100)


class Tensors(Algebra):
    """Programs in PyTorch's float64."""

    def constant(self, value):
        return torch.tensor(value.astype(float))

    def add(self, a, b):
        return a + b

    def multiply(self, a, b):
        return a * b

    def matmul(self, a, b):
        return a @ b

    def transpose(self, a, axes):
        return a.permute(axes)

    def reshape(self, a, shape):
        return a.reshape(shape)

    def take(self, a, index):
        return a.ravel()[torch.from_numpy(index)]

    def concatenate(self, parts, axis):
        return torch.cat(parts, axis)

    def sum(self, a, axis):
        return a.sum(axis)

    def function(self, a, name):
        return getattr(torch, name)(a)

    def softmax(self, a, axis):
        return torch.softmax(a, axis)


def numbers(model, seed=0):
    """All nodes of a program at random arguments, which are returned too."""
    rng = np.random.default_rng(seed)
    shapes = model.parameters | model.probes
    leaves = {name: torch.tensor(rng.normal(size=shape), requires_grad=True) for name, shape in shapes.items()}
    return model.program.run(Tensors(), leaves), leaves


# --- the functions ---------------------------------------------------------------------------------------------------

A = {"a": (2, 4, 3)}
LAYERS = {
    "layer_norm": (A, f.layer_norm, lambda a: F.layer_norm(a, (3,), eps=0)),
    "layer_norm, two axes": (
        A, lambda a: f.layer_norm(a, (1, -1), "1e-2"), lambda a: F.layer_norm(a, (4, 3), eps=0.01),
    ),
    "layer_norm, gain and bias": (
        A | {"g": 3, "b": 3}, lambda a, g, b: g * f.layer_norm(a, eps=EPS) + b,
        lambda a, g, b: F.layer_norm(a, (3,), g, b, eps=0.01),
    ),
    "rms_norm": (A, f.rms_norm, lambda a: F.rms_norm(a, (3,), eps=0)),
    "rms_norm, two axes": (A, lambda a: f.rms_norm(a, [-2, -1], EPS), lambda a: F.rms_norm(a, (4, 3), eps=0.01)),
    "batch_norm": (
        {"a": (4, 3)}, lambda a: f.batch_norm(a, eps="0.01"),
        lambda a: F.batch_norm(a, None, None, training=True, eps=0.01),
    ),
    "batch_norm of images": (
        {"a": (3, 2, 2, 2)}, lambda a: f.batch_norm(a, (0, 2, 3), EPS),
        lambda a: F.batch_norm(a, None, None, training=True, eps=0.01),
    ),
    "group_norm": (A, lambda a: f.group_norm(a, 2), lambda a: F.group_norm(a, 2, eps=0)),
    "group_norm of images": (
        {"a": (2, 6, 2, 2)}, lambda a: f.group_norm(a, 3, eps=EPS), lambda a: F.group_norm(a, 3, eps=0.01),
    ),
    "instance_norm": (A, lambda a: f.instance_norm(a, eps=EPS), lambda a: F.instance_norm(a, eps=0.01)),
    "normalize": (A, f.normalize, lambda a: F.normalize(a, dim=-1)),
    "normalize, other axis": (A, lambda a: f.normalize(a, 1), lambda a: F.normalize(a, dim=1)),
    "cosine_similarity": (
        {"a": (2, 3), "b": (2, 3)}, f.cosine_similarity, lambda a, b: F.cosine_similarity(a, b, dim=-1),
    ),
    "cosine_similarity, broadcast": (
        {"a": (2, 3), "b": 3}, lambda a, b: f.cosine_similarity(a, b), lambda a, b: F.cosine_similarity(a, b, dim=-1),
    ),
    "cosine_similarity with a constant": (
        {"a": (2, 3)}, lambda a: f.cosine_similarity(a, [1, 2, 2], 1),
        lambda a: F.cosine_similarity(a, torch.tensor([[1.0, 2, 2]]).double(), dim=1),
    ),
    "weight_norm": (
        {"v": (2, 3), "g": 2}, f.weight_norm, lambda v, g: torch._weight_norm(v, g[:, None], 0),
    ),
    "weight_norm, other axis": (
        {"v": (2, 3, 2), "g": (1, 3, 1)}, lambda v, g: f.weight_norm(v, g, 1), lambda v, g: torch._weight_norm(v, g, 1),
    ),
    "weight_norm, all axes": (
        {"v": (2, 3), "g": ()}, lambda v, g: f.weight_norm(v, g, None), lambda v, g: g * v / v.norm(),
    ),
    "var": (A, lambda a: np.var(a, axis=(0, 2), ddof=1), lambda a: torch.var(a, (0, 2), correction=1)),
    "var of all": (A, lambda a: a.var(keepdims=True), lambda a: torch.var(a, correction=0).reshape(1, 1, 1)),
    "std": (A, lambda a: a.std(-1), lambda a: torch.std(a, -1, correction=0)),
    "norm": (A, lambda a: np.linalg.norm(a), lambda a: torch.linalg.vector_norm(a)),
    "norm along an axis": (
        A, lambda a: np.linalg.norm(a, 2, 1, keepdims=True), lambda a: torch.linalg.norm(a, 2, 1, keepdim=True),
    ),
    "norm of matrices": (A, lambda a: np.linalg.norm(a, "fro", (1, 2)), lambda a: torch.linalg.norm(a, "fro", (1, 2))),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_norms_are_those_of_pytorch(name):
    """Values and gradients in float64."""
    shapes, ours, theirs = LAYERS[name]
    model = clexact.Model(shapes, {}, ours)
    values, leaves = numbers(model, len(name))
    found, expected = values[model.program.output], theirs(*leaves.values())
    assert model.program.shape == tuple(expected.shape) == tuple(found.shape)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    covector = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for one, other in zip(
        *(torch.autograd.grad((y * covector).sum(), list(leaves.values())) for y in (found, expected)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


REFUSED = {
    "layer_norm takes an array of a model": (TypeError, lambda a: f.layer_norm(np.ones(3))),
    "eps must be exact, which the float 1e-05 is not": (TypeError, lambda a: f.rms_norm(a, eps=1e-5)),
    "eps must be a rational such as 3, 1/2 or 0.5, not 'small'": (ValueError, lambda a: f.normalize(a, eps="small")),
    "eps must not be negative, as -1/2 is": (ValueError, lambda a: f.batch_norm(a, eps="-0.5")),
    "layer_norm over one entry divides by its variance, 0": (ValueError, lambda a: f.layer_norm(a.reshape(2, 4, 3, 1))),
    "instance_norm over one entry": (ValueError, lambda a: f.instance_norm(a, -1)),
    "4 channels do not make 3 equal groups": (ValueError, lambda a: f.group_norm(a, 3)),
    "the number of groups must be an integer": (TypeError, lambda a: f.group_norm(a, 2.0)),
    "cosine_similarity takes at least one array of a model": (TypeError, lambda a: f.cosine_similarity([1], [2])),
    "weight_norm takes an array of a model": (TypeError, lambda a: f.weight_norm(1, a)),
    "axis 5 is out of bounds": (ValueError, lambda a: f.layer_norm(a, 5)),
    "the Euclidean norm of arrays of a model is defined, not that of ord 1": (
        ValueError, lambda a: np.linalg.norm(a, 1, 0),
    ),
    "a variance divides by size - ddof, which is 3 - 3": (ValueError, lambda a: np.var(a, -1, ddof=3)),
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_what_norms_refuse(said):
    kind, output = REFUSED[said]
    with pytest.raises(kind, match=said.replace("(", r"\(")):
        clexact.Model(A, {}, lambda a: (output(a), a)[1])


# --- the laws --------------------------------------------------------------------------------------------------------


def head(eps=0, norm=f.layer_norm):
    return lambda W, V, x: W @ norm(V @ x, eps=eps)


def post(norm):
    def output(E, A, B, x):
        h = E @ x
        return norm(h + A @ f.tanh(B @ h))

    return output


def pre(norm):
    def output(E, A, B, W, x):
        h = E @ x
        return W @ norm(h + A @ f.tanh(B @ norm(h)))

    return output


def attention(E, Q, K, V, P, X):
    H = X @ E.T
    return f.layer_norm(H + f.softmax((H @ Q) @ (H @ K).T) @ (H @ V) @ P)


def written(z):
    """A softmax in NumPy's words."""
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


x, X = {"x": (2,)}, {"X": (4, 2)}
W, V = {"W": (2, 3)}, {"V": (3, 2)}
ROWS = {"V": (2, 2), "W": (2, 1)}
BLOCK = {"E": (3, 2), "A": (3, 2), "B": (2, 3)}
LAWS = {  # parameters, inputs, output, how many laws
    "layer norm": (W | V, x, head(), 5),  # 2 + 2 sums, and the size of V
    "layer norm, eps": (W | V, x, head(EPS), 4),
    "layer norm after a bias": (
        W | V | {"b": 3, "c": 2}, x, lambda W, V, b, c, x: W @ f.layer_norm(V @ x + b) + c, 6,
    ),
    "layer norm, gain": (W | V | {"g": 3}, x, lambda W, V, g, x: W @ (g * f.layer_norm(V @ x)), 6),
    "layer norm, bias": (W | V | {"b": 3}, x, lambda W, V, b, x: W @ (f.layer_norm(V @ x) + b), 4),
    "layer norm, gain and bias, eps": (
        W | V | {"g": 3, "b": 3}, x, lambda W, V, g, b, x: W @ (g * f.layer_norm(V @ x, eps=EPS) + b), 5,
    ),
    "layer norm in other words": (
        W | V, x, lambda W, V, x: W @ ((V @ x - (V @ x).mean()) / np.std(V @ x)), 5,
    ),
    "layer norm and a sum": (V | {"w": 3}, x, lambda V, w, x: (w * f.layer_norm(V @ x)).sum(), 4),
    "RMS norm": (W | V, x, head(0, f.rms_norm), 1),
    "RMS norm, eps": (W | V, x, head(EPS, f.rms_norm), 0),
    "RMS norm, gain": (W | V | {"g": 3}, x, lambda W, V, g, x: W @ (g * f.rms_norm(V @ x)), 4),
    "batch norm": (ROWS, X, lambda V, W, X: f.batch_norm(X @ V) @ W, 2),
    "batch norm, eps": (ROWS, X, lambda V, W, X: f.batch_norm(X @ V, eps=EPS) @ W, 0),
    "batch norm, gain and biases": (
        ROWS | {"g": 2, "b": 2, "c": 2}, X, lambda V, W, g, b, c, X: (g * f.batch_norm(X @ V + c) + b) @ W, 6,
    ),
    "batch norm and ReLU": (ROWS, X, lambda V, W, X: f.relu(f.batch_norm(X @ V)) @ W, 2),
    "group norm": ({"W": (1, 4), "V": (4, 1)}, {"X": (1, 1, 2)}, lambda W, V, X: W @ f.group_norm(V @ X, 2), 2),
    "weight norm": (
        {"U": (1, 2), "g": 2, "v": (2, 2)}, x, lambda U, g, v, x: U @ (f.weight_norm(v, g) @ x), 4,
    ),
    "weight norm and tanh": (
        {"U": (1, 2), "g": 2, "v": (2, 2)}, x, lambda U, g, v, x: U @ f.tanh(f.weight_norm(v, g) @ x), 2,
    ),
    "normalised features": (W | V, x, lambda W, V, x: W @ f.normalize(V @ x), 1),
    "normalised rows": (W | V, x, lambda W, V, x: W @ (f.normalize(V) @ x), 3),
    "cosine similarity": (
        {"U": (2, 2), "V": (2, 2)}, {"x": (2,), "y": (2,)}, lambda U, V, x, y: f.cosine_similarity(U @ x, V @ y), 2,
    ),
    "cosine classifier": (W | V, x, lambda W, V, x: f.cosine_similarity(W, V @ x), 3),
    "normalised queries and keys": (
        {"Q": (2, 2), "K": (2, 2), "g": 2}, {"x": (2,), "y": (2,)},
        lambda Q, K, g, x, y: (g * f.rms_norm(Q @ x)) @ f.rms_norm(K @ y), 2,
    ),
    "block with norms before": (BLOCK | {"W": (1, 3)}, x, pre(f.layer_norm), 8),
    "block with RMS norms before": (BLOCK | {"W": (1, 3)}, x, pre(f.rms_norm), 1),
    "block with a norm after": (BLOCK, x, post(f.layer_norm), 4),
    "block with an RMS norm after": (BLOCK, x, post(f.rms_norm), 1),
    "attention with a norm after": (
        {"E": (3, 2), "Q": (3, 1), "K": (3, 1), "V": (3, 1), "P": (1, 3)}, {"X": (2, 2)}, attention, 5,
    ),
    "softmax and a bias": (
        W | V | {"b": 2}, x, lambda W, V, b, x: W @ f.softmax(V @ x) + b, 4,
    ),
    "softmax in other words": (W | V | {"b": 2}, x, lambda W, V, b, x: W @ written(V @ x) + b, 4),
    "softmax of a residual stream": (BLOCK, x, post(f.softmax), 3),
    "a quotient": ({"a": (), "b": ()}, {"x": ()}, lambda a, b, x: x * a / b, 1),
}  # fmt: skip


def flow_of(name):
    parameters, probes, output, _ = LAWS[name]
    return clexact.gradient_flow(clexact.Model(parameters, probes, output))


@pytest.mark.parametrize("name", LAWS)
def test_all_laws_of_norms_are_found(name):
    """As many as the ranks leave; and there are no others of degree 2."""
    count = clexact.certify(flow_of(name))
    assert (count.lower, count.upper) == (LAWS[name][-1],) * 2
    assert clexact.polynomial_laws(flow_of(name), 2).complete


def test_which_laws_norms_keep():
    shown = lambda name: {str(h) for h in clexact.certify(flow_of(name)).laws.polynomials()}  # noqa: E731
    rows = {"W[0,0] + W[0,1] + W[0,2]", "W[1,0] + W[1,1] + W[1,2]"}
    columns = {"V[0,0] + V[1,0] + V[2,0]", "V[0,1] + V[1,1] + V[2,1]"}
    size = {"V[0,0]^2 + V[0,1]^2 + V[1,0]^2 + V[1,1]^2 + V[2,0]^2 + V[2,1]^2"}
    assert shown("layer norm") == rows | columns | size == shown("layer norm in other words")
    assert shown("layer norm, eps") == rows | columns
    assert shown("RMS norm") == size
    assert shown("softmax and a bias") == columns | {f"{row} - b[{i}]" for i, row in enumerate(sorted(rows))}
    assert shown("a quotient") == {"a^2 + b^2"}


def test_the_residual_stream_of_a_post_norm_block():
    r"""$|E^\top 1|^2 - |B 1|^2$ with the sums of A linear: what moves along 1 before a layer norm is not seen."""
    laws = clexact.polynomial_laws(flow_of("block with a norm after"), 2)
    E, B = ([f"({' + '.join(row)})^2" for row in rows] for rows in (
        [[f"E[{i},{j}]" for i in range(3)] for j in range(2)], [[f"B[{i},{j}]" for j in range(3)] for i in range(2)],
    ))  # fmt: skip
    law = clexact.Polynomial.from_string(f"{' + '.join(E)} - {' - '.join(B)}", laws.variables)
    sums = [clexact.Polynomial.from_string(f"(A[0,{j}] + A[1,{j}] + A[2,{j}])^2", laws.variables) for j in range(2)]
    plain = law + sums[0] + sums[1]
    assert any(
        str(h) in (str(plain), str(-plain))
        for h in clexact.certify(flow_of("block with a norm after")).laws.polynomials()
    )


def test_sums_of_wide_layers():
    """Columns of the first matrix, rows and columns of the second: one sum of sums is in both."""
    n = 40
    output = lambda W, V, x: f.layer_norm(W @ f.layer_norm(V @ x, eps=EPS), eps=EPS)  # noqa: E731
    model = clexact.Model({"W": (n, n), "V": (n, n)}, {"x": (n,)}, output)
    assert len(clexact.gradient_flow(model).symmetries.translations) == 3 * n - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["layer norm", "RMS norm, gain", "block with a norm after", "softmax of a residual stream"]
)
def test_signs_split_no_law(name, monkeypatch):
    """There are no more laws where samples are solved in one system."""
    whole = lambda flow, draws: np.zeros(flow.dimension, dtype=np.uint64)  # noqa: E731
    monkeypatch.setattr(quadratic, "sign_labels", whole)
    assert clexact.polynomial_laws(flow_of(name), 2).complete


ROTATIONS = {  # axes that meet sums of squares only: how many angular momenta
    "RMS norm": (W | V, x, head(0, f.rms_norm), 3),
    "RMS norm, eps": (W | V, x, head(EPS, f.rms_norm), 3),
    "RMS norm, gain": (W | V | {"g": 3}, x, lambda W, V, g, x: W @ (g * f.rms_norm(V @ x)), 0),
    "size": (V, x, lambda V, x: np.linalg.norm(V @ x), 3),
    "size of a matrix": ({"V": (2, 2), "u": ()}, {}, lambda V, u: u * np.linalg.norm(V), 2),
    "cosine similarity": (
        {"U": (2, 2), "V": (2, 2)}, {"x": (2,), "y": (2,)}, lambda U, V, x, y: f.cosine_similarity(U @ x, V @ y), 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROTATIONS)
def test_rotations_leave_sums_of_squares(name):
    """Each is a law of momentum, bilinear in positions and velocities."""
    parameters, probes, output, count = ROTATIONS[name]
    flow = clexact.momentum_flow(clexact.gradient_flow(clexact.Model(parameters, probes, output)))
    laws = [h for h in proposed_laws(flow, 3) if h.degree == 2]
    assert len(laws) == count


# --- random blocks ---------------------------------------------------------------------------------------------------

STEPS = {
    "mat": lambda h, other, w, M, e: h @ M,
    "back": lambda h, other, w, M, e: h @ M.T,
    "residual": lambda h, other, w, M, e: h + other,
    "difference": lambda h, other, w, M, e: h - other,
    "layer norm": lambda h, other, w, M, e: f.layer_norm(h, eps=e),
    "RMS norm": lambda h, other, w, M, e: f.rms_norm(h, eps=e),
    "batch norm": lambda h, other, w, M, e: f.batch_norm(h, eps=1),
    "softmax": lambda h, other, w, M, e: f.softmax(h),
    "written": lambda h, other, w, M, e: written(h),
    "exp": lambda h, other, w, M, e: np.exp(h),
    "tanh": lambda h, other, w, M, e: f.tanh(h),
    "gain": lambda h, other, w, M, e: h * w,
    "bias": lambda h, other, w, M, e: h + w,
    "product": lambda h, other, w, M, e: h * other,
    "centred": lambda h, other, w, M, e: h - h.mean(-1, keepdims=True),
    "nearly centred": lambda h, other, w, M, e: h - h.sum(-1, keepdims=True) / (h.shape[-1] + e),
    "times its size": lambda h, other, w, M, e: other * (h * h).sum(-1, keepdims=True),
    "times a mean": lambda h, other, w, M, e: h * other.mean(-1, keepdims=True),
    "shares": lambda h, other, w, M, e: h / (2 * h).sum(-1, keepdims=True),
    "reversed": lambda h, other, w, M, e: h[:, ::-1],
    "gram": lambda h, other, w, M, e: (h @ M) @ M.T,
    "sum of products": lambda h, other, w, M, e: (h[:, None, :] * M).sum(-1),
    "weight norm": lambda h, other, w, M, e: h @ f.weight_norm(M, w),
}


def random_block(seed):
    """Some steps, whose parameters may be shared."""
    rng = random.Random(seed)
    n, steps = rng.choice([2, 3]), rng.choices(list(STEPS), k=rng.randint(3, 7))
    chosen = [
        (rng.randrange(k + 1), rng.randrange(3), rng.randrange(3), rng.choice([0, 0, 1])) for k in range(len(steps))
    ]

    def output(X, M, w):
        h = [X @ M[0]]
        for step, (other, i, j, eps) in zip(steps, chosen, strict=True):
            h.append(STEPS[step](h[-1], h[other], w[i], M[j], eps))
        return h[-1]

    return clexact.Model({"M": (3, n, n), "w": (3, n)}, {"X": (2, n)}, lambda M, w, X: output(X, M, w))


@pytest.mark.parametrize("seed", range(40))
def test_known_sums_are_what_they_are(seed):
    """At random numbers, of every node; and what is centred is the operand less its mean."""
    model = random_block(seed)
    values, _ = numbers(model, seed)
    for node, value, what in zip(model.program.nodes, values, known(model.program), strict=True):
        for axes, c in what.sums.items():
            assert all(node.shape[axis] > 1 for axis in axes)
            total = value.sum(axes) - float(c)
            largest = float(value.detach().abs().max())
            assert not largest < np.inf or float(total.detach().abs().max()) < 1e-8 * (1 + largest)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(60))
def test_no_law_of_a_random_block_is_refuted(seed):
    """Of the gradient flow and of momentum; the tests of confirmation show that false ones are."""
    model = random_block(seed)
    try:
        flow = clexact.gradient_flow(model)
    except ValueError as error:  # a norm of what is always zero: floats do not know its value either
        assert "defined nowhere" in str(error)
        values, _ = numbers(model, seed)
        assert not values[model.program.output].isfinite().all() or values[model.program.output].abs().max() > 1e6
        return
    assert isinstance(flow, GradientFlow)
    proposed_laws(flow, 2)
    proposed_laws(clexact.momentum_flow(flow), 3)
