"""Flows: a family of vector fields on a phase space, named by integers and read in two ways.

``values`` evaluates random members modulo a prime on jets, without expanding anything; ``fields`` is the exact finite
family that spans them. A member is named by a row of integers, its ``seeds``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from math import comb
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words, residues
from clexact.algebra.terms import Ints, Terms, concatenate, monomials_of_degree, starts
from clexact.flows.phase import Phase
from clexact.programs import gates
from clexact.programs.jets import Jet, Jets
from clexact.support.digest import digest
from clexact.support.display import facts, lines
from clexact.symmetry.families import Family
from clexact.symmetry.groups import Law, Symmetries

if TYPE_CHECKING:
    from clexact.flows.gradient import GradientFlow
    from clexact.flows.near import Start

SHOWN = 8  # variables where a flow shows itself


class Flow(ABC):
    """A family of vector fields on a phase space: the directions in which training, on any data, can push.

    ``gradient_flow``, ``mirror_flow`` and ``momentum_flow`` make one of a model. Its ``fields``, where they are
    polynomials, are the exact finite family that spans it; counts evaluate members of it modulo primes and expand
    nothing. Subclasses fill in the attributes.

    Attributes
    ----------
    variables : tuple of str
        Names of the D coordinates of the phase space.
    description : str
        The flow in words.
    assumptions : tuple of str
        Under which its answers hold.
    scope : str
        Of which data and starts, and of which gates, the answers speak.
    recipe : dict
        By which the flow can be rebuilt; empty for fields given as such.
    seed_size : int
        Number of integers that name one member of the family.
    work : int
        Numbers stored to evaluate one member.
    degree : int
        Of a component, in the variables and the seeds together, at most.
    denominator : int
        Of the constants of its program, together: primes that divide it are avoided.
    norm_bound : int
        Sum of the absolute integer coefficients of a component, denominators cleared, at most.
    analytic : bool
        Whether functions stand in its program, so that its fields are no polynomials.
    whole : bool
        Whether its members span all that the scope speaks of; else only what the program's shape proves is a law.
    start : Start or None
        Near which the answers hold, if they do not near any generic one.
    some_powers : bool
        Whether ``monomials`` has only some of the powers of the clock that a law could have.
    exponentials : mapping of str to Fraction
        {variable: r}: it stands for e^(r t).
    clocks : tuple of str
        Variables that are functions of the time alone.
    metric : Terms or None
        The diagonal by which gradients are multiplied, ``cleared`` times the true one.
    cleared : tuple of int
        (c, k): c times the clock to the k.
    symmetries : Symmetries
        Groups that leave unchanged what the loss sees.

    Examples
    --------
    >>> import clexact
    >>> flow = clexact.gradient_flow(clexact.models.linear([2, 2, 2]))
    >>> flow.dimension, flow.scope
    (8, 'all data, generic start')
    >>> flow.field_count, flow.fields.rank_at(range(8))
    (4, 4)
    """

    variables: tuple[str, ...]
    description: str
    assumptions: tuple[str, ...]
    scope: str  # of which data and starts, and of which gates, the answers speak
    recipe: dict[str, object]  # by which the flow can be rebuilt; empty for fields given as such
    seed_size: int  # integers that name one member of the family
    work: int  # numbers stored to evaluate one member
    degree: int  # of a component, in the variables and the seeds together, at most
    denominator: int = 1  # of the constants of its program, together: primes that divide it are avoided
    analytic: bool = False  # whether functions stand in its program, so that its fields are no polynomials
    whole: bool = True  # whether its members span all that the scope speaks of
    start: Start | None = None  # near which the answers hold, if they do not near any generic one
    some_powers: bool = False  # whether ``monomials`` has only some of the powers of the clock that a law could have
    exponentials: Mapping[str, Fraction] = MappingProxyType({})  # {variable: r}: it stands for e^(r t)
    clocks: tuple[str, ...] = ()  # variables that are functions of the time alone
    parameters: tuple[str, ...] = ()  # the last variables, where these are constants that are not counted
    lifted: bool = False  # whether it is made of another flow, by a metric, a drift or both
    metric: Terms | None = None  # the diagonal by which gradients are multiplied, ``cleared`` times the true one
    cleared: tuple[int, int] = (1, 0)  # (c, k): c times the clock to the k

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description}, D = {self.dimension})"

    def _repr_html_(self) -> str:
        pairs = {
            "D": f"{self.dimension}: {', '.join(self.variables[:SHOWN])}{', ...' * (self.dimension > SHOWN)}",
            "assuming": lines(self.assumptions),
            "note": "its fields are analytic, not polynomials" if self.analytic else None,
        }
        return facts(self.description, pairs)

    @property
    def dimension(self) -> int:
        """D, the dimension of the phase space."""
        return len(self.variables)

    @property
    def counted_dimension(self) -> int:
        """D without the parameters of explicit fields."""
        return len(self.variables) - len(self.parameters)

    @cached_property
    def phase(self) -> Phase:
        """The coordinates: positions alone, unless the flow is lifted to a phase space."""
        return Phase(self.variables, self.dimension)

    @property
    def gradients(self) -> GradientFlow | None:
        """The gradient flow of a model of which it is made; None for explicit fields."""
        return None

    @property
    def plain_gradients(self) -> GradientFlow | None:
        """``gradients`` where they are the members as they stand, None for any other flow.

        One program then says all of the flow: sparse values are read from it, and a certificate can hold it.
        """
        gradients = self.gradients
        return gradients if gradients is self else None

    @property
    def bracketed_gradients(self) -> GradientFlow | None:
        """The gradients whose brackets alone prove a rank of this flow: themselves, or beside a drift; else None."""
        return self.plain_gradients

    @property
    def uniform_seeds(self) -> bool:
        """Whether any integers name a member that is as good as any other."""
        return not self.analytic

    @property
    def uniform_cost(self) -> int:
        """How many times dearer members named by any integers are than those that are drawn."""
        return 1

    @property
    def given_fields(self) -> VectorFields | None:
        """The fields where they were given one by one; None where ``fields`` makes them."""
        return None

    def kinds(self, depth: int) -> int:
        """How many kinds of brackets of a depth are drawn, of which each alone may span less than all do.

        Parameters
        ----------
        depth : int
            At least 0.

        Returns
        -------
        int
            1, unless members see a part of the output, or belong to some cases alone.

        Examples
        --------
        >>> import clexact
        >>> clexact.gradient_flow(clexact.models.product(2)).kinds(0)
        1
        """
        return 1

    @property
    def symmetries(self) -> Symmetries:
        """Groups that leave unchanged what the loss sees; none without a program."""
        return Symmetries((), (), ())

    @property
    def families(self) -> tuple[Family, ...]:
        """Laws proved by the shape of the flow's program, as families; none without a program."""
        return ()

    def matrices(self, moving: bool = True) -> tuple[Family, ...]:
        """On which rows of parameters matrices act, or orthogonal ones, as Gram matrices: laws if any matrix does.

        Parameters
        ----------
        moving : bool
            Whether without entries that do not move at all.

        Returns
        -------
        tuple of Family
            Each of kind "gram".

        Examples
        --------
        >>> import clexact
        >>> [str(family) for family in clexact.gradient_flow(clexact.models.shared(2, 2)).matrices()]
        ['UᵀU  (i ≤ j < 2)']
        """
        return ()

    @property
    @abstractmethod
    def norm_bound(self) -> int:
        """Sum of the absolute integer coefficients of a component, denominators cleared, at most."""

    @property
    def qualification(self) -> str:
        """What a headline must say: " with free gates", or nothing."""
        return gates.qualification(self.scope)

    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        """Members of the family, evaluated on jets modulo a prime.

        Parameters
        ----------
        theta : Jet
            Points, of shape (1, D) or (N, D).
        seeds : numpy.ndarray
            Integers that name the members, of shape (N, seed_size).
        prime : int
            The modulus.

        Returns
        -------
        Jet
            The values, of shape (N, D).

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> point, seeds = np.array([[2, 3]], dtype=np.uint64), np.array([[5]], dtype=np.uint64)
        >>> flow.values({0: point}, seeds, 101)[0].tolist()  # 5 times the gradient (3, 2)
        [[15, 10]]
        """
        return self.values_in(Jets(prime), theta, seeds)

    @abstractmethod
    def values_in(self, ring: Jets, theta: Jet, seeds: Words) -> Jet:
        """Members evaluated in any ring of jets: with opaque functions, say.

        Parameters
        ----------
        ring : Jets
            The ring.
        theta : Jet
            Points, of shape (1, D) or (N, D).
        seeds : numpy.ndarray
            Integers that name the members, of shape (N, seed_size).

        Returns
        -------
        Jet
            The values, of shape (N, D).

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> point, seeds = np.array([[2, 3]], dtype=np.uint64), np.array([[5]], dtype=np.uint64)
        >>> flow.values_in(Jets(101), {0: point}, seeds)[0].tolist()
        [[15, 10]]
        """

    def draw_prime(self, draws: Draws, bits: int) -> int:
        """A random prime modulo which members have values.

        Parameters
        ----------
        draws : Draws
            Where it comes from.
        bits : int
            Of the prime.

        Returns
        -------
        int
            One that divides no denominator.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> flow.draw_prime(flow.draws(0), 22).bit_length()
        22
        """
        return draws.prime(bits, avoiding=self.denominator)

    def modulus(self, prime: int) -> int:
        """The number modulo which a point is read, a multiple of the prime modulo which members are.

        Parameters
        ----------
        prime : int
            As of ``draw_prime``.

        Returns
        -------
        int
            The prime itself, unless functions need more of a point.

        Examples
        --------
        >>> import clexact
        >>> clexact.gradient_flow(clexact.models.product(2)).modulus(101)
        101
        """
        return prime

    def draw_point(self, draws: Draws, prime: int) -> Words:
        """A random point at which members have values.

        Parameters
        ----------
        draws : Draws
            Where it comes from.
        prime : int
            As of ``draw_prime``.

        Returns
        -------
        numpy.ndarray
            D integers below ``modulus(prime)``.

        Raises
        ------
        UndefinedError
            If none was found at which all functions of the parameters are defined.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> flow.draw_point(flow.draws(0), 101).shape
        (2,)
        """
        return draws.residues((self.dimension,), prime)

    def draw_samples(self, draws: Draws, count: int, prime: int) -> tuple[Words, Words]:
        """Random points, and a member with a value at each.

        Parameters
        ----------
        draws : Draws
            Where they come from.
        count : int
            How many.
        prime : int
            Modulo which they are taken.

        Returns
        -------
        tuple of numpy.ndarray
            Points of shape (count, D) and seeds of shape (count, seed_size), below ``modulus(prime)``.

        Raises
        ------
        UndefinedError
            As ``draw_seeds``.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> points, seeds = flow.draw_samples(flow.draws(0), 4, 101)
        >>> points.shape, seeds.shape
        ((4, 2), (4, 1))
        """
        return draws.residues((count, self.dimension), prime), draws.residues((count, self.seed_size), prime)

    def draw_seeds(self, draws: Draws, levels: int, count: int, point: Words, prime: int) -> Words:
        """Names of random members that have values at a point.

        Parameters
        ----------
        draws : Draws
            Where they come from.
        levels, count : int
            How many.
        point : numpy.ndarray
            The point, of shape (D,).
        prime : int
            Modulo which it is given.

        Returns
        -------
        numpy.ndarray
            Integers of shape (levels, count, seed_size).

        Raises
        ------
        UndefinedError
            If none were found at which all functions are defined.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> flow.draw_seeds(flow.draws(0), 1, 4, np.ones(2, dtype=np.uint64), 101).shape
        (1, 4, 1)
        """
        return draws.residues((levels, count, self.seed_size), prime)

    def spanning_seeds(self, draws: Draws, prime: int) -> Words:
        """Names of random members of which each law is one, if it is one of all.

        Parameters
        ----------
        draws : Draws
            Where they come from.
        prime : int
            Modulo which they are taken.

        Returns
        -------
        numpy.ndarray
            Integers of shape (members, seed_size): of one member, unless they belong to cases.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> flow.spanning_seeds(flow.draws(0), 101).shape
        (1, 1)
        """
        return draws.residues((1, self.seed_size), prime)

    @property
    @abstractmethod
    def digest(self) -> bytes:
        """Of everything that the fields depend on."""

    def draws(self, seed: int) -> Draws:
        """Random choices that whoever chose the fields could not know.

        Parameters
        ----------
        seed : int
            At least 0.

        Returns
        -------
        Draws
            A generator that follows the seed and the flow's ``digest``.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2))
        >>> flow.draws(0).prime(22) == flow.draws(0).prime(22)
        True
        """
        return Draws(seed, self.digest)

    @property
    @abstractmethod
    def fields(self) -> VectorFields:
        """The exact finite family that spans all members over Q."""

    @property
    @abstractmethod
    def expanded_size(self) -> int:
        """Number of packed terms of ``fields``, at most."""

    @property
    @abstractmethod
    def field_count(self) -> int | None:
        """Number of fields in ``fields``, None where that would take an expansion that is too large."""

    @property
    def left_out(self) -> str:
        """Which laws of the program's shape were not looked for, in words; empty if all were."""
        return ""

    def proposed_laws(self) -> list[Law]:
        """Laws proved by the shape of the flow's program; none without a program.

        Returns
        -------
        list of dict
            {variables of a monomial, with repetition: coefficient} for each.

        Examples
        --------
        >>> import clexact
        >>> clexact.gradient_flow(clexact.models.product(2)).proposed_laws()
        [{(0, 0): 1, (1, 1): -1}]
        """
        laws: dict[int, Law] = {}
        terms = self.shape_terms()
        for n, owner in enumerate(terms.owner.tolist()):
            key = tuple(v for v, power in terms.monomial(n) for _ in range(power))
            laws.setdefault(owner, {})[key] = int(terms.coef[n])
        return [dict(sorted(law.items())) for law in laws.values()]

    def single_terms(self) -> Terms:
        """Laws proved by the shape of the flow's program that belong to no family, packed and canonical: mostly none.

        Returns
        -------
        Terms
            Owned by the numbers of the laws.

        Examples
        --------
        >>> import clexact
        >>> len(clexact.gradient_flow(clexact.models.product(2)).single_terms())
        0
        """
        return concatenate([])

    def shape_terms(self) -> Terms:
        """The families written out, and ``single_terms``: packed terms, canonical.

        Returns
        -------
        Terms
            Owned by the numbers of the laws.

        Examples
        --------
        >>> import clexact
        >>> len(clexact.gradient_flow(clexact.models.product(2)).shape_terms())
        2
        """
        return joined([*(family.expanded() for family in self.families), self.single_terms()])

    def law_degrees(self, terms: Terms) -> Ints:
        """Degree of each term as laws count it: without the clock's power.

        Parameters
        ----------
        terms : Terms
            N packed terms in the flow's variables.

        Returns
        -------
        numpy.ndarray
            N integers.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.momentum_flow(clexact.models.shared(1, 2), clexact.Nesterov())
        >>> law = clexact.certify(flow).laws.polynomials()[0]
        >>> law.degree, set(flow.law_degrees(law.terms).tolist())
        (5, {2})
        """
        return terms.degrees()

    def monomials(self, degrees: Sequence[int]) -> Terms:
        """All monomials that can stand in a law homogeneous of one of these degrees, in their order.

        Parameters
        ----------
        degrees : sequence of int
            The degrees, each >= 1.

        Returns
        -------
        Terms
            One term for each, owned by 0.

        Examples
        --------
        >>> import clexact
        >>> len(clexact.gradient_flow(clexact.models.product(3)).monomials([2, 1]))
        9
        """
        return concatenate([monomials_of_degree(self.dimension, k) for k in degrees])

    def monomial_count(self, degrees: Sequence[int]) -> int:
        """How many monomials can stand in a law homogeneous of one of these degrees.

        Parameters
        ----------
        degrees : sequence of int
            The degrees, each >= 1.

        Returns
        -------
        int
            The length of ``monomials(degrees)``, without making them.

        Examples
        --------
        >>> import clexact
        >>> clexact.gradient_flow(clexact.models.product(3)).monomial_count([2, 1])  # 6 + 3
        9
        """
        return sum(comb(self.dimension + k - 1, k) for k in degrees)


