"""From a family at symbolic sizes to a theorem: recorded, split, proved part by part, and verified."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product

from clexact.algebra.polynomial import Number, exact_number
from clexact.counting.certify import certify
from clexact.flows.dynamics import Damping, HeavyBall, Nesterov, gradient_flow, mirror_flow, momentum_flow
from clexact.flows.flow import Flow
from clexact.models import FAMILIES
from clexact.models.sizes import Size, SymbolicModel
from clexact.programs.gates import FREE
from clexact.programs.model import Model, any_size
from clexact.proofs.verifier.theorem import RefusedError, verify_theorem
from clexact.theorems import counts
from clexact.theorems.classes import Classes, one_fewer
from clexact.theorems.conditions import Condition, Domain, Linear, empty, left_over, parse
from clexact.theorems.contraction import Contraction, NotUniformError, contraction
from clexact.theorems.document import document
from clexact.theorems.index_laws import index_laws, stated
from clexact.theorems.network import IndexLaw, Part
from clexact.theorems.parts import parts_of
from clexact.theorems.regimes import Proof, Short, proofs
from clexact.theorems.theorem import Regime, Theorem, at_fixed

# Sizes at which networks are recorded: no length that is not symbolic is likely to be one of them, and both must agree.
# Nor is a length such as n + 2, 2 n + 1, n + m - 1 another letter in both: differences are not the same.
VALUES = ((11, 13, 17, 19, 23, 29, 31, 37), (41, 47, 43, 59, 61, 53, 67, 79)), (
    (22, 26, 34, 38, 46, 58, 62, 74), (82, 94, 86, 118, 122, 106, 134, 158))  # fmt: skip
GRID, CASES = 3, 27  # certified one by one where nothing is proved: sizes up to this, at most so many

MIRROR_DECAY = "proofs for all sizes are of mirror flows without weight decay"
FREE_SAID = f"{FREE}: which units are on, or which entry is largest, is taken to vary freely, at all sizes"


def theorem(
    model: SymbolicModel,
    where: str = "",
    flow: str = "gradient",
    positive: Sequence[str] | None = None,
    *,
    loss: str = "full",
    damping: Damping = None,
    weight_decay: Number | str = 0,
) -> Theorem:
    r"""How many independent laws a family has at all sizes, proved.

    The network is read as a sum of products over indices, $\sum C_i U_{ik} V_{jk} x_j$; brackets at a point of
    Kronecker deltas then depend on few indices, and bound the rank from below by a sum of binomials, for all sizes.

    Parameters
    ----------
    model : SymbolicModel
        A family called with letters, such as ``clexact.models.linear("n", "r", "m")``.
    where : str
        Linear conditions on the letters, separated by commas or "and"; all sizes are at least 1.
    flow : {"gradient", "mirror", "momentum"}
        Which flow.
    positive : sequence of str, optional
        Of a mirror flow: the positive parameters; default: those of the family.
    loss : {"full", "cross_entropy"}
        As in ``gradient_flow``.
    damping : HeavyBall or Nesterov, optional
        As in ``momentum_flow``.
    weight_decay : int or Fraction or str
        As in ``gradient_flow``.

    Returns
    -------
    Theorem
        Its regimes were verified; ``proved`` says whether they cover all sizes asked for.

    Raises
    ------
    TypeError, ValueError
        If the model has no letters, for another flow, and for what is no linear condition.

    Examples
    --------
    >>> import clexact
    >>> clexact.theorem(clexact.models.linear("n", "r", "m"), "n >= r")
    exactly r*(r + 1)/2 independent conservation laws, for all n >= r >= 1, m >= 1
    >>> clexact.theorem(clexact.models.linear("n", "r", "m"), "n >= r", "momentum", damping=clexact.Nesterov())
    exactly r*(r - 1)/2 independent conservation laws, for all n >= r >= 1, m >= 1
    >>> clexact.theorem(clexact.models.relu("n", "r", "m"), loss="cross_entropy")
    exactly 2*r independent conservation laws with free gates, for all r >= 1, m >= 1, n >= 2
    """
    return prove(subject_of(model, flow, positive, loss=loss, damping=damping, weight_decay=weight_decay), where)


def subject_of(
    model: SymbolicModel,
    flow: str = "gradient",
    positive: Sequence[str] | None = None,
    laws: Sequence[str] = (),
    *,
    loss: str = "full",
    damping: Damping = None,
    weight_decay: Number | str = 0,
) -> Subject:
    """What a family called with letters is for a theorem; ``laws`` as ``Subject`` has them."""
    if not isinstance(model, SymbolicModel):
        raise TypeError(f"theorem takes a family called with letters, such as linear('n', 'r', 'm'), not {model!r}.")
    if loss not in ("full", "cross_entropy"):
        raise ValueError(f"a theorem is of the loss full or cross_entropy, not {loss!r}.")
    if flow not in ("gradient", "mirror", "momentum"):
        raise ValueError(f"flow must be gradient, mirror or momentum, not {flow!r}.")
    if damping is not None and flow != "momentum":
        raise ValueError("damping belongs to the flow momentum.")
    names = tuple(FAMILIES[model.family].positive if positive is None else positive) if flow == "mirror" else ()
    if flow == "mirror" and not names:
        raise ValueError(f"a mirror flow needs positive parameters: {model.family} has none by itself.")

    letters, fixed = lettered(model.sizes)

    def model_at(values: Mapping[str, int]) -> Model:
        return FAMILIES[model.family].model(model.family, [values[letter] for letter in letters], dict(model.options))

    def flow_at(values: Mapping[str, int]) -> Flow:
        given = model_at(values)
        if flow == "momentum":
            return momentum_flow(given, damping, loss, weight_decay=weight_decay)
        if flow == "mirror":
            return mirror_flow(given, names, loss=loss, weight_decay=weight_decay)
        return gradient_flow(given, loss, weight_decay=weight_decay)

    decay = exact_number(weight_decay, "weight_decay")
    unread = MIRROR_DECAY if decay and flow == "mirror" else ""
    title = titled(flow, str(model), loss, str(weight_decay), _damped(damping))
    found = tuple(dict.fromkeys(letters))
    return Subject(
        model_at, flow_at, found, names, title, unread, fixed, flow, decay != 0, loss != "full", laws=tuple(laws)
    )


def titled(flow: str, model: str, loss: str, decay: str, damping: str) -> str:
    """Of what a theorem speaks, in words."""
    words = [f"{flow} flow of {model}", damping, loss.replace("_", "-"), f"weight decay {decay}"]
    plain = (True, damping not in ("", "none"), loss != "full", decay != "0")
    return ", ".join(word for word, said in zip(words, plain, strict=True) if said)


def _damped(damping: Damping) -> str:
    return {HeavyBall: f"heavy-ball {getattr(damping, 'tau', 0)}", Nesterov: "nesterov"}.get(type(damping), "")


def lettered(sizes: Sequence[int | Size]) -> tuple[list[str], dict[str, int]]:
    """A letter for each size, and the values of those that are numbers."""
    letters = [size.name if isinstance(size, Size) else f"s{place}_" for place, size in enumerate(sizes, 1)]
    return letters, {name: size for name, size in zip(letters, sizes, strict=True) if not isinstance(size, Size)}


@dataclass(frozen=True)
class Subject:
    """What a theorem is about: the model and the flow at values of the letters, and which parameters are positive.

    ``unread``: why no theorem can speak of such flows, if so.
    """

    model_at: Callable[[Mapping[str, int]], Model]
    flow_at: Callable[[Mapping[str, int]], Flow]
    letters: tuple[str, ...]
    positive: tuple[str, ...]
    title: str
    unread: str = ""
    fixed: Mapping[str, int] = field(default_factory=dict)  # letters that stand for numbers
    flow: str = "gradient"  # or mirror, or momentum
    decay: bool = False  # whether weights decay
    classes: bool = False  # whether covectors sum to zero along the last axis of the output
    own: bool = False  # whether the model is a user's: that it is the same at all sizes is then assumed
    laws: tuple[str, ...] = ()  # those that the theorem is to be about, as ``index_laws.stated`` reads them, if any


def prove(subject: Subject, where: str = "", grid: bool = True) -> Theorem:
    """The theorem where these conditions hold and all letters are at least 1; ``grid`` as for ``prove_in``."""
    letters = subject.letters
    free = [letter for letter in letters if letter not in subject.fixed]
    asked = (*parse(where, free), *(Condition(Linear.of({letter: 1}), 1) for letter in free))
    if empty(asked):
        raise ValueError(f"no sizes satisfy {', '.join(map(str, asked))}.")
    return at_fixed(prove_in(subject, (*asked, *_equal(subject.fixed)), grid), subject.fixed)


def _equal(values: Mapping[str, int]) -> Iterator[Condition]:
    """That letters have these values."""
    for letter, k in values.items():
        yield Condition(Linear.of({letter: 1}), k)
        yield Condition(Linear.of({letter: -1}), -k)


@dataclass(frozen=True)
class Instance:
    """A count at sizes that are numbers, by the theorem that covers them."""

    theorem: Theorem
    sizes: Mapping[str, int]
    laws: int
    dimension: int


def at_numbers(subject: Subject, sizes: Mapping[str, int]) -> Instance | None:
    """By a theorem in general letters, if one covers these sizes; the network recorded there must be what it speaks of.

    None where no theorem is found, or the network at these sizes is not read as the same sum of products.
    """
    by_value = {k: str(k) for k in sizes.values()}
    try:
        read = recorded(subject)
        with any_size():
            model = subject.model_at(sizes)
        network, there = read[0], contraction(model.program, by_value)
    except (NotUniformError, ValueError):
        return None
    if there.products != network.products or any(
        [sizes[letter] for letter in axes] != [int(word) for word in there.axes[leaf]]
        for leaf, axes in network.axes.items()
    ):
        return None
    found = prove_in(subject, tuple(_equal(sizes)), False, read)
    laws = found.count(**sizes) if found.proved else None
    dimension = 2 * model.dimension + 1 if subject.flow == "momentum" else model.dimension + subject.decay
    return None if laws is None else Instance(found, sizes, laws, dimension)


Read = tuple[Contraction, list[IndexLaw], tuple[str, ...]]


def prove_in(subject: Subject, asked: Domain, grid: bool = True, read: Read | None = None) -> Theorem:
    """The same on a domain; ``grid``: whether small sizes that are left are certified one by one."""
    missing: list[Short | str] = []
    regimes: list[tuple[Domain, counts.Count, Sequence[Proof]]] = []
    assumptions: tuple[str, ...] = ()
    classes, momentum = None, subject.flow == "momentum"
    try:
        network, laws, assumptions = read or recorded(subject)
        if subject.classes:
            network, laws, classes = one_fewer(network, laws, subject.positive, momentum)
            several = (*asked, Condition(Linear.of({classes.letter: 1}), 2))
            asked = asked if empty(several) else several  # with one class nothing is learnt
        parts = parts_of(network, laws, subject.positive, momentum)
        regimes = list(_regimes(parts, (*asked, *classes.equation) if classes else asked, missing))
    except NotUniformError as error:
        missing.append(str(error))
    made = document(subject.title, subject.letters, regimes, subject.decay, classes) if regimes else None
    made = json.loads(json.dumps(made))
    if made is not None:
        try:
            verify_theorem(made)
        except RefusedError as error:
            raise ArithmeticError(f"a proof for all sizes is refused: {error}; this is a fault of clexact.") from None
    why = tuple(each if isinstance(each, str) else each.said(partial(_written, subject, classes)) for each in missing)
    if classes:
        regimes = [(classes.domain(where), classes.count(count), proof) for where, count, proof in regimes]
    found = tuple(Regime(where, count) for where, count, _ in regimes)
    left = tuple(left_over(asked, [regime.domain for regime in found]))
    certified = tuple(_grid(subject, left)) if left and grid else ()
    return Theorem(
        subject.title, subject.letters, asked, found, left, why, assumptions, made, certified
    )  # fmt: skip


def _written(subject: Subject, classes: Classes | None, count: counts.Count) -> str:
    """A count in the letters that are asked for."""
    said = classes.count(count) if classes else count
    return counts.written(counts.substituted(said, subject.fixed))


def recorded(subject: Subject) -> Read:
    """The network as a sum of products, the same at two choices of sizes, and its laws; or NotUniformError."""
    if subject.unread:
        raise NotUniformError(subject.unread)
    if len(subject.letters) > len(VALUES[0][0]):
        raise NotUniformError(f"there are more than {len(VALUES[0][0])} letters")
    models, values = _at_two_sizes(subject)
    if any(model.inputs is not None or model.cuts for model in models):
        raise NotUniformError("the model remembers data, or is cut")
    read = [
        contraction(model.program, {k: name for name, k in some.items()})
        for model, some in zip(models, values, strict=True)
    ]
    if read[0] != read[1]:
        raise NotUniformError("the network is not the same sum of products at all sizes")
    flow = subject.flow_at(values[0])
    if subject.laws:
        laws = [stated(text, read[0].parameters) for text in subject.laws]
    else:
        laws = index_laws(flow, {k: name for name, k in values[0].items()}, models[0].parameters)
    assumed = [*_assumptions(flow, models[0]), *([_uniform(values)] if subject.own else [])]
    return read[0], laws, tuple(assumed)


def _uniform(values: Sequence[Mapping[str, int]]) -> str:
    """What nobody can see of a function that is called: that it does the same at all sizes."""
    where = (", ".join(f"{letter} = {k}" for letter, k in some.items()) for some in values)
    return f"the model is the same sum of products at all sizes as {' and '.join(f'at {each}' for each in where)}"


def _at_two_sizes(subject: Subject) -> tuple[list[Model], list[dict[str, int]]]:
    """Of the first values that the family takes."""
    error: ValueError | None = None
    for both in VALUES:
        values = [dict(zip(subject.letters, some, strict=False)) for some in both]
        try:
            return [subject.model_at(each) for each in values], values
        except ValueError as given:
            error = given
    raise NotUniformError(f"not all sizes are allowed: {error}")


def _assumptions(flow: Flow, model: Model) -> Iterator[str]:
    """Those of the flow, but that gates are free at all sizes."""
    for words in flow.assumptions:
        yield (
            FREE_SAID
            if model.program.gates and flow.gradients is not None and words == flow.gradients.reading
            else words
        )


def _regimes(
    parts: Sequence[Part], asked: Domain, missing: list[Short | str]
) -> Iterator[tuple[Domain, counts.Count, Sequence[Proof]]]:
    """Regimes of all parts together: a proof of each, where all of them hold."""
    if not parts:
        missing.append("no parameter moves")
        return
    found = [list(proofs(part, asked, missing)) for part in parts]
    left = [asked]
    for chosen in product(*found):
        domain = tuple(dict.fromkeys(condition for proof in chosen for condition in proof.domain))
        if any(not empty((*piece, *domain)) for piece in left):
            left = [rest for piece in left for rest in left_over(piece, [domain])]
            yield domain, counts.added(counts.scaled(p.count, len(p.part.copies)) for p in chosen), chosen


def _grid(subject: Subject, left: Sequence[Domain]) -> Iterator[tuple[dict[str, int], int, int]]:
    """Small sizes that are left, one by one."""
    cases, free = 0, [letter for letter in subject.letters if letter not in subject.fixed]
    for values in sorted(product(range(1, GRID + 1), repeat=len(free)), key=sum):
        sizes = {**dict(zip(free, values, strict=True)), **subject.fixed}
        if cases < CASES and any(all(condition.holds(sizes) for condition in piece) for piece in left):
            try:
                flow = subject.flow_at(sizes)
            except ValueError:  # sizes that the family does not take
                continue
            count = certify(flow)
            cases += 1
            yield sizes, count.lower, count.upper
