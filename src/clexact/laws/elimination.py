"""``eliminate``: a system without the variables that its laws determine, with the constants of motion as parameters."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from clexact.algebra.bounded import BoundedExpansion, Sparse, add
from clexact.algebra.fields import VectorFields, lie_derivative
from clexact.algebra.polynomial import Polynomial
from clexact.laws.bases import generators, in_basis
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.systems.writers import to_ode, to_sbml


@dataclass(frozen=True, eq=False)
class Elimination:
    """A smaller system, and what the variables left out are.

    Attributes
    ----------
    fields : VectorFields
        In the variables that are left; the constants of motion are parameters.
    rules : dict of str to Polynomial
        Each variable left out, in the variables and parameters of ``fields``.
    constants : dict of str to Polynomial
        Each constant of motion, as the law of the given system that it is the value of.
    unused : tuple of Polynomial
        Laws found that determine no variable as a polynomial.

    Examples
    --------
    >>> smaller = eliminate(VectorFields.from_ode("x' = y; y' = -y"))
    >>> smaller.rules, smaller.constants
    ({'x': Polynomial('-y + Γ1')}, {'Γ1': Polynomial('x + y')})
    """

    fields: VectorFields
    rules: dict[str, Polynomial]
    constants: dict[str, Polynomial]
    unused: tuple[Polynomial, ...]

    def to_ode(self) -> str:
        """The smaller system as an ``.ode`` text; the rules and the constants as comments.

        Returns
        -------
        str
            Lines.

        Examples
        --------
        >>> print(eliminate(VectorFields.from_ode("x' = y; y' = -y")).to_ode(), end="")
        par Γ1
        # Γ1 = x + y
        # x = -y + Γ1
        y' = -y
        """
        rules = {name: str(p) for name, p in [*self.constants.items(), *self.rules.items()]}
        return to_ode(self.fields, rules)

    def to_sbml(self) -> str:
        """As SBML: the variables left out are species by assignment rules.

        Returns
        -------
        str
            The document.

        Examples
        --------
        >>> eliminate(VectorFields.from_ode("x' = y; y' = -y")).to_sbml().count("<assignmentRule")
        1
        """
        return to_sbml(self.fields, self.rules)

    def to_sympy(self) -> dict[str, dict[str, object]]:
        """Right sides of the first field, and the variables left out, by name.

        Returns
        -------
        dict of str to dict
            Of ``"fields"`` and of ``"rules"``.

        Examples
        --------
        >>> eliminate(VectorFields.from_ode("x' = y; y' = -y")).to_sympy()
        {'fields': {'y': -y}, 'rules': {'x': -y + Γ1}}
        """
        divisor = self.fields.multipliers[0] if self.fields.multipliers else ""
        by = Polynomial.from_string(divisor, self.fields.variables).to_sympy() if divisor else 1
        right = {
            name: p.to_sympy() / by for name, p in zip(self.fields.variables, self.fields.components(0), strict=False)
        }
        return {"fields": right, "rules": {name: p.to_sympy() for name, p in self.rules.items()}}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} = {p}" for name, p in self.rules.items())
        return f"Elimination({shown or 'no variable'})"


def eliminate(fields: VectorFields, degree: int = 1, *, seed: int = 0) -> Elimination:
    """Remove variables by polynomial laws that determine them: ``x1 = Γ1 - x2`` for the law x1 + x2.

    A law determines a variable where this stands in it alone and to the power 1, with a number as its coefficient.
    Checked: that the derivatives of what replaces a variable are what its own equation becomes.

    Parameters
    ----------
    fields : VectorFields
        A system of one or several fields.
    degree : int
        Of the laws, at most.
    seed : int
        Of the random primes and points.

    Returns
    -------
    Elimination
        The smaller system, and the rules.

    Raises
    ------
    TypeError, ValueError
        For what are no fields, and for a degree below 1.

    Examples
    --------
    >>> X = VectorFields.from_ode("S' = -2*S*E + C; E' = -2*S*E + 4*C; C' = 2*S*E - 4*C; P' = 3*C")
    >>> smaller = eliminate(X)
    >>> smaller
    Elimination(S = -C - P + Γ1, E = -C + Γ2)
    >>> print(*smaller.to_ode().splitlines()[-2:], sep="; ")
    C' = 2*C^2 + 2*C*P - 2*C*Γ1 - 2*C*Γ2 - 2*P*Γ2 + 2*Γ1*Γ2 - 4*C; P' = 3*C
    """
    if not isinstance(fields, VectorFields):
        raise TypeError(f"eliminate takes VectorFields, not {fields!r}.")
    laws = polynomial_laws(fields, degree, seed=seed)
    given = generators(laws if fields.parameters else in_basis(laws, "echelon"))
    work = _Substitution(fields)
    unused = [law for law in given if not work.use(law)]
    return work.result(tuple(unused))


class _Substitution:
    """Rules so far, as polynomials over the numbers of the variables and of the constants, which come after them."""

    def __init__(self, fields: VectorFields) -> None:
        self.fields, self.states = fields, fields.dimension - len(fields.parameters)
        self.rules: dict[int, Sparse] = {}
        self.constants: dict[str, Polynomial] = {}
        taken = set(fields.variables)
        self._fresh = (name for k in count(1) if (name := f"Γ{k}") not in taken)

    def replaced(self, p: Sparse) -> Sparse:
        """p with the rules put in."""
        if not any(v in self.rules for m in p for v, _ in m):
            return p
        expansion, total = BoundedExpansion(), Sparse()
        for m, c in p.items():
            term: Sparse = {tuple((v, k) for v, k in m if v not in self.rules): c}
            for v, k in m:
                if v in self.rules:
                    term = expansion.times(term, expansion.power(self.rules[v], k))
            add(total, term)
        return total

    def use(self, law: Polynomial) -> bool:
        """Add the rule of a law, if it determines a variable."""
        p = self.replaced(_sparse(law))
        chosen = self._determined(p)
        if chosen is None:
            return False
        c = Fraction(p[((chosen, 1),)])
        place = self.fields.dimension + len(self.constants)
        rule: Sparse = {m: -Fraction(a) / c for m, a in p.items() if m != ((chosen, 1),)}
        rule[((place, 1),)] = 1 / c
        self.constants[next(self._fresh)] = law
        old = self.rules
        self.rules = {chosen: rule}
        self.rules = {v: self.replaced(q) for v, q in old.items()} | {chosen: rule}
        return True

    def _determined(self, p: Sparse) -> int | None:
        """The first variable that stands alone in one term, and in no other."""
        uses: dict[int, int] = {}
        for m in p:
            for v, _ in m:
                uses[v] = uses.get(v, 0) + 1
        found = [v for v in range(self.states) if uses.get(v) == 1 and ((v, 1),) in p]
        return found[0] if found else None

    def result(self, unused: tuple[Polynomial, ...]) -> Elimination:
        """The smaller system, checked."""
        kept = [v for v in range(self.states) if v not in self.rules]
        old, new = list(range(self.states, self.fields.dimension)), list(range(len(self.constants)))
        order = {v: n for n, v in enumerate([*kept, *old, *(self.fields.dimension + k for k in new)])}
        names = (*(self.fields.variables[v] for v in [*kept, *old]), *self.constants)

        def moved(p: Sparse) -> Sparse:
            return {tuple(sorted((order[v], k) for v, k in m)): c for m, c in self.replaced(p).items()}

        right = [
            {v: moved(_sparse(p)) for v, p in enumerate(self.fields.components(i))} for i in range(len(self.fields))
        ]
        fields = [{order[v]: p for v, p in field.items() if v in order and p} for field in right]
        made = VectorFields.from_sparse(names, fields, len(old) + len(new))
        if any(self.fields.multipliers):
            divisors = [Polynomial.from_string(text or "1", self.fields.variables) for text in self.fields.multipliers]
            made.multipliers = tuple(str(Polynomial.from_sparse(names, moved(_sparse(p)))) for p in divisors)
        rules = {self.fields.variables[v]: Polynomial.from_sparse(names, moved({((v, 1),): 1})) for v in self.rules}
        for v, name in enumerate(self.fields.variables[: self.states]):
            if name in rules:
                slopes = lie_derivative(rules[name], made)
                meant = [Polynomial.from_sparse(names, field[v]) for field in right]
                if slopes != meant:
                    raise ArithmeticError(f"the rule of {name!r} does not follow its equation: please report this.")
        return Elimination(made, rules, dict(self.constants), unused)


def _sparse(p: Polynomial) -> Sparse:
    return dict(p.items())
