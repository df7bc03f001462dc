"""Models of which a naive choice of residues, signs or free functions would miscount, each beside the same one plainly.

What is written and what is plain are one function, by the identity in the comment; so they have as many laws, which the
plain one's exact count says. Floats confirm both ranks.
"""

import numpy as np
import pytest
from float_oracle import float_rank

from clexact import Model, certify, gradient_flow
from clexact.functions import gelu, layer_norm, log, rms_norm, softmax, sqrt

tanh, exp = np.tanh, np.exp
X = {"x": ()}
SCALARS = dict.fromkeys("wab", ())
SHARED = {"W": (2, 2), "u": (2,), "v": (2,)}
NORMED = {"W": (3, 2), "g": (3,)}

ALIKE = {  # parameters, probes, as it is written, the same plainly; bounds of the first meet or leave the truth open
    "a softmax of shared logits": (  # two softmaxes of the same logits, one of them shifted
        SHARED, {"x": (2,)},
        lambda W, u, v, x: np.stack([u @ softmax(W @ x), v @ softmax(W @ x + 3)]),
        lambda W, u, v, x: np.stack([u @ softmax(W @ x), v @ softmax(W @ x)]),
    ),
    "exp(u), exp(2u), exp(-u)": (  # e^2u e^-u = e^u
        SCALARS, X,
        lambda w, a, b, x: a * exp(2 * w * x) * exp(-w * x) + b * exp(w * x),
        lambda w, a, b, x: (a + b) * exp(w * x),
    ),
    "tanh less itself": (  # tanh u = (e^2u - 1) / (e^2u + 1): b is not seen
        SCALARS, X,
        lambda w, a, b, x: a * x + w * x + b * (tanh(w * x) - (exp(2 * w * x) - 1) / (exp(2 * w * x) + 1)),
        lambda w, a, b, x: a * x + w * x,
    ),
    "the same argument twice": (  # w x and (2 w x) / 2
        SCALARS, X,
        lambda w, a, b, x: a * tanh(w * x) + b * tanh((2 * w * x) / 2),
        lambda w, a, b, x: (a + b) * tanh(w * x),
    ),
    "roots of u and 4 u": (  # sqrt(u) sqrt(4 u) = 2 u
        SCALARS, X,
        lambda w, a, b, x: a * sqrt(1 + w * x) * sqrt(4 * (1 + w * x)) + b * x,
        lambda w, a, b, x: 2 * a * (1 + w * x) + b * x,
    ),
    "gelu less its mirror image": (  # gelu(u) - gelu(-u) = u
        SCALARS, X,
        lambda w, a, b, x: a * x * x + b * (gelu(w * x) - gelu(-w * x)),
        lambda w, a, b, x: a * x * x + b * w * x,
    ),
    "a norm of a norm": (  # of mean 0 and mean square 1
        NORMED, {"x": (2,)},
        lambda W, g, x: g * layer_norm(layer_norm(W @ x)),
        lambda W, g, x: g * layer_norm(W @ x),
    ),
    "an rms norm of a layer norm": (
        NORMED, {"x": (2,)},
        lambda W, g, x: g * rms_norm(layer_norm(W @ x)),
        lambda W, g, x: g * layer_norm(W @ x),
    ),
    "a third power of an exponential": (  # (e^u)^3 = e^3u
        SCALARS, X,
        lambda w, a, b, x: a * exp(w * x) ** 3 + b * exp(3 * w * x),
        lambda w, a, b, x: (a + b) * exp(3 * w * x),
    ),
    "a third power of a root": (  # sqrt(u)^3 = u sqrt(u)
        SCALARS, X,
        lambda w, a, b, x: a * sqrt(1 + w * x) ** 3 + b * (1 + w * x) * sqrt(1 + w * x),
        lambda w, a, b, x: (a + b) * (1 + w * x) * sqrt(1 + w * x),
    ),
    "a sixth power of a root": (  # sqrt(u)^6 = u^3
        SCALARS, X,
        lambda w, a, b, x: a * sqrt(1 + w * x) ** 6 + b * (1 + w * x) ** 3,
        lambda w, a, b, x: (a + b) * (1 + w * x) ** 3,
    ),
    "a logarithm of a square": (  # log((1 + u^2)^2) = 2 log(1 + u^2)
        SCALARS, X,
        lambda w, a, b, x: a * log((1 + w * w * x * x) ** 2) + b * log(1 + w * w * x * x),
        lambda w, a, b, x: (2 * a + b) * log(1 + w * w * x * x),
    ),
}  # fmt: skip

