"""``Theorem``: a count for all sizes, or what of it is proved, and what was not met."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clexact.programs.gates import FREE
from clexact.support.files import write_atomically
from clexact.theorems import counts
from clexact.theorems.conditions import Condition, Domain, Linear, empty, implies, left_over, python, reduced, said
from clexact.theorems.counts import Count


@dataclass(frozen=True)
class Regime:
    """Where one polynomial counts the laws.

    Attributes
    ----------
    domain : tuple of Condition
        All that the proof needs.
    count : dict
        The polynomial.
    """

    domain: Domain
    count: Count

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether these sizes are in it."""
        return all(condition.holds(sizes) for condition in self.domain)


@dataclass(frozen=True)
class Theorem:
    """How many independent laws there are, near a generic start, for all sizes of a domain.

    Each regime is proved by blocks of brackets (``docs/explanation/theorems.md``), and its proof was verified by
    ``proofs/verifier/theorem.py`` before it is here.

    Attributes
    ----------
    title : str
        Of which network and flow.
    letters : tuple of str
        The sizes.
    domain : tuple of Condition
        The sizes asked for.
    regimes : tuple of Regime
        Where a count is proved; they may overlap.
    left : tuple of tuple of Condition
        What of the domain no regime holds.
    missing : tuple of str
        What was not met there.
    assumptions : tuple of str
        What is assumed, as for counts at single sizes.
    document : dict or None
        The certificate, plain data.
    grid : tuple of (dict, int, int)
        Sizes that are left, certified one by one: bounds from below and above.

    Examples
    --------
    >>> import clexact
    >>> theorem = clexact.theorem(clexact.models.linear("n", "r", "m"))
    >>> theorem.proved, theorem.law_count
    (True, 'min(r, m + n)*(2*r - min(r, m + n) + 1)/2')
    >>> theorem.count(n=2, r=3, m=2)
    6
    """

    title: str
    letters: tuple[str, ...]
    domain: Domain
    regimes: tuple[Regime, ...]
    left: tuple[Domain, ...]
    missing: tuple[str, ...]
    assumptions: tuple[str, ...]
    document: dict[str, Any] | None
    grid: tuple[tuple[dict[str, int], int, int], ...] = ()

    @property
    def proved(self) -> bool:
        """Whether all of the domain is covered."""
        return bool(self.regimes) and not self.left

    def count(self, **sizes: int) -> int | None:
        """The number of laws at these sizes, by the theorem; None where it says nothing.

        Parameters
        ----------
        **sizes : int
            A value for each letter.

        Returns
        -------
        int or None
            Exactly so many independent laws.

        Raises
        ------
        TypeError
            If a letter has no integer, or a name is no letter.

        Examples
        --------
        >>> import clexact
        >>> theorem = clexact.theorem(clexact.models.linear("n", "r", "m"))
        >>> theorem.count(n=768, r=12288, m=768)
        17695488
        """
        if sizes.keys() != set(self.letters) or not all(type(k) is int for k in sizes.values()):
            raise TypeError(f"count takes an integer for each of {', '.join(self.letters)}, not {sizes!r}.")
        found = next((regime.count for regime in self.regimes if regime.holds(sizes)), None)
        return None if found is None or min(sizes.values()) < 1 else int(counts.value(found, sizes))

    @property
    def general(self) -> list[tuple[Domain, Count]]:
        """Regimes as their proofs have them, whatever was asked."""
        return [(reduced(regime.domain), regime.count) for regime in self.regimes]

    @property
    def qualification(self) -> str:
        """What the headline must say: " with free gates", or nothing."""
        return f" {FREE}" if any(words.startswith(FREE) for words in self.assumptions) else ""

    @property
    def merged(self) -> list[tuple[Domain, Count]]:
        """Regimes of one count as few domains, without common points if there are several counts."""
        groups: list[tuple[Count, list[Domain]]] = []
        for regime in self.regimes:
            own = next((group for group in groups if group[0] == regime.count), None)
            if own is None:
                groups.append((regime.count, [regime.domain]))
            else:
                own[1].append(regime.domain)
        found: list[tuple[Domain, Count]] = []
        for count, domains in groups:
            whole = self._one_domain(domains, [d for other, ds in groups if other is not count for d in ds])
            found += [(reduced((*whole, *self.domain)), count)] if whole is not None else [
                (reduced((*d, *self.domain)), count) for d in domains
            ]  # fmt: skip
        return found

    def _one_domain(self, domains: Sequence[Domain], others: Sequence[Domain]) -> Domain | None:
        """One set of conditions for a union, if there is such: those of the domain and what parts it from others."""
        cuts: list[Domain] = [(condition.negated(),) for other in others for condition in other]
        for cut in [(), *cuts]:
            if not empty((*cut, *self.domain)) and not left_over((*cut, *self.domain), domains):
                return cut
        return None

    @property
    def law_count(self) -> str | None:
        """One formula for all of the domain, in Python's syntax, with ``min`` or ``if``; None if it is not covered."""
        found = list(dict.fromkeys(counts.written(count) for _, count in self.merged))
        if not self.proved:
            return None
        if len(found) == 1:
            return found[0]
        if len(found) == 2:
            (first, a), (second, b) = ((d, c) for d, c in self._by_count())
            for cut in dict.fromkeys(condition for domain in (*first, *second) for condition in domain):
                low, high = _sides(cut)
                inside = all(implies((*d, *self.domain), (_at_most(low, high),)) for d in first)
                beyond = all(implies((*d, *self.domain), (_at_most(high, low),)) for d in second)
                if inside and beyond and (text := counts.joined(a, b, low, high)):
                    return text
                inside = all(implies((*d, *self.domain), (_at_most(high, low),)) for d in first)
                beyond = all(implies((*d, *self.domain), (_at_most(low, high),)) for d in second)
                if inside and beyond and (text := counts.joined(a, b, high, low)):
                    return text
        return self._conditional()

    def _conditional(self) -> str:
        """The counts with their conditions; where two hold their counts are the same."""
        *first, (_, last) = self.merged
        chain = [f"{counts.written(count)} if {python(where)} else " for where, count in first]
        return "".join(chain) + counts.written(last)

    def _by_count(self) -> list[tuple[list[Domain], Count]]:
        found: list[tuple[list[Domain], Count]] = []
        for regime in self.regimes:
            own = next((group for group in found if group[1] == regime.count), None)
            if own is None:
                found.append(([regime.domain], regime.count))
            else:
                own[0].append(regime.domain)
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain data.

        Returns
        -------
        dict
            ``sizes, where, law_count, regimes, proved``, and what is left of the domain, why, what is assumed, and
            which single sizes were certified.

        Examples
        --------
        >>> import clexact
        >>> clexact.theorem(clexact.models.linear("n", "r", "m"), "n >= r").to_dict()["regimes"]
        [{'where': 'n >= r >= 1 and m >= 1', 'law_count': 'r*(r + 1)/2'}]
        """
        regimes = [(reduced((*regime.domain, *self.domain)), regime.count) for regime in self.regimes]
        return {
            "network": self.title,
            "sizes": list(self.letters),
            "where": python(reduced(self.domain)),
            "law_count": self.law_count,
            "regimes": [{"where": python(where), "law_count": counts.written(count)} for where, count in regimes],
            "proved": self.proved,
            "not_proved": [python(reduced(piece)) for piece in self.left],
            "missing": list(self.missing),
            "assumptions": list(self.assumptions),
            "grid": [{"sizes": sizes, "lower": low, "upper": high} for sizes, low, high in self.grid],
        }

    def to_json(self) -> str:
        """``to_dict`` as one line of JSON.

        Returns
        -------
        str
            One object.

        Examples
        --------
        >>> import clexact
        >>> clexact.theorem(clexact.models.relu("n", "r", "m")).to_json()[:60]
        '{"network": "gradient flow of relu(n, r, m)", "sizes": ["n",'
        """
        return json.dumps(self.to_dict())

    def save(self, path: str | Path) -> None:
        """Write the certificate, which ``clexact verify`` verifies.

        Parameters
        ----------
        path : str or Path
            A file.

        Raises
        ------
        ValueError
            If nothing is proved.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import clexact, pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "theorem.json"
        >>> clexact.theorem(clexact.models.relu("n", "r", "m")).save(file)
        >>> print(clexact.verify(file).status.name)
        VERIFIED
        """
        write_atomically(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """The certificate, as ``save`` writes it.

        Returns
        -------
        bytes
            JSON.

        Raises
        ------
        ValueError
            If nothing is proved.

        Examples
        --------
        >>> import clexact
        >>> clexact.theorem(clexact.models.relu("n", "r", "m")).to_bytes()[:30]
        b'{"format":"clexact-theorem-2",'
        """
        if self.document is None:
            raise ValueError("nothing is proved for all sizes, so there is no certificate.")
        return (json.dumps(self.document, separators=(",", ":")) + "\n").encode()

    def __str__(self) -> str:
        lines = []
        for where, count in self.merged:
            lines.append(f"{_exactly(count)}{self.qualification}, for all {said(where) or 'sizes'}")
        if self.left:
            rest = " or ".join(said(reduced(piece)) for piece in self.left)
            why = f": {self.missing[-1]}" if self.missing else ""
            lines.append(f"not proved for all sizes{f' ({rest})' if self.regimes else ''}{why}")
        for sizes, low, high in self.grid:
            at = ", ".join(f"{name} = {k}" for name, k in sizes.items())
            lines.append(f"  {at}: " + (f"exactly {low}" if low == high else f"{low} to {high}"))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def at_fixed(theorem: Theorem, fixed: Mapping[str, int]) -> Theorem:
    """The same where some letters have values: it speaks of the others."""
    regimes = tuple(
        Regime(tuple(_fixed(c, fixed) for c in r.domain), counts.substituted(r.count, fixed)) for r in theorem.regimes
    )
    domain, left = _kept(theorem.domain, fixed), tuple(_kept(piece, fixed) for piece in theorem.left)
    letters = tuple(letter for letter in theorem.letters if letter not in fixed)
    grid = tuple(({k: v for k, v in sizes.items() if k not in fixed}, a, b) for sizes, a, b in theorem.grid)
    return replace(theorem, letters=letters, regimes=regimes, domain=domain, left=left, grid=grid)


def _kept(domain: Domain, fixed: Mapping[str, int]) -> Domain:
    return tuple(c for c in (_fixed(condition, fixed) for condition in domain) if not c.idle)


def _fixed(condition: Condition, fixed: Mapping[str, int]) -> Condition:
    form = Linear.of({name: c for name, c in condition.form.terms if name not in fixed})
    return Condition(form, condition.bound - sum(c * fixed[name] for name, c in condition.form.terms if name in fixed))


def _exactly(count: Count) -> str:
    text = counts.written(count)
    return (
        "no conservation laws" if text == "0" else f"exactly {text} independent conservation law{'s' * (text != '1')}"
    )


def _sides(condition: Condition) -> tuple[Linear, Linear]:
    """The positive and the negative part of a condition's form."""
    up = Linear(tuple((name, c) for name, c in condition.form.terms if c > 0))
    return up, Linear(tuple((name, -c) for name, c in condition.form.terms if c < 0))


def _at_most(low: Linear, high: Linear) -> Condition:
    return Condition.of(high.plus(low, -1))
