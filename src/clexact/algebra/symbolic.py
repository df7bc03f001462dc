"""SymPy's expressions to polynomials: walked node by node within the bounds of ``bounded``, not expanded by SymPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from clexact.algebra.bounded import BoundedExpansion, Number, Sparse, TooLargeError, add, largest_power
from clexact.algebra.quotients import Quotient, Quotients
from clexact.support.listed import listed, shown

if TYPE_CHECKING:
    import sympy

MOST = 1000  # power of a number such as sqrt(2), which SymPy computes


class Functions(Protocol):
    """What makes variables of functions."""

    @property
    def names(self) -> list[str]:
        """Of all variables, by number."""

    def apply(self, name: str, arguments: list[Quotient]) -> Quotient:
        """A function as a variable."""


class Walker:
    """Reads expressions that are polynomial in ``symbols`` with rational coefficients, equal ones once.

    Constants that are not rational, such as sqrt(2), are variables until the end, where they must have cancelled.
    """

    def __init__(self, symbols: Sequence[Any]) -> None:
        self._symbols = list(symbols)
        self._places = {symbol: i for i, symbol in enumerate(self._symbols)}
        self._read: dict[Any, Sparse] = {}
        self._expansion = BoundedExpansion()

    def read(self, expression: Any) -> Sparse:
        """The polynomial of an expression, not to be changed. ValueError or TypeError saying what it is instead."""
        import sympy

        given = sympy.sympify(expression)
        given = given.as_expr() if isinstance(given, sympy.Poly) else given
        if not isinstance(given, sympy.Expr):
            raise TypeError(f"expected a SymPy expression, not {shown(given)} of type {type(given).__name__}.")
        if given not in self._read:
            self._expansion = BoundedExpansion()
            try:
                self._read[given] = self._rational(self._value(given), given)
            except TooLargeError as error:
                raise ValueError(f"{shown(given)}: {error}") from None
        return self._read[given]

    def quotient(self, expression: Any) -> Quotient:
        """The rational function of an expression. ValueError or TypeError saying what it is instead."""
        import sympy

        try:
            return Quotient(self.read(expression))
        except ValueError:
            top, bottom = sympy.fraction(sympy.together(sympy.sympify(expression)))
            if not self._symbols or not bottom.has(*self._symbols):
                raise
            ring = Quotients()
            return ring.times(Quotient(self.read(top)), ring.inverse(Quotient(self.read(bottom))))

    def with_functions(self, expression: Any, builder: Functions) -> Quotient:
        """As ``quotient``, with exp, log, sqrt, sin, cos, sinh, cosh and atan of the variables as further ones."""
        import sympy

        given = sympy.sympify(expression)
        if isinstance(given, sympy.Expr) and self._symbols:
            given = given.rewrite(sympy.tan, sympy.cos) if given.has(sympy.tan) else given
            while found := self._innermost(given):
                name, argument = _called(found)
                given = given.xreplace({found: self._added(name, self.quotient(argument), builder)})
        return self.quotient(given)

    def _innermost(self, given: Any) -> Any:
        """A function of the variables, or a root, that has none within; None if there is none."""
        import sympy

        kinds = (sympy.exp, sympy.log, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.atan)
        roots = [p for p in given.atoms(sympy.Pow) if p.exp.is_Rational and p.exp.q == 2 and p.base.has(*self._symbols)]
        found = [*(f for f in given.atoms(*kinds) if f.has(*self._symbols)), *roots]
        return min(found, key=lambda f: (sympy.count_ops(f), str(f)), default=None)

    def _added(self, name: str, argument: Quotient, builder: Functions) -> Any:
        """The symbol of the variable that a function becomes, to the power that it has."""
        import sympy

        base, _, power = name.partition("^")
        try:
            value = builder.apply(base, [argument])
        except LookupError as error:
            raise ValueError(str(error.args[0])) from None
        ((((place, _),), _),) = value.top.items()
        while len(self._symbols) <= place:
            self._symbols.append(sympy.Symbol(builder.names[len(self._symbols)]))
            self._places = {symbol: i for i, symbol in enumerate(self._symbols)}
            self._read.clear()
        return self._symbols[place] ** int(power or 1)

    def _value(self, root: sympy.Expr) -> Sparse:
        """Parts before what they are parts of; a loop, since expressions may be nested deeper than Python recurs."""
        values, waiting = dict[Any, Sparse](), [root]
        while waiting:
            node = waiting[-1]
            parts = [part for part in self._parts(node) if part not in values]
            if not parts:
                values[node] = self._combined(node, [values[part] for part in self._parts(node)], root)
                waiting.pop()
            waiting += parts
        return values[root]

    def _parts(self, node: Any) -> tuple[Any, ...]:
        """What a sum, a product or a power by an integer is made of."""
        if node in self._places or not (node.is_Add or node.is_Mul or node.is_Pow):
            return ()
        if node.is_Pow:
            return (node.base,) if node.exp.is_Integer else ()
        return tuple(node.args)

    def _combined(self, node: Any, parts: list[Sparse], root: sympy.Expr) -> Sparse:
        if not parts:
            return self._leaf(node, root)
        if node.is_Add:
            return _sum(parts)
        if node.is_Pow:
            return self._power(parts[0], int(node.exp), node, root)
        value: Sparse = {(): 1}
        for part in parts:
            value = self._expansion.times(value, part)
        return value

    def _power(self, base: Sparse, power: int, node: Any, root: sympy.Expr) -> Sparse:
        if power >= 0:
            return self._expansion.power(base, power)
        if not base:
            raise self._no_polynomial(root)
        if len(base) > 1:  # a constant, or the inverse of a polynomial
            return self._leaf(node, root)
        ((monomial, c),) = self._expansion.power(base, -power).items()
        return {tuple((v, -k) for v, k in monomial): 1 / Fraction(c)}

    def _leaf(self, node: Any, root: sympy.Expr) -> Sparse:
        """A symbol, a rational, or another constant as a further variable."""
        if node in self._places:
            return {((self._places[node], 1),): 1}
        if node.is_Rational:
            value: Number = Fraction(int(node.p), int(node.q)) if int(node.q) != 1 else int(node.p)
            return {(): value} if value else {}
        if node.is_Float:
            raise _not_rational(root, "floats")
        if node.is_Number or node.is_infinite:
            raise _not_rational(root, "infinite or undefined")
        if self._symbols and node.has(*self._symbols):
            raise self._no_polynomial(root)
        return {((self._places.setdefault(node, len(self._places)), 1),): 1}

    def _rational(self, p: Sparse, root: sympy.Expr) -> Sparse:
        """The polynomial in the symbols alone; ValueError if another constant stays, or the inverse of a symbol."""
        count, coefs = len(self._symbols), dict[Any, Sparse]()
        for monomial, c in p.items():
            mine = tuple((v, k) for v, k in monomial if v < count)
            coefs.setdefault(mine, {})[tuple((v, k) for v, k in monomial if v >= count)] = c
        out = {monomial: self._constant(q, root) for monomial, q in coefs.items()}
        found = {monomial: c for monomial, c in out.items() if c}
        if any(k < 0 for monomial in found for _, k in monomial):
            raise self._no_polynomial(root)
        return found

    def _constant(self, p: Sparse, root: sympy.Expr) -> Number:
        """The value of a polynomial in other constants."""
        if p.keys() == {()}:
            return p[()]
        import sympy

        if largest_power(p) > MOST:
            raise TooLargeError(f"a power of a number that is not rational is larger than {MOST}.")
        constants = list(self._places)
        terms = [
            sympy.Rational(c.numerator, c.denominator) * sympy.Mul(*(constants[v] ** k for v, k in m))
            for m, c in p.items()
        ]
        value = sympy.expand(sympy.Add(*terms))
        if not value.is_Rational:
            names = sorted({shown(constants[v]) for monomial in p for v, _ in monomial})
            raise _not_rational(root, f"elements of Q({', '.join(names)})")
        return Fraction(int(value.p), int(value.q))

    def _no_polynomial(self, root: sympy.Expr) -> ValueError:
        return ValueError(f"{shown(root)} is not a polynomial in {', '.join(map(str, self._symbols))}.")


def _sum(parts: Iterable[Sparse]) -> Sparse:
    total: Sparse = {}
    for part in parts:
        add(total, part)
    return total


def _not_rational(root: Any, kind: str) -> ValueError:
    return ValueError(
        f"the coefficients of {shown(root)} must be rational, not {kind}; give integers or sympy.Rational."
    )


def _called(found: Any) -> tuple[str, Any]:
    """(the name, the argument); of a root to a power: sqrt^3."""
    return (
        (f"sqrt^{found.exp.p}", found.base)
        if found.is_Pow and found.exp.is_Rational
        else (found.func.__name__, found.args[0])
    )


def symbol_name(symbol: Any) -> str:
    """The name of a variable: x for x(t), x' for its derivative."""
    import sympy
    from sympy.core.function import AppliedUndef

    if isinstance(symbol, sympy.Derivative) and len(symbol.variable_count) == 1:
        return symbol_name(symbol.expr) + "'" * int(symbol.variable_count[0][1])
    return str(symbol.func) if isinstance(symbol, AppliedUndef) and len(symbol.args) == 1 else str(symbol)


