"""The two algorithms of arXiv 2307.00144 as its authors run them, written anew from the paper. Run by ``sage -python``.

    sage -python sage_script.py version
    sage -python sage_script.py laws|rank FAMILY SIZES REPEATS

The fields are exact polynomials; ranks are those of NumPy at a random point with its default tolerance, and the kernel
of the monomial system is taken over 53-bit reals. So the answers are not proofs. Prints one JSON object.
"""

import json
import sys
import time
from itertools import combinations_with_replacement, pairwise, product

import numpy as np
import sage.version
from sage.all import QQ, RR, PolynomialRing, matrix, prod

SEED = 0
DEGREE = 2


def linear(sizes):
    """phi = the entries of U_1 ... U_q."""
    ring, layers = weights(sizes)
    return ring, prod(layers[1:], layers[0]).list()


def relu(sizes):
    """phi = the products of the weights along all paths."""
    ring, layers = weights(sizes)
    paths = product(*(range(n) for n in sizes))
    return ring, [prod(U[i, j] for U, i, j in zip(layers, path[:-1], path[1:], strict=True)) for path in paths]


def monomial(sizes):
    """phi = x_1 ... x_D."""
    ring = PolynomialRing(QQ, sizes[0], "x")
    return ring, [prod(ring.gens())]


def weights(sizes):
    """A ring of all weights, with U_1, ..., U_q over it; U_l is n_l x n_{l+1}."""
    shapes = list(pairwise(sizes))
    ring = PolynomialRing(QQ, sum(n * m for n, m in shapes), "x")
    rest, layers = list(ring.gens()), []
    for n, m in shapes:
        layers.append(matrix(ring, n, m, rest[: n * m]))
        del rest[: n * m]
    return ring, layers


def gradient_fields(family, sizes):
    """The ring with the gradients of the entries of phi."""
    ring, phi = {"linear": linear, "relu": relu, "product": monomial}[family](sizes)
    return ring, [[f.derivative(x) for x in ring.gens()] for f in phi]


def bracket(X, Y, variables):
    """dX Y - dY X."""
    return [derivative(f, Y, variables) - derivative(g, X, variables) for f, g in zip(X, Y, strict=True)]


def derivative(f, X, variables):
    """f along the field X."""
    return sum(f.derivative(x) * c for x, c in zip(variables, X, strict=True))


def numeric_rank(fields, point):
    """Rank of the values at a point, by NumPy's singular values and default tolerance."""
    return int(np.linalg.matrix_rank(np.array([[float(f(*point)) for f in field] for field in fields])))


def lie_rank(family, sizes):
    """Dimension of the trace of the Lie algebra: W_{k+1} = W_k + [W_0, W_k] until the numeric rank stalls."""
    ring, fields = gradient_fields(family, sizes)
    point = list(np.random.default_rng(SEED).random(ring.ngens()))
    spanning, level, found = list(fields), list(fields), numeric_rank(fields, point)
    while True:
        level = [b for X in fields for Y in level if any(b := bracket(X, Y, ring.gens()))]
        spanning = spanning + level
        larger = numeric_rank(spanning, point)
        if larger == found:
            return found
        found = larger


def law_count(family, sizes):
    """Dimension of the kernel of the monomial system of a template of degree ``DEGREE``, over 53-bit reals."""
    ring, fields = gradient_fields(family, sizes)
    template = [prod(m) for k in range(1, DEGREE + 1) for m in combinations_with_replacement(ring.gens(), k)]
    rows = {}
    for column, h in enumerate(template):
        for i, field in enumerate(fields):
            for exponents, c in derivative(h, field, ring.gens()).dict().items():
                rows.setdefault((i, tuple(exponents)), {})[column] = c
    if not rows:
        return len(template)
    system = matrix(
        RR, len(rows), len(template), {(r, j): c for r, row in enumerate(rows.values()) for j, c in row.items()}
    )
    return int(system.dense_matrix().right_kernel().dimension())


def main():
    """One command."""
    if sys.argv[1] == "version":
        return {"version": sage.version.version}
    algorithm = {"laws": law_count, "rank": lie_rank}[sys.argv[1]]
    family, sizes, repeats = sys.argv[2], [int(n) for n in sys.argv[3].split(",")], int(sys.argv[4])
    algorithm("product", [2])  # a warm-up
    seconds, answers = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        answers.append(algorithm(family, sizes))
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "answers": answers}


if __name__ == "__main__":
    print(json.dumps(main()))
