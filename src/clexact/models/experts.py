"""Mixtures of experts."""

from __future__ import annotations

from itertools import combinations

from clexact.functions import reciprocal, sigmoid, softmax
from clexact.model import Model, check_size
from clexact.program import Array, concatenate

GATES = ("softmax", "topk", "sigmoid")


def moe(m: int, experts: int, n: int, gate: str = "softmax", k: int = 2, order: int = 4) -> Model:
    r"""A mixture of linear experts $x \mapsto \sum_i g_i(W x)\, E_i x$: W experts x m, E_i n x m.

    ``gate``: ``softmax``; ``topk``, the softmax over the k largest scores: near a generic parameter each set of k
    experts is selected for some x, so the outputs are those of all sets; ``sigmoid``, $\sigma(z_i)/\sum_j \sigma(z_j)$.
    By Taylor coefficients in x up to ``order``. Known laws: $\sum_i W_{ij}$ for each input j under softmax (arXiv
    2606.17816, theorem 4.5). Raises TypeError or ValueError for wrong sizes, an unknown gate, k > experts.
    """
    inputs, count, outputs = (check_size(size, "a size of moe") for size in (m, experts, n))
    if gate not in GATES:
        raise ValueError(f"gate must be one of {', '.join(GATES)}, not {gate!r}.")
    chosen = check_size(k, "k")
    chosen = chosen if gate == "topk" else count
    if chosen > count:
        raise ValueError(f"k = {chosen} experts cannot be chosen of {count}.")

    def output(W: Array, x: Array, **E: Array) -> Array:
        scores = W @ x
        values = concatenate([(E[f"E{i + 1}"] @ x).reshape((1, -1)) for i in range(count)])
        parts = []
        for selection in combinations(range(count), chosen):
            picked = list(selection)
            weights = _normalised(sigmoid(scores)) if gate == "sigmoid" else softmax(scores[picked])
            parts.append(weights @ values[picked, :])
        return concatenate([part.reshape((1, -1)) for part in parts])

    recipe: dict[str, object] = {"family": "moe", "sizes": [inputs, count, outputs], "gate": gate, "order": order}
    name = f"moe {inputs} -> {count} experts -> {outputs}, {gate} gate"
    if gate == "topk":
        recipe["k"], name = chosen, f"{name}, k = {chosen}"
    parameters = {"W": (count, inputs)} | {f"E{i + 1}": (outputs, inputs) for i in range(count)}
    return Model(parameters, {"x": (inputs,)}, output, name, recipe, order=order)


def _normalised(weights: Array) -> Array:
    return weights * reciprocal(weights.sum()).reshape((1,))
