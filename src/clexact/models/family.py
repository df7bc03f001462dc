"""``Family``: what the command line and ``rebuild`` need to know of an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from typing import Any

from clexact.algebra.polynomial import exact_number
from clexact.models.layers import check_dims
from clexact.programs.model import Model, check_size
from clexact.support.nearest import meant, one_of

Kind = type | tuple[str, ...] | str  # bool, int, "ints", "rational", or the words allowed


@dataclass(frozen=True)
class Family:
    """A family: ``build(sizes, **options)``, or ``build(*sizes, **options)`` if it has fixed numbers of ``sizes``.

    Parameters
    ----------
    build : callable
        Makes the ``Model``.
    sizes : str
        Names of the sizes, as shown to users; one ending in "..." is a list.
    formula : str
        What the networks compute, in one line.
    options : mapping
        For each option its kind: ``bool``, ``int``, ``"ints"``, ``"rational"``, or the words allowed.
    positive : tuple of str
        Parameters that are positive under its mirror flow.
    fitted : bool
        Whether some sizes do not go with some options.

    Examples
    --------
    >>> import clexact
    >>> family = clexact.models.FAMILIES["relu"]
    >>> family.sizes, family.formula
    ('n1 n2 ...', 'U1 relu(U2 ... relu(Uq x + bq))')
    >>> family.defaults
    {'bias': False, 'slope': 0}
    """

    build: Callable[..., Model]
    sizes: str  # as shown to users; one ending in "..." is a list
    formula: str
    options: Mapping[str, Kind] = field(default_factory=dict)
    positive: tuple[str, ...] = ()  # parameters that are positive under its mirror flow
    fitted: bool = False  # whether some sizes do not go with some options

    @property
    def listed(self) -> bool:
        """Whether the family takes one list of any length."""
        return self.sizes.endswith("...")

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The values of the options that are not given."""
        parameters = signature(self.build).parameters
        return {key: parameters[key].default for key in self.options}

    def check(self, name: str, sizes: Sequence[int], options: Mapping[str, Any]) -> dict[str, Any]:
        """The options as ``build`` takes them.

        What only some sizes allow, ``model`` finds.

        Parameters
        ----------
        name : str
            The family's name, for the errors.
        sizes : sequence of int
            The sizes.
        options : mapping
            The options given, as a recipe holds them in JSON.

        Returns
        -------
        dict
            The same options; rationals as numbers.

        Raises
        ------
        TypeError, ValueError
            For a wrong number of sizes, for sizes that are not integers >= 1, for an option of another family and for a
            wrong value.

        Examples
        --------
        >>> import clexact
        >>> clexact.models.FAMILIES["relu"].check("relu", [2, 2], {"slope": "1/10"})
        {'slope': Fraction(1, 10)}
        """
        for option in options:
            if option not in self.options:
                guess, known = meant(option, self.options), ", ".join(self.options) or "none"
                raise ValueError(f"{name} has no option {option!r}{guess}; it takes {known}.")
        if "kernel" in self.options and "kernel" not in options:
            raise ValueError(f"{name} needs the size of its kernel.")
        if self.listed:
            check_dims(sizes, name)
        else:
            words = self.sizes.split()
            least = sum(not word.startswith("[") for word in words)
            if not least <= len(sizes) <= len(words):
                raise ValueError(f"{name} takes the sizes {self.sizes}, not {len(sizes)} sizes.")
            for size in sizes:
                check_size(size, f"a size of {name}")
        return {key: _read(f"{key} of {name}", value, self.options[key]) for key, value in options.items()}

    def model(self, name: str, sizes: Sequence[int], options: Mapping[str, Any]) -> Model:
        """The model of these sizes.

        Parameters
        ----------
        name : str
            The family's name, for the errors.
        sizes : sequence of int
            The sizes.
        options : mapping
            The options given, as a recipe holds them in JSON.

        Returns
        -------
        Model
            What ``build`` makes of them.

        Raises
        ------
        TypeError, ValueError
            As ``check``, and of the sizes themselves.

        Examples
        --------
        >>> import clexact
        >>> clexact.models.FAMILIES["conv1d"].model("conv1d", [1, 2, 1], {"kernel": 3})
        Model(conv1d [1, 2, 1], kernel 3, stride 1, length 6, D = 12, output of shape (1, 2))
        """
        read = self.check(name, sizes, options)
        return self.build(*sizes, **read)


def _read(what: str, value: Any, kind: Kind) -> Any:
    """An option as a recipe holds it, in JSON, as the function takes it."""
    if kind is bool and not isinstance(value, bool):
        raise TypeError(f"{what} must be true or false, not {value!r}.")
    if kind is int and value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"{what} must be an integer, not {value!r}.")
    if kind == "ints" and not (isinstance(value, list) and value and all(type(k) is int for k in value)):
        raise TypeError(f"{what} must be a list of one or more integers, not {value!r}.")
    if isinstance(kind, tuple) and value not in kind:
        raise ValueError(one_of(what, value, kind))
    return exact_number(value, what) if kind == "rational" else value