SIGNED = {  # roots of squares, which residues cannot tell from free ones: laws by hand, of which bounds leave room
    "the absolute value": (  # a |w x|: w^2 - a^2
        {"w": (), "a": ()}, X, lambda w, a, x: a * sqrt((w * x) ** 2), 1,
    ),
    "layer norm of two": (  # g times (1, -1) and a sign: W stays, and a gain moves with x for each of its signs
        {"W": (2, 2), "g": (2,)}, {"x": (2,)}, lambda W, g, x: g * layer_norm(W @ x), 4,
    ),
    "layer norm of two pairs of equal entries": (  # a sign times (1, 1, -1, -1): w, v and three sums of g stay
        {"w": (2,), "v": (2,), "g": (4,)}, {"x": (2,)},
        lambda w, v, g, x: g @ layer_norm(np.stack([w @ x, w @ x, v @ x, v @ x])), 7,
    ),
    "layer norm of equal entries with eps": (  # 0: all stays
        {"w": (2,), "g": (3,)}, {"x": (2,)},
        lambda w, g, x: g @ layer_norm(np.stack([w @ x, w @ x, w @ x]), eps="1e-5"), 5,
    ),
    "a logarithm of a square": (  # 2 a log|w x| + b x: log|x|, 1 and x are independent
        SCALARS, X, lambda w, a, b, x: a * log((w * x) ** 2) + b * x, 0,
    ),
    "a third root": (  # r = (1 + w^2 x^2)^(1/3): r, r^2 and (a + 2 b r) dr/dw are independent
        SCALARS, X,
        lambda w, a, b, x: a * exp(log(1 + w * w * x * x) / 3) + b * exp(log(1 + w * w * x * x) / 3) ** 2, 0,
    ),
}  # fmt: skip

# PyTorch says so of itself, where forward derivatives are first taken
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


@pytest.mark.parametrize("name", ALIKE)
def test_one_function_written_twice_has_as_many_laws(name):
    parameters, probes, written, plain = ALIKE[name]
    one, two = (Model(parameters, probes, output) for output in (written, plain))
    laws, found = certify(gradient_flow(two)), certify(gradient_flow(one))
    assert laws.exact and found.lower <= laws.lower == found.upper and not found.stopped
    ranks = [float_rank(model, depth=2).ranks[-1] for model in (one, two)]
    assert ranks == [laws.dimension - laws.lower] * 2


@pytest.mark.parametrize("name", SIGNED)
def test_roots_of_squares_and_powers_of_logarithms_prove_nothing(name):
    parameters, probes, output, laws = SIGNED[name]
    model = Model(parameters, probes, output)
    found = certify(gradient_flow(model))
    assert found.lower <= laws <= found.upper == found.dimension and "no bracket was evaluated" in found.stopped
    rank = float_rank(model, depth=2).ranks[-1]
    assert rank in (None, found.dimension - laws)


@pytest.mark.parametrize(("output", "said"), [
    (lambda w, x: w * np.arctan(x), "np.arctan is not defined on arrays of a model"),
    (lambda w, x: (w * x) ** 0.3, "a power must be an integer, or half of one, not 0.3"),
    (lambda w, x: w * sqrt(x.symbol(-2)), "is taken of -2: a positive number is expected"),
    (lambda w, x: w * x / 0, "a division by the constant 0"),
    (lambda w, x: w * x.symbol(0) ** -1, "a division by the constant 0"),
    (lambda w, x: w * log(x.symbol(-1)), "log is taken of -1"),
])  # fmt: skip
def test_what_has_no_value_is_refused_in_a_sentence(output, said):
    with pytest.raises((ValueError, TypeError), match=said) as caught:
        Model({"w": ()}, X, output)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