def explicit_fields(count: int, dimension: int, parameters: Sequence[str] = ()) -> str:
    """How a flow of explicit fields is described."""
    named = f" with parameters {', '.join(parameters)}" if parameters else ""
    return f"{count} explicit field{'s' * (count != 1)} on Q^{dimension}{named}"


class FieldsFlow(Flow):
    r"""The flow of explicit fields: members $\sum_i s_i X_i$, named by the integers s."""

    def __init__(self, fields: VectorFields) -> None:
        self.variables, self._fields, self.parameters = fields.variables, fields, fields.parameters
        states = fields.dimension - len(fields.parameters)
        self.description = explicit_fields(len(fields), states, fields.parameters)
        self.recipe = {}
        self.assumptions = ("a quantity is conserved when every field given conserves it", "generic start")
        if fields.added:
            names = ", ".join(fields.added)
            self.assumptions += (f"{names}, which stand for functions, may have any values",)
        self.scope = "the fields given, generic start"
        terms = fields.terms
        self.seed_size, self.work = len(fields), 3 * len(terms) + fields.dimension
        self.degree = 1 + int(terms.degrees().max(initial=0))
        self._field = terms.owner // max(1, fields.dimension)
        component = terms.owner % max(1, fields.dimension)
        self._by_component = np.argsort(component, kind="stable")
        self._component_start = starts(component[self._by_component], fields.dimension)

    @property
    def fields(self) -> VectorFields:
        return self._fields

    @property
    def uniform_seeds(self) -> bool:
        """Whether any integers name a member that is as good as any other."""
        return not self.analytic

    @property
    def given_fields(self) -> VectorFields:
        return self._fields

    @cached_property
    def norm_bound(self) -> int:
        coefficients: list[int] = self._fields.terms.coef.tolist()
        return max(1, sum(map(abs, coefficients)))

    @cached_property
    def digest(self) -> bytes:
        return digest(self._fields.dimension, self._fields.denominators, *self._fields.terms.arrays)

    @property
    def expanded_size(self) -> int:
        return len(self._fields.terms)

    @property
    def field_count(self) -> int:
        return len(self._fields)

    def values_in(self, ring: Jets, theta: Jet, seeds: Words) -> Jet:
        weights = ring.multiply({0: residues(self._fields.terms.coef, ring.prime)[None]}, {0: seeds[:, self._field]})
        each = ring.multiply(ring.monomials(self._fields.terms, theta), weights)
        return ring.segment_sums(ring.take(each, self._by_component), self._component_start)


def check_no_parameters(flow: Flow, what: str) -> None:
    """ValueError for fields with parameters."""
    if flow.parameters:
        names = ", ".join(flow.parameters)
        raise ValueError(
            f"{what} of fields with parameters is not made: give values to {names}, as  {flow.parameters[0]} = 2 "
            f"(--values {flow.parameters[0]}=2)."
        )


def joined(parts: Sequence[Terms]) -> Terms:
    """Polynomials, and others numbered after them: canonical."""
    found, first = list[Terms](), 0
    for terms in parts:
        found.append(terms.owned_by(terms.owner + first))
        first = int(found[-1].owner.max(initial=first - 1)) + 1
    return concatenate(found).canonical()


def pack_laws(laws: Sequence[Law]) -> Terms:
    """Laws {variables of a monomial, with repetition: coefficient} as packed terms owned by their numbers."""
    owner = [n for n, law in enumerate(laws) for _ in law]
    monomials = [tuple(sorted(Counter(key).items())) for law in laws for key in law]
    return Terms.from_monomials(owner, [c for law in laws for c in law.values()], monomials)
