"""Fields written back: as an ``.ode`` text, as SBML with a rate rule for each variable, as problems of KeYmaera X."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import count
from xml.sax.saxutils import quoteattr

from clexact.algebra.fields import VectorFields, lie_derivative
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.quotients import Quotient, Quotients
from clexact.algebra.systems import written

NAMESPACE = "http://www.sbml.org/sbml/level3/version1/core"
MATH = "http://www.w3.org/1998/Math/MathML"


def to_ode(fields: VectorFields, rules: Mapping[str, str] | None = None) -> str:
    r"""The text of an ``.ode`` file that reads back as these fields.

    Parameters
    ----------
    fields : VectorFields
        The fields; parameters are declared.
    rules : mapping of str to str, optional
        Further names with what they are, as comments.

    Returns
    -------
    str
        Lines.

    Examples
    --------
    >>> print(to_ode(VectorFields.from_ode("par a; x' = a*y/(1 + x); y' = -x")))
    par a
    x' = (y*a)/(x + 1)
    y' = -x
    <BLANKLINE>
    """
    names = plain_names(fields.variables, r"[^\W\d]\w*(\.[^\W\d]\w*)*(\[\d+(,\d+)*\])?")
    lines = [f"par {', '.join(names[n] for n in fields.parameters)}"] if fields.parameters else []
    lines += [f"# {name} = {text}" for name, text in (rules or {}).items()]
    for i in range(len(fields)):
        lines += ["---"] * (i > 0)
        lines += [f"{names[name]}' = {text}" for name, text in right_sides(fields, i, names).items()]
    return "\n".join(lines) + "\n"


def right_sides(fields: VectorFields, i: int, names: Mapping[str, str]) -> dict[str, str]:
    """The right sides of a field, over its denominator where it was multiplied by one."""
    variables = [names[name] for name in fields.variables]
    by = fields.multipliers[i] if fields.multipliers else ""
    texts = [str(_renamed(p, variables)) for p in fields.components(i)]
    if by:
        divisor = Quotient(dict(Polynomial.from_string(by, fields.variables).items()))
        ring = Quotients()
        inverse = ring.inverse(divisor)
        texts = [written(ring.times(Quotient(dict(p.items())), inverse), variables) for p in fields.components(i)]
    return dict(zip(fields.variables, texts, strict=False))


def _renamed(p: Polynomial, variables: Sequence[str]) -> Polynomial:
    return Polynomial._from_checked(tuple(variables), p.terms, p.denominator)


def plain_names(names: Sequence[str], form: str) -> dict[str, str]:
    """Each name as the format has it, distinct."""
    found: dict[str, str] = {}
    taken = {name for name in names if re.fullmatch(form, name)}
    for name in names:
        new = name
        if not re.fullmatch(form, name):
            new = re.sub(r"\W", "_", name.replace("'", "_prime").replace("Γ", "Gamma"))
            new = new if re.match(r"[A-Za-z_]", new) else f"v_{new}"
            new = re.sub(r"[^A-Za-z0-9_]", "_", new)
            while new in taken:
                new += "_"
            taken.add(new)
        found[name] = new
    return found


def to_sbml(fields: VectorFields, rules: Mapping[str, Polynomial] | None = None) -> str:
    """SBML, level 3: a species with a rate rule for each variable; further names by assignment rules.

    Parameters
    ----------
    fields : VectorFields
        One field.
    rules : mapping of str to Polynomial, optional
        Further names with what they are, polynomials in the variables.

    Returns
    -------
    str
        The document.

    Raises
    ------
    ValueError
        For several fields.

    Examples
    --------
    >>> to_sbml(VectorFields.from_ode("x' = 1")).count("<rateRule")
    1
    """
    if len(fields) != 1:
        raise ValueError(f"SBML has one system, not {len(fields)} fields.")
    given = dict(rules or {})
    names = plain_names([*fields.variables, *given], r"[A-Za-z_][A-Za-z0-9_]*")
    states = fields.variables[: len(fields.variables) - len(fields.parameters)]
    divisor = (
        Polynomial.from_string(fields.multipliers[0], fields.variables)
        if fields.multipliers and fields.multipliers[0]
        else None
    )
    species = "".join(_species(names[name]) for name in [*states, *given])
    parameters = "".join(f'<parameter id={quoteattr(names[n])} constant="true"/>' for n in fields.parameters)
    slopes = "".join(
        f"<rateRule variable={quoteattr(names[name])}>{_math(p, names, divisor)}</rateRule>"
        for name, p in zip(states, fields.components(0), strict=True)
    )
    slopes += "".join(
        f"<assignmentRule variable={quoteattr(names[name])}>{_math(p, names, None)}</assignmentRule>"
        for name, p in given.items()
    )
    listed = f"<listOfParameters>{parameters}</listOfParameters>" if parameters else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<sbml xmlns="{NAMESPACE}" level="3" version="1"><model id="system">'
        '<listOfCompartments><compartment id="compartment_" spatialDimensions="3" size="1" constant="true"/>'
        f"</listOfCompartments><listOfSpecies>{species}</listOfSpecies>{listed}<listOfRules>{slopes}</listOfRules>"
        "</model></sbml>\n"
    )


def _species(name: str) -> str:
    return (
        f'<species id={quoteattr(name)} compartment="compartment_" hasOnlySubstanceUnits="true" '
        'boundaryCondition="false" constant="false"/>'
    )


def _math(p: Polynomial, names: Mapping[str, str], divisor: Polynomial | None) -> str:
    body = _polynomial(p, names)
    if divisor is not None:
        body = f"<apply><divide/>{body}{_polynomial(divisor, names)}</apply>"
    return f'<math xmlns="{MATH}">{body}</math>'


def _polynomial(p: Polynomial, names: Mapping[str, str]) -> str:
    terms = [_term(m, Fraction(c), [names[name] for name in p.variables]) for m, c in p.items()]
    if len(terms) <= 1:
        return terms[0] if terms else '<cn type="integer">0</cn>'
    return f"<apply><plus/>{''.join(terms)}</apply>"


def _term(monomial: Sequence[tuple[int, int]], c: Fraction, names: Sequence[str]) -> str:
    factors = [
        f"<ci>{names[v]}</ci>" if k == 1 else f'<apply><power/><ci>{names[v]}</ci><cn type="integer">{k}</cn></apply>'
        for v, k in monomial
    ]
    if c != 1 or not factors:
        number = f'<cn type="integer">{c.numerator}</cn>'
        if c.denominator != 1:
            number = f'<cn type="rational">{c.numerator}<sep/>{c.denominator}</cn>'
        factors.insert(0, number)
    return factors[0] if len(factors) == 1 else f"<apply><times/>{''.join(factors)}</apply>"


def to_kyx(
    fields: VectorFields,
    laws: Sequence[Polynomial],
    darboux: Sequence[tuple[Polynomial, Sequence[Polynomial]]] = (),
) -> str:
    r"""Problems of KeYmaera X with their proofs: h = c stays true for each law, p = 0 for each Darboux polynomial.

    A law is a differential invariant, $X h = 0$: ``dI``. Where $X p = \lambda p$, p = 0 is kept by ``dbx`` with the
    cofactor $\lambda$. An entry for each field. Both identities are checked before they are written.

    Parameters
    ----------
    fields : VectorFields
        The fields; parameters are constants of the problem.
    laws : sequence of Polynomial
        The h.
    darboux : sequence of (Polynomial, sequence of Polynomial)
        Each p with its cofactor along every field.

    Returns
    -------
    str
        An archive, a ``.kyx`` file.

    Raises
    ------
    ValueError
        For what is no law or no Darboux polynomial of the fields.

    Examples
    --------
    >>> X = VectorFields.from_ode("x' = y; y' = -x")
    >>> print(to_kyx(X, [Polynomial.from_string("x^2 + y^2", ["x", "y"])]))
    ArchiveEntry "law 1"
    Definitions
      Real c;
    End.
    ProgramVariables
      Real x;
      Real y;
    End.
    Problem
      x^2 + y^2 = c -> [{x' = y, y' = -x}]x^2 + y^2 = c
    End.
    Tactic "proof"
      implyR(1); dI(1)
    End.
    End.
    <BLANKLINE>
    """
    names = _letters_and_digits(fields.variables)
    value = next(name for name in map("c{}".format, ["", *range(len(names) + 1)]) if name not in names.values())
    names[value] = value
    states = fields.variables[: len(fields.variables) - len(fields.parameters)]
    variables = [names[name] for name in fields.variables]
    entries = list[str]()
    for i in range(len(fields)):
        field = fields[i]
        slopes = right_sides(fields, i, names)
        domain = f" & {_renamed_text(fields.multipliers[i], fields, variables)} != 0" if any(fields.multipliers) else ""
        program = ", ".join(f"{names[name]}' = {slopes[name]}" for name in states) + domain
        along = f" along field {i + 1}" if len(fields) > 1 else ""
        for n, h in enumerate(laws, start=1):
            if any(not moved.is_zero for moved in lie_derivative(h, field)):
                raise ValueError(f"{h} is no law of the fields.")
            text = f"{_renamed(h, variables)} = {names[value]}"
            constants = [*(names[name] for name in fields.parameters), names[value]]
            entries.append(_entry(f"law {n}{along}", constants, states, names, text, program, "dI(1)"))
        for n, (p, cofactors) in enumerate(darboux, start=1):
            if lie_derivative(p, field) != [p * cofactors[i]]:
                raise ValueError(f"{p} is no Darboux polynomial of the fields with the cofactor {cofactors[i]}.")
            text, constants = f"{_renamed(p, variables)} = 0", [names[name] for name in fields.parameters]
            by = str(_renamed(cofactors[i], variables))
            if fields.multipliers and fields.multipliers[i]:  # the field as it was is this one over its denominator
                by = f"({by})/({_renamed_text(fields.multipliers[i], fields, variables)})"
            step = f'dbx("{by}", 1)'
            entries.append(_entry(f"Darboux polynomial {n}{along}", constants, states, names, text, program, step))
    others = [f"/* {new} stands for {name} */\n" for name, new in names.items() if new != name]
    return "".join(others) + "\n".join(entries)


def _letters_and_digits(names: Sequence[str]) -> dict[str, str]:
    """Each name as it is, or v1, v2, ... if it has other signs."""
    plain = {name for name in names if re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name)}
    free = (name for name in map("v{}".format, count(1)) if name not in plain)
    return {name: name if name in plain else next(free) for name in names}


def _renamed_text(text: str, fields: VectorFields, variables: Sequence[str]) -> str:
    """A polynomial as text with other names; 1 for an empty one."""
    return str(_renamed(Polynomial.from_string(text or "1", fields.variables), variables))


def _entry(
    title: str,
    constants: Sequence[str],
    states: Sequence[str],
    names: Mapping[str, str],
    invariant: str,
    program: str,
    step: str,
) -> str:
    given = ["Definitions", *(f"  Real {name};" for name in constants), "End."] if constants else []
    lines = [f'ArchiveEntry "{title}"', *given, "ProgramVariables", *(f"  Real {names[s]};" for s in states), "End."]
    lines += ["Problem", f"  {invariant} -> [{{{program}}}]{invariant}", "End."]
    lines += ['Tactic "proof"', f"  implyR(1); {step}", "End.", "End."]
    return "\n".join(lines) + "\n"