def equations(given: Any) -> tuple[list[dict[Any, Any]], list[Any]]:
    """One field and its variables, of a mapping or of equations for derivatives; second order is made first order."""
    import sympy

    if isinstance(given, Mapping):
        return [dict(given)], list(given)
    expected = (
        "without variables give one field as {variable: expression}, or equations such as Eq(x(t).diff(t), -x(t))"
    )
    field: dict[Any, Any] = {}
    for equation in listed(given, expected):
        left = equation.lhs if isinstance(equation, sympy.Equality) else None
        if not isinstance(left, sympy.Derivative) or left.variable_count[0][1] > 2 or len(left.variable_count) > 1:
            raise TypeError(f"{expected}, not {shown(equation)}.")
        position, moving = left.expr, sympy.Derivative(left.expr, left.variables[0])
        twice = left.variable_count[0][1] == 2
        if twice:
            field[position] = moving
        target = moving if twice else position
        if target in field:
            raise ValueError(f"a second equation for {position}.")
        field[target] = equation.rhs
    return [field], list(field)


def named(expression: Any) -> Any:
    """The expression with a plain symbol for each symbol and each entry of a matrix, of the name it is written with."""
    import sympy
    from sympy.matrices.expressions.matexpr import MatrixElement

    given = sympy.sympify(expression)
    if not isinstance(given, sympy.Expr):
        return given
    entries = given.atoms(MatrixElement, sympy.Indexed)
    plain = given.xreplace({entry: sympy.Symbol(str(entry).replace(" ", "")) for entry in entries})
    return plain.xreplace({symbol: sympy.Symbol(symbol.name) for symbol in plain.atoms(sympy.Symbol)})
