"""What the package says of a random program, held against the oracle's truth.

A violation is reported only where floats leave no doubt: a law that moves at several points, ranks with a clear gap.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import sympy
import torch
from program_oracle import Oracle, monomial_gradients, movement, parsed, ranks

import clexact
from clexact import functions

TOLERANCE = 1e-9  # of a law's relative movement
SPARE = 4
MOST_MONOMIALS = 120
DEEP, DEEPEST = 3, 5  # brackets that are looked for, and those that are computed where the package used them
NAMES = ("relu", "maximum", "exp", "tanh", "sigmoid", "silu", "gelu", "reciprocal", "softmax")


@dataclass
class Judgement:
    """What became of a program: exact, bounds or refused; what is wrong; what floats could not decide."""

    outcome: str = "refused"
    violations: list[tuple[str, str]] = field(default_factory=list)  # (kind, what is said and what is true)
    unclear: list[str] = field(default_factory=list)
    checks: set[str] = field(default_factory=set)


def flow_of(case):
    """The flow of a case, made by the package."""
    operations = {name: getattr(functions, name) for name in NAMES}
    output = case.function(concatenate=clexact.concatenate, **operations)
    model = clexact.Model(case.parameters, case.probes, output)
    names = ("gradient_flow", "mirror_flow", "momentum_flow", "HeavyBall", "Nesterov")
    space = {name: getattr(clexact, name) for name in names} | {"F": Fraction, "model": model}
    return eval(case.flow_text, space)


def judged(case, thorough=False, certify: Callable = clexact.certify, reading="shared", gates=False):
    """All checks of a case; the expensive ones too if ``thorough``. ``certify`` gives the count under test.

    With ``gates``, the bounds must hold too where gates have the values that they have, instead of being free, unless
    the count says that true inputs may open fewer.
    """
    found = Judgement()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            flow = flow_of(case)
            count = certify(flow)
        found.violations += [("warning", str(each.message)) for each in said]
    except (ValueError, TypeError) as error:
        found.violations.append(("undocumented error", str(error)))
        return found
    except Exception as error:
        found.violations.append(("raised", f"{type(error).__name__}: {error}"))
        return found
    found.outcome = "exact" if count.exact else "bounds"
    oracle = Oracle(case, reading, case.seed)
    if list(flow.variables) != oracle.variables:
        found.violations.append(("variables", f"{flow.variables} are not {oracle.variables}"))
        return found
    check_laws(found, oracle, count)
    check_bounds(found, oracle, count, thorough)
    if gates and oracle.gates and not found.violations and not warned(flow):
        check_gates(found, case, count)
    if thorough:
        check_polynomial_laws(found, oracle, flow, count)
        check_further_laws(found, oracle, count)
        check_certificate(found, count)
        check_start(found, oracle, flow)
    return found


def warned(flow):
    """Whether a flow says that true inputs may open fewer gates than free ones."""
    return "true inputs may open fewer" in " ".join(flow.assumptions)


# --- laws ------------------------------------------------------------------------------------------------------------


def moves(oracle, law):
    """Whether a polynomial is certainly no law: it moves at points of two samples; None if that is not clear."""
    return clear(movement(law, *sample) for sample in oracle.samples)


def clear(movements):
    """Whether movements at points of two samples are certainly some; None if that is not clear."""
    verdicts = []
    for moved in movements:
        moved = moved[np.isfinite(moved)]
        if not moved.size or not (moved > TOLERANCE).any():
            return False
        verdicts.append(bool((moved > 1e3 * TOLERANCE).any()))
    return True if all(verdicts) else None


def check_laws(found, oracle, count):
    """Every law shown is one, and those counted are independent."""
    laws = [parsed(str(h), oracle.variables) for h in count.laws.polynomials()]
    for text, law in zip(map(str, count.laws.polynomials()), laws, strict=True):
        match moves(oracle, (law, [])):
            case True:
                found.violations.append(("false law", f"{text} is no law: {count}"))
            case None:
                found.unclear.append(f"law {text}")
    if count.exhibited:
        point = oracle.points(1).numpy()
        rows = [(c[:, None] * monomial_gradients(e, point)[0]).sum(axis=0) for c, e in laws]
        rows = np.array([rows[n] / max(1e-300, np.linalg.norm(rows[n])) for n in count.shown.laws])
        if ranks(rows)[1] < count.exhibited:
            found.violations.append(("dependent laws", f"{count.exhibited} laws of rank {ranks(rows)[1]}: {count}"))


# --- bounds ----------------------------------------------------------------------------------------------------------


def check_bounds(found, oracle, count, thorough):
    """lower <= D - rank of brackets; and the dimensions claimed, at each depth, are at most the ranks there."""
    if count.lower > count.upper or count.lower < count.exhibited or count.upper < 0:
        found.violations.append(("crossed bounds", f"{count}"))
    D, claims = oracle.dimension, [*count.filtration[:-1], count.dimension - count.upper]
    if count.dimension != D:
        found.violations.append(("dimension", f"{count.dimension}, not {D}"))
        return
    enough = D if thorough or count.lower > count.exhibited else claims[-1]  # laws shown are checked themselves
    used = min(len(claims) - 1, DEEPEST)
    by_depth = ranks_of_brackets(oracle, enough, max(used, min(used + thorough, DEEP)))
    certain, possible = by_depth[-1]
    if count.lower > D - certain:
        found.violations.append(("false lower bound", f"{count}, but brackets have rank {certain} of {D}"))
    if exceed(claims, by_depth):
        again = [ranks_of_brackets(oracle, D, used) for _ in range(3)]
        if all(exceed(claims, each) for each in again):
            most = [max(possible for _, possible in depth) for depth in zip(*again, strict=False)]
            found.violations.append(("false upper bound", f"{count}, but brackets have ranks {most} of {D} at most"))
    if certain < min(possible, claims[-1]):
        found.unclear.append(f"rank {certain} to {possible}, claimed {claims[-1]}")


def exceed(claims, by_depth):
    """Whether a dimension claimed is larger than the rank at that depth can be."""
    return any(claim > possible for claim, (_, possible) in zip(claims, by_depth, strict=False))


def check_gates(found, case, count):
    """The bounds where gates are 1 or the slope, and selections choose one entry."""
    oracle, other = Oracle(case, "binary", case.seed), Judgement()
    check_bounds(other, oracle, count, False)
    which = "of values 0 and 1" if all(gate.varies for gate in oracle.gates) else "that no probe moves"
    found.violations += [(f"{kind}, gates {which}", said) for kind, said in other.violations]


def ranks_of_brackets(oracle, enough, deepest):
    """(certain, possible) rank of brackets at a point, depth by depth, as far as given or until it is enough."""
    D, rows, point = oracle.dimension, np.empty((0, oracle.dimension)), oracle.points(1)[0]
    many = (D + SPARE) * (8 if oracle.reading == "binary" else 1)  # gates that are 0 leave little of a member
    by_depth = []
    for depth in range(deepest + 1):
        rows = np.concatenate([rows, oracle.brackets(point, depth, many)])
        by_depth.append(ranks(rows))
        if by_depth[-1][0] >= enough:
            break
    return by_depth


def check_start(found, oracle, flow):
    """Dimensions at a special start, of small integers with zeros, are at most the rank of brackets there."""
    start = oracle.draws.integers(-1, 3, oracle.dimension)
    start[: oracle.phase.clocks] = 1
    closure = clexact.lie_closure(flow, start.tolist(), max_depth=1)
    point, D = torch.tensor(start, dtype=torch.float64), oracle.dimension
    rows = [oracle.brackets(point, depth, D + SPARE) for depth in range(2)]
    certain, possible = ranks(np.concatenate(rows))
    exact = closure.status is clexact.ClosureStatus.PROVED
    if closure.rank > possible or (exact and closure.rank < certain):
        said = f"{closure} ({closure.status.name}) at {start.tolist()}, but brackets have rank {certain} to {possible}"
        found.violations.append(("dimension at a start", said))
    found.checks.add(f"start {closure.status.name.lower()}")


# --- all polynomial laws, and the document ---------------------------------------------------------------------------


def check_polynomial_laws(found, oracle, flow, count):
    """As many laws of degree at most 2 as floats find, each of them one; ``check_law`` says the same of others."""
    laws = clexact.polynomial_laws(flow, 2)
    others = [f"{a} + {b}" for a, b in zip(flow.variables, flow.variables[1:], strict=False)][:2]
    others += [f"{a}^2 - {b}^2" for a, b in zip(flow.variables, flow.variables[1:], strict=False)][-2:]
    for text in [*map(str, laws), *others]:
        said, moved = clexact.check_law(flow, text), moves(oracle, (parsed(text, oracle.variables), []))
        if text not in others and not said:
            found.violations.append(("polynomial law", f"{text} is given, and check_law denies it"))
        if (moved is True and said) or (moved is False and not said):
            found.violations.append(("check_law", f"{text}: {said}, but it {'moves' if moved else 'does not move'}"))
    if flow.clocks or laws.completeness is clexact.Completeness.OPEN:
        return
    least, most = true_laws(oracle)
    if least is not None:
        found.checks.add("number of quadratic laws")
        if most < len(laws) or least > len(laws):
            found.violations.append(("number of polynomial laws", f"{len(laws)}, but there are {least} to {most}"))


def check_further_laws(found, oracle, count):
    """Laws of other forms are laws: their derivatives, by SymPy, are orthogonal to the fields."""
    for law in count.further_laws():
        if clear(movement_of(law.to_sympy(), oracle.variables, *sample) for sample in oracle.samples) is not False:
            found.violations.append(("false further law", f"{law}: {count}"))
        found.checks.add("further laws")


def movement_of(expression, variables, points, fields):
    """The derivative of an expression of SymPy along a field at each point, relative to the size of its terms."""
    symbols = [sympy.Symbol(name) for name in variables]
    names = {symbol.name: symbol for symbol in expression.free_symbols}
    gradient = [expression.diff(names.get(symbol.name, symbol)) for symbol in symbols]
    values = sympy.lambdify([names.get(symbol.name, symbol) for symbol in symbols], gradient, "numpy", dummify=True)
    terms = np.array(
        [np.array(values(*point)) * moved for point, moved in zip(np.asarray(points), fields, strict=True)]
    )
    return np.abs(terms.sum(axis=1)) / np.maximum(np.abs(terms).sum(axis=1), 1e-300)


def true_laws(oracle):
    """(least, most) dimension of the space of laws of degree 1 and 2, as floats tell; None if they are too many."""
    D = oracle.dimension
    monomials = [m for k in (1, 2) for m in combinations_with_replacement(range(D), k)]
    if len(monomials) > MOST_MONOMIALS:
        return None, None
    exponents = np.array([[m.count(j) for j in range(D)] for m in monomials])
    many = len(monomials) + 2 * SPARE
    points = oracle.points(many)
    fields = oracle.members(points, oracle.seeds(many))
    rows = np.einsum("pmj,pj->pm", monomial_gradients(exponents, points.numpy()), fields)
    rows = rows / np.maximum(np.linalg.norm(fields, axis=1, keepdims=True), 1e-2)
    certain, possible = ranks(rows)
    return len(monomials) - possible, len(monomials) - certain


def check_certificate(found, count):
    """The certificate is verified, or says that it could not be decided; never false."""
    try:
        certificate = count.certificate
    except ValueError as error:
        found.unclear.append(f"no certificate: {error}")
        return
    claim = certificate.data["claim"]
    if claim["upper"] < count.upper or claim["lower"] > count.lower:
        found.violations.append(("certificate", f"it claims {claim}: {count}"))
    for rebuild in (False, True):
        verdict = clexact.verify(certificate, rebuild=rebuild)
        found.checks.add(f"{'rebuilt' if rebuild else 'certificate'} {verdict.status.name.lower()}")
        if verdict.status not in (clexact.VerdictStatus.VERIFIED, clexact.VerdictStatus.UNDECIDED):
            found.violations.append(("certificate", f"rebuild={rebuild}: {verdict}: {count}"))
