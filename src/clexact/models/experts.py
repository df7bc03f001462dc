"""Mixtures of experts."""

from __future__ import annotations

from itertools import combinations
from math import comb

from clexact.functions import reciprocal, sigmoid, softmax
from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model, check_size
from clexact.support.nearest import one_of

GATES = ("softmax", "topk", "sigmoid")
MAX_SETS = 10**5  # of experts that top-k gates may select, each with outputs of its own


def moe(m: int, experts: int, n: int, gate: str = "softmax", k: int | None = None) -> Model:
    r"""A mixture of linear experts $x \mapsto \sum_i g_i(W x)\, E_i x$: W experts x m, E_i n x m.

    Known laws: $\sum_i W_{ij}$ for each input j under softmax (arXiv
    2606.17816, theorem 4.5).

    Near a generic parameter each set is selected for some x if experts <= m + 1. Beyond, it need not be (k = 1, three
    experts on a scalar x: the middle one never is, and its weights are conserved), so top-k gates are refused there.

    Parameters
    ----------
    m : int
        Number of inputs.
    experts : int
        Number of experts.
    n : int
        Number of outputs.
    gate : {"softmax", "topk", "sigmoid"}
        ``softmax``; ``topk``, the softmax over the k largest scores, with the outputs of all sets of k experts;
        ``sigmoid``, $\sigma(z_i)/\sum_j \sigma(z_j)$.
    k : int, optional
        How many experts are selected by ``topk``, default 2.

    Returns
    -------
    Model
        With parameters W, ``E1``, ``E2``, ...

    Raises
    ------
    TypeError, ValueError
        For wrong sizes, an unknown gate, a k that is larger than the number of experts or not for top-k gates, top-k
        gates with experts > m + 1, and more than ``MAX_SETS`` sets.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(moe(1, 2, 1))).laws
    LawList([Σ_i W[i,0]])
    """
    inputs, count, outputs = (check_size(size, "a size of moe") for size in (m, experts, n))
    if gate not in GATES:
        raise ValueError(one_of("gate", gate, GATES))
    if gate != "topk" and k is not None:
        raise ValueError(f"k belongs to the gate topk, not to {gate}.")
    chosen = count if gate != "topk" else 2 if k is None else check_size(k, "k")
    if chosen > count:
        raise ValueError(f"k = {chosen} experts cannot be chosen of {count}.")
    if gate == "topk" and chosen < count > inputs + 1:
        raise ValueError(f"topk takes at most m + 1 = {inputs + 1} experts, not {count}: more are not all selected.")
    if (sets := comb(count, chosen)) > MAX_SETS:
        raise ValueError(f"{sets} sets of k = {chosen} of {count} experts are too many; at most {MAX_SETS} are built.")

    def output(W: Array, x: Array, **E: Array) -> Array:
        scores = W @ x
        values = concatenate([(E[f"E{i + 1}"] @ x).reshape((1, -1)) for i in range(count)])
        parts = []
        for selection in combinations(range(count), chosen):
            picked = list(selection)
            weights = _normalised(sigmoid(scores)) if gate == "sigmoid" else softmax(scores[picked])
            parts.append(weights @ values[picked, :])
        return concatenate([part.reshape((1, -1)) for part in parts])

    recipe: dict[str, object] = {"family": "moe", "sizes": [inputs, count, outputs], "gate": gate}
    name = f"moe {inputs} -> {count} experts -> {outputs}, {gate} gate"
    if gate == "topk":
        recipe["k"], name = chosen, f"{name}, k = {chosen}"
    parameters = {"W": (count, inputs)} | {f"E{i + 1}": (outputs, inputs) for i in range(count)}
    return Model(parameters, {"x": (inputs,)}, output, name, recipe)


def _normalised(weights: Array) -> Array:
    return weights * reciprocal(weights.sum()).reshape((1,))
