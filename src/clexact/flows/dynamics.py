r"""Gradient, mirror and momentum flows of a model, with damping, weight decay and time.

Each is made of the gradients of the model, a diagonal polynomial metric, a drift on the phase space (``lifted.py``),
and the rule by which symmetries of the model's program become laws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import chain, count
from math import lcm, prod
from typing import Any

import numpy as np

from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Number, exact_number, rational
from clexact.algebra.terms import Ints, Monomial, Terms
from clexact.flows import noether
from clexact.flows.data import flow_of
from clexact.flows.flow import FieldsFlow, Flow, check_no_parameters
from clexact.flows.gradient import GradientFlow, Loss
from clexact.flows.lifted import DiagonalMetric, LiftedFlow
from clexact.flows.phase import Clock, Phase
from clexact.programs.array import Array, record
from clexact.programs.array import concatenate as join
from clexact.programs.expand import PolynomialArray, Polynomials
from clexact.programs.model import Model, entry_names
from clexact.support.listed import listed
from clexact.support.losses import loss_kind
from clexact.symmetry.families import Family

Given = Flow | Model | VectorFields  # what stands for a flow: itself, or a model for its gradient flow, or fields
Metric = Callable[..., Mapping[str, Array]]
Rule = Callable[[Flow], Iterable[Family]]
Part = tuple[int, Monomial, int]  # (owner, monomial, coefficient)


@dataclass(frozen=True)
class HeavyBall:
    r"""Constant damping $\theta'' + \tau\theta' = -\nabla E$. Laws use $s = e^{\tau t}$.

    Parameters
    ----------
    tau : int, Fraction, text or float
        A rational >= 0; a text such as "0.1" or "1/2", a float only where it is that decimal, as 0.5 is.

    Raises
    ------
    TypeError, ValueError
        For a float that is no short decimal, for text that is no number, and for a negative one.

    Examples
    --------
    >>> import clexact
    >>> flow = momentum_flow(clexact.models.shared(2, 2), HeavyBall(Fraction(1, 2)))
    >>> clexact.certify(flow).laws
    LawList([e^(1/2*t) (UᵀU' − U'ᵀU)  (i < j < 2)])
    """

    tau: Number | str = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "tau", exact_number(self.tau, "tau"))
        if self.rate < 0:
            raise ValueError(f"tau must be at least 0, not {self.tau}.")

    @property
    def rate(self) -> Fraction:
        """tau as a fraction."""
        return Fraction(self.tau)


@dataclass(frozen=True)
class Nesterov:
    r"""Nesterov's damping $\theta'' + \frac{3}{t}\theta' = -\nabla E$.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(momentum_flow(clexact.models.shared(1, 2), Nesterov())).laws
    LawList([t³ (UᵀU' − U'ᵀU)  (i < j < 2)])
    """


Damping = HeavyBall | Nesterov | None
DAMPINGS = ("none", "heavy-ball", "nesterov")


def as_flow(given: Given) -> Flow:
    """A flow as it is, a model as its gradient flow, explicit fields as their flow; TypeError for anything else."""
    if isinstance(given, Flow):
        return given
    if isinstance(given, Model):
        return gradient_flow(given)
    if isinstance(given, VectorFields):
        return FieldsFlow(given)
    module = any(base.__module__.startswith("torch.nn.") for base in type(given).__mro__)
    hint = "; for a PyTorch module take clexact.torch.model(module, example_input)" if module else ""
    what = type(given).__name__ if module else repr(given)
    raise TypeError(f"expected a flow, a Model (its gradient flow) or VectorFields, not {what}{hint}.")


# --- the three flows -------------------------------------------------------------------------------------------------


def gradient_flow(model: Model, loss: Loss = "full", *, weight_decay: Number | str = 0, inputs: object = None) -> Flow:
    r"""The gradient flow $\theta' = -\nabla E(\theta) - \lambda\theta$ of a model, over all data sets.

    Its laws h are $\nabla h(\theta) \perp W(\theta)$, where W is spanned by the $\nabla_\theta\langle C, g(\theta,
    \xi)\rangle$ (arXiv 2307.00144, propositions 2.3 to 2.5). With $\lambda \ne 0$ the phase space is $(s, \theta)$,
    $s = e^{\lambda t}$, with the drift $(\lambda s, -\lambda\theta)$; a quadratic law h of the flow without it becomes
    $s^2 h$ (arXiv 2506.06194, theorem 2.1).

    Parameters
    ----------
    model : Model
        The network.
    loss : {"full", "cross_entropy"} or matrix of int or Fraction
        ``"full"``: C is any covector (squared loss); ``"cross_entropy"``: the entries of C along the last axis, the
        classes, sum to zero (arXiv 2506.06194, 3.11); a matrix: C, along the last axis, is any combination of its rows.
    weight_decay : int or Fraction or str
        $\lambda$, a rational.
    inputs : array or mapping of str to array, optional
        Data: these inputs alone, with any targets. N inputs are an array of shape (N, \*shape of the probe), or one for
        each probe by its name, of integers, rationals, decimals as texts, or floats, which are the binary fractions
        that they are. Default: those that the model remembers (``clexact.torch.model(..., inputs=X)``), else all data.

    Returns
    -------
    Flow
        On $\theta$, or with weight decay on $(s, \theta)$.

    Raises
    ------
    TypeError
        If ``model`` is no Model, ``weight_decay`` not exact, or ``inputs`` are no numbers.
    ValueError
        For another loss, and for inputs of wrong names or shapes, or that are not finite.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.models.linear([2, 1])
    >>> clexact.certify(gradient_flow(net)).upper
    0
    >>> clexact.certify(gradient_flow(net, "cross_entropy")).laws
    LawList([Σ_i U1[i,0]])
    >>> clexact.certify(gradient_flow(clexact.models.product(2), weight_decay=1)).laws
    LawList([e^(2*t) (x[0]² − x[1]²)])
    """
    base = _gradients(model, loss, "gradient_flow", inputs)
    decay = _decay(weight_decay)
    return _decaying(base, None, decay, base.description, {"flow": "gradient"}) if decay else base


def mirror_flow(
    model: Model,
    positive: Iterable[str] | None = None,
    metric: Metric | None = None,
    loss: Loss = "full",
    *,
    weight_decay: Number | str = 0,
) -> Flow:
    r"""The mirror flow $\theta' = -M(\theta)\,(\nabla E(\theta) + \lambda\theta)$, M diagonal (arXiv 2405.12888).

    Laws of scalings are linear in positive parameters.

    Parameters
    ----------
    model : Model
        The network.
    positive : iterable of str, optional
        Names of parameters with $M = \mathrm{diag}(\theta)$ on them, the identity on the others.
    metric : callable, optional
        Instead: a function of the parameters that returns {name: array of the shape of that parameter}, polynomial, the
        diagonal of M; absent names stand for ones.
    loss : {"full", "cross_entropy"} or matrix of int or Fraction
        As in ``gradient_flow``.
    weight_decay : int or Fraction or str
        $\lambda$, a rational.

    Returns
    -------
    Flow
        On $\theta$, or with weight decay on $(s, \theta)$, $s = e^{\lambda t}$.

    Raises
    ------
    TypeError
        If ``model`` is no Model or ``weight_decay`` not exact.
    ValueError
        Unless exactly one of ``positive`` and ``metric`` is given, for unknown names and for wrong shapes.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": ()}, {}, lambda u, v: u * v)
    >>> clexact.certify(mirror_flow(net, positive=["u", "v"])).laws
    LawList([u − v])
    >>> clexact.certify(mirror_flow(net, metric=lambda u, v: {"u": u**2})).exact
    True
    """
    base = _gradients(model, loss, "mirror_flow")
    if (positive is None) == (metric is None):
        raise ValueError("mirror_flow takes either positive, names of parameters, or metric, a function of them.")
    if metric is not None:
        diagonal, recipe, what = _given_metric(model, metric), None, "a metric given"
        rule: Rule = _no_laws
    else:
        names = _positive(model, positive or ())
        chosen = _entries(model, names)
        rule, recipe = partial(_mirror_laws, names), {"flow": "mirror", "positive": names}
        diagonal, what = _positive_metric(model.dimension, set(chosen.tolist())), _named(names)
    description = f"{base.description.replace('gradient', 'mirror', 1)}, {what}"
    if decay := _decay(weight_decay):
        return _decaying(base, diagonal, decay, description, recipe)
    return LiftedFlow(base, Phase(base.variables, base.dimension), diagonal, rule, description, recipe)


def momentum_flow(
    model: Model | Flow | VectorFields,
    damping: Damping = None,
    loss: Loss = "full",
    *,
    positive: Iterable[str] = (),
    weight_decay: Number | str = 0,
) -> LiftedFlow:
    r"""The momentum flow $\theta'' + \tau(t)\,\theta' = -\nabla E(\theta) - \lambda\theta$.

    The phase space is $(t, \theta, \theta')$, with the drift and the fields $(0, 0, \nabla_\theta\langle C, g\rangle)$
    (arXiv 2405.12888, section 3). Velocities are named with a prime, ``U'[0,1]``. The degree of laws counts positions
    and velocities, not powers of the clock.

    Parameters
    ----------
    model : Model, Flow or VectorFields
        The network; a flow or fields in place of it give their fields in place of the gradients.
    damping : HeavyBall or Nesterov, optional
        None, $\tau = 0$, drift $(1, \theta', -\lambda\theta)$; ``HeavyBall(tau)``, with $s = e^{\tau t}$ in place of t,
        drift $(\tau s, \theta', -\tau\theta' - \lambda\theta)$; ``Nesterov()``, $\tau = 3/t$, drift
        $(t, t\theta', -3\theta' - \lambda t\theta)$, t times the true one.
    loss : {"full", "cross_entropy"} or matrix of int or Fraction
        As in ``gradient_flow``, of a model only.
    positive : iterable of str
        Names of parameters on which the gradients are multiplied by $\tau\theta + \theta'$ (mirror momentum).
    weight_decay : int or Fraction or str
        $\lambda$, a rational.

    Returns
    -------
    LiftedFlow
        A ``Flow`` on the phase space.

    Raises
    ------
    TypeError, ValueError
        For wrong arguments.

    Examples
    --------
    >>> import clexact
    >>> flow = momentum_flow(clexact.models.linear([1, 2, 1]))
    >>> flow.dimension
    9
    >>> print(clexact.certify(flow).laws[0])
    U1ᵀU1' − U1'ᵀU1 + U2U2'ᵀ − U2'U2ᵀ  (i < j < 2)
    """
    base = _flow_of_positions(model, loss)
    if damping is not None and not isinstance(damping, (HeavyBall, Nesterov)):
        raise TypeError(f"damping must be None, HeavyBall(tau) or Nesterov(), not {damping!r}.")
    names, chosen = _positive_entries(base, positive)
    if isinstance(damping, HeavyBall) and damping.rate == 0:
        damping = None
    decay, D = _decay(weight_decay), base.dimension
    clock = _free_name("s" if isinstance(damping, HeavyBall) else "t", base.variables)
    moving, velocities = _velocities(base)
    variables = (clock, *base.variables, *velocities)
    drift = _momentum_drift(variables, D, damping, decay)
    phase = Phase(variables, D, _momentum_clock(damping, decay), D + 1, drift, moving)
    metric = _momentum_metric(D, set(chosen.tolist()), damping) if names else None
    rule = partial(_momentum_laws, moving, damping, decay, names)
    description = f"momentum flow of {base.description.removeprefix('gradient flow of ')}, {_damped(damping)}"
    description += (f", {_named(names)}" if names else "") + (f", weight decay {decay}" if decay else "")
    recipe = {
        "flow": "momentum",
        "damping": _DAMPING_NAMES[type(damping)],
        "positive": names,
        "weight_decay": str(decay),
    }
    if isinstance(damping, HeavyBall):
        recipe["tau"] = str(damping.rate)
    return LiftedFlow(base, phase, metric, rule, description, recipe)


def velocity(name: str) -> str:
    """The name of the time derivative of a variable: U'[0,1] for U[0,1]."""
    head, bracket, index = name.partition("[")
    return f"{head}'{bracket}{index}"


FLOW_KEYS = ("loss", "flow", "damping", "tau", "positive", "weight_decay")


def rebuild_flow(model: Model, recipe: Mapping[str, Any]) -> Flow:
    """The flow of a model that a recipe describes by ``FLOW_KEYS``; ValueError or TypeError if it cannot be."""
    loss, decay = recipe.get("loss"), rational(recipe.get("weight_decay", "0"))
    if isinstance(loss, list):
        loss = [[rational(c) for c in row] for row in loss]
    if loss is None:
        raise ValueError("it names no loss.")
    match recipe.get("flow", "gradient"):
        case "gradient":
            return gradient_flow(model, loss, weight_decay=decay)
        case "mirror":
            return mirror_flow(model, recipe.get("positive", []), loss=loss, weight_decay=decay)
        case "momentum":
            tau = rational(recipe.get("tau", "0"))
            dampings: dict[str, Damping] = {"none": None, "heavy-ball": HeavyBall(tau), "nesterov": Nesterov()}
            if recipe.get("damping") not in dampings:
                raise ValueError(f"no damping is called {recipe.get('damping')!r}.")
            return momentum_flow(
                model, dampings[recipe["damping"]], loss, positive=recipe.get("positive", []), weight_decay=decay
            )
        case other:
            raise ValueError(f"no flow is called {other!r}.")


def _gradients(model: Model, loss: Loss, name: str, inputs: object = None) -> GradientFlow:
    if not isinstance(model, Model):
        raise TypeError(f"{name} takes a clexact.Model, not {model!r}.")
    return flow_of(model, loss, inputs)


def _flow_of_positions(model: Model | Flow | VectorFields, loss: Loss) -> Flow:
    """The flow on the positions; ValueError for a loss beside a flow, and for a flow that is lifted already."""
    if isinstance(model, Model):
        return flow_of(model, loss)
    if loss_kind(loss) != "full":
        raise ValueError("loss belongs to a model; a flow or fields given have theirs.")
    base = as_flow(model)
    check_no_parameters(base, "the momentum flow")
    if base.lifted:
        raise ValueError("momentum_flow takes a model or a gradient flow; for mirror momentum give positive=[names].")
    return base


def _velocities(base: Flow) -> tuple[tuple[str, ...], list[str]]:
    """The names of the velocities of all parameters, none without a model, and of all variables."""
    if base.gradients is None:
        return (), _primed(base.variables)
    shapes = base.gradients.model.parameters
    names = _primed(tuple(shapes))
    entries = (entry_names(name, shape) for name, shape in zip(names, shapes.values(), strict=True))
    return tuple(names), list(chain.from_iterable(entries))


def _primed(names: tuple[str, ...]) -> list[str]:
    """The names of velocities, with more primes where another has one already."""
    found, taken = list[str](), set(names)
    for name in names:
        new = velocity(name)
        while new in taken:
            new = velocity(new)
        found.append(new)
        taken.add(new)
    return found


def _decay(weight_decay: Number | str) -> Fraction:
    return Fraction(exact_number(weight_decay, "weight_decay"))


def _free_name(wanted: str, taken: tuple[str, ...]) -> str:
    """A name for the clock that no variable has."""
    numbered = (f"{wanted}{k}" for k in count())
    return next(name for name in chain([wanted], numbered) if name not in taken)


_DAMPING_NAMES = dict(zip((type(None), HeavyBall, Nesterov), DAMPINGS, strict=True))


def _damped(damping: Damping) -> str:
    match damping:
        case HeavyBall(tau):
            return f"heavy ball with tau = {tau}"
        case Nesterov():
            return "Nesterov's damping 3/t"
        case _:
            return "no damping"


def _named(names: list[str]) -> str:
    return f"{', '.join(names) or 'nothing'} positive"


# --- drifts ----------------------------------------------------------------------------------------------------------


def _packed(parts: Iterable[Part]) -> Terms:
    """Terms with integer coefficients from a list; zeros are left out."""
    listed = [part for part in parts if part[2]]
    return Terms.from_monomials([j for j, _, _ in listed], [c for *_, c in listed], [m for _, m, _ in listed])


def _field(variables: tuple[str, ...], parts: Iterable[Part]) -> VectorFields:
    """One field from its terms, owned by the components."""
    return VectorFields._from_checked(variables, _packed(parts), [1])


def _decaying(
    base: GradientFlow,
    metric: DiagonalMetric | None,
    decay: Fraction,
    description: str,
    recipe: Mapping[str, Any] | None,
) -> LiftedFlow:
    r"""The phase space $(s, \theta)$, $s = e^{\lambda t}$, with the drift over lambda: $(s, -M(\theta)\theta)$."""
    D, variables = base.dimension, (_free_name("s", base.variables), *base.variables)
    if metric is None:
        rule: Rule = _decayed_laws
        clock, scale = Clock(_same_power, start=1, rate=decay), 1
        diagonal: Iterable[Part] = [(j, (), 1) for j in range(D)]
    else:
        rule = _no_laws if recipe is None else partial(_decayed_mirror_laws, list(recipe["positive"]))
        clock, scale = Clock(_powers_up_to, some_powers=True, start=1, rate=decay), metric.cleared[0]
        metric = replace(metric, terms=metric.terms.shifted(1))
        diagonal = _listed(metric.terms)
    pull = [(j + 1, _product(monomial, ((j + 1, 1),)), -c) for j, monomial, c in diagonal]
    phase = Phase(variables, D, clock, None, _field(variables, [(0, ((0, 1),), scale), *pull]))
    full = None if recipe is None else {**recipe, "weight_decay": str(decay)}
    return LiftedFlow(base, phase, metric, rule, f"{description}, weight decay {decay}", full)


def _same_power(velocities: int, positions: int) -> Iterable[int]:
    """Without a metric the drift multiplies s^a theta^c by a - c, which must vanish."""
    return (positions,)


def _powers_up_to(velocities: int, positions: int) -> Iterable[int]:
    return range(positions + 1)


def _momentum_drift(variables: tuple[str, ...], D: int, damping: Damping, decay: Fraction) -> VectorFields:
    """The drift on (clock, positions, velocities), integer coefficients."""
    tau = damping.rate if isinstance(damping, HeavyBall) else Fraction(0)
    scale = lcm(tau.denominator, decay.denominator)
    clock: Monomial = ((0, 1),) if damping is not None else ()
    time: Monomial = ((0, 1),) if isinstance(damping, Nesterov) else ()  # the factor that clears 3/t
    rate, brake = (1, 3) if isinstance(damping, Nesterov) else (tau if damping else Fraction(1), tau)
    parts: list[Part] = [(0, clock, int(rate * scale))]
    for j in range(1, D + 1):
        parts.append((j, _product(time, ((D + j, 1),)), scale))
        parts.append((D + j, ((D + j, 1),), -int(brake * scale)))
        parts.append((D + j, _product(time, ((j, 1),)), -int(decay * scale)))
    return _field(variables, parts)


def _momentum_clock(damping: Damping, decay: Fraction) -> Clock:
    """t, or s under a heavy ball."""
    powers, start = partial(_momentum_powers, damping, decay != 0), int(damping is not None)
    if isinstance(damping, HeavyBall):
        # decay > 0 keeps both rates between 0 and tau, so no power exceeds the degree
        return Clock(powers, decay < 0, start, damping.rate)
    return Clock(powers, isinstance(damping, Nesterov) and decay != 0, start)


def _momentum_powers(damping: Damping, decaying: bool, b: int, c: int) -> Iterable[int]:
    r"""Powers of the clock beside b velocities and c positions in a law.

    The drift is N + R, N diagonal on monomials and R ($\theta'\partial_\theta$, for Nesterov times t) shifting N's
    eigenvalue by a constant. So every law is a sum of chains $R^k h_0$ with $N h_0 = 0$: N is $\tau(a - b)$ for the
    heavy ball, a - 3b for Nesterov, and each step of R adds one velocity. Without damping a law is a polynomial in
    $\theta - t\theta'$ and $\theta'$. Weight decay mixes both kinds of coordinates: then all powers up to a bound.
    """
    if isinstance(damping, Nesterov):
        return range(3 * (b + c) + 1) if decaying else range(b, 3 * b + 1, 2)
    return range((b + c if decaying else b) + 1)


# --- metrics ---------------------------------------------------------------------------------------------------------


def _positive(model: Model, names: Iterable[str]) -> list[str]:
    given = [names] if isinstance(names, str) else listed(names, "positive must be a list of names of parameters")
    found = list(dict.fromkeys(given))
    for name in found:
        if name not in model.parameters:
            raise ValueError(f"positive names {name!r}, which is none of the parameters {', '.join(model.parameters)}.")
    return found


def _entries(model: Model, names: Iterable[str]) -> Ints:
    """Numbers of all entries of the parameters named."""
    found = [np.arange(prod(model.parameters[name])) + model.offsets()[name] for name in names]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _positive_entries(base: Flow, positive: Iterable[str]) -> tuple[list[str], Ints]:
    """Names of positive parameters, and the numbers of their entries; ValueError if explicit fields are to have any."""
    if base.gradients is not None:
        names = _positive(base.gradients.model, positive)
        return names, _entries(base.gradients.model, names)
    if listed([positive] if isinstance(positive, str) else positive, "positive must be a list of names"):
        raise ValueError("positive names parameters of a model; explicit fields have none.")
    return [], np.empty(0, dtype=np.int64)


def _positive_metric(D: int, positive: set[int]) -> DiagonalMetric:
    r"""$\theta$ on positive entries, 1 on the others."""
    return DiagonalMetric(_packed((j, ((j, 1),) if j in positive else (), 1) for j in range(D)))


def _momentum_metric(D: int, positive: set[int], damping: Damping) -> DiagonalMetric:
    r"""$\tau\theta + \theta'$ on positive entries, 1 on the others, times what clears denominators (t for Nesterov)."""
    tau = _rate(damping)
    clearing: Monomial = ((0, 1),) if isinstance(damping, Nesterov) else ()
    parts: list[Part] = []
    for j in range(D):
        velocity = ((D + j + 1, 1),) if j in positive else ()
        parts.append((j, _product(clearing, velocity), tau.denominator))
        parts.append((j, ((j + 1, 1),), tau.numerator if j in positive else 0))
    return DiagonalMetric(_packed(parts), (tau.denominator, len(clearing)))


def _rate(damping: Damping) -> Fraction:
    """tau, of Nesterov's damping without the 1/t."""
    return damping.rate if isinstance(damping, HeavyBall) else Fraction(3 if isinstance(damping, Nesterov) else 0)


def _product(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for v, k in b:
        powers[v] = powers.get(v, 0) + k
    return tuple(sorted(powers.items()))


def _listed(terms: Terms, scale: int = 1) -> list[Part]:
    """The terms times a number that makes their coefficients integers."""
    return [(int(terms.owner[t]), terms.monomial(t), int(terms.coef[t] * scale)) for t in range(len(terms))]


def _given_metric(model: Model, metric: Metric) -> DiagonalMetric:
    """The diagonal that a user's function gives, times the one common factor that clears its denominators."""
    offsets = model.offsets()
    program = record(_flat_metric(metric), model.parameters, {})
    if program.functions or program.gates:
        raise ValueError("metric must be polynomial in the parameters.")
    leaves = {
        name: PolynomialArray(shape, Terms.variables(offsets[name], prod(shape)))
        for name, shape in model.parameters.items()
    }
    terms = program.run(Polynomials(), leaves)[program.output].terms
    scale = lcm(*(Fraction(c).denominator for c in terms.coef.tolist()))
    return DiagonalMetric(_packed(_listed(terms, scale)), (scale, 0))


def _flat_metric(metric: Metric) -> Callable[..., Array]:
    """The function that gives the diagonal of the metric as one vector."""

    def output(**parameters: Array) -> Array:
        given = metric(**parameters)
        if not isinstance(given, Mapping):
            raise TypeError(f"metric must return a mapping of names to arrays, not {given!r}")
        if unknown := sorted(given.keys() - parameters.keys()):
            raise ValueError(f"metric names {unknown[0]!r}, which is no parameter")
        pieces = []
        for name, array in parameters.items():
            entry = given.get(name, 1)
            entry = entry if isinstance(entry, Array) and entry.shape else array * 0 + entry
            if entry.shape != array.shape:
                raise ValueError(f"metric of {name!r} has shape {entry.shape}, not {array.shape}")
            pieces.append(entry.reshape(-1))
        return join(pieces)

    output.__name__ = "metric"
    return output


# --- laws ------------------------------------------------------------------------------------------------------------


def _no_laws(base: Flow) -> list[Family]:
    return []


def _decayed_laws(base: Flow) -> list[Family]:
    return noether.decayed(base.families)


def _mirror_laws(positive: list[str], base: Flow) -> list[Family]:
    return noether.mirrored(base.families, positive)


def _decayed_mirror_laws(positive: list[str], base: Flow) -> list[Family]:
    return noether.decayed(noether.untouched(base.families, positive))


def _momentum_laws(
    velocities: tuple[str, ...], damping: Damping, decay: Fraction, positive: list[str], base: Flow
) -> Iterable[Family]:
    """Noether's laws, of parameters on which gradients are not multiplied."""
    if base.gradients is None:
        return
    names = dict(zip(base.gradients.model.parameters, velocities, strict=True))
    match damping:
        case HeavyBall():
            made = noether.heavy_ball(damping.rate)
        case Nesterov():
            made = noether.NESTEROV
        case _:
            made = noether.UNDAMPED
    yield from made.rotations(noether.untouched(base.matrices(moving=not decay), positive), names)
    if not decay:
        linear = [family for family in base.families if family.kind == "translation"]
        yield from made.translations(noether.untouched(linear, positive), names)
