"""Certificates: the proof of a count as one JSON document, which a verifier checks without the engine.

There are two kinds. Where the witnesses are sparse, or the expanded fields too many, the document holds the program
(``program_certificate.py``, ``program_verifier.py``). Else the fields are explicit (``verifier.py``), and the brackets
are chosen anew as short recipes (brackets of single fields, or of few), at the count's point and prime, until their
ranks are those of the count: anyone can recompute them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words, flint_rank
from clexact.algebra.polynomial import written
from clexact.algebra.terms import Terms, largest
from clexact.counting.count import IndependenceWitness, LawCount
from clexact.counting.memory import dense_bytes, over_limit
from clexact.flows.dynamics import FLOW_KEYS, rebuild_flow
from clexact.flows.flow import FieldsFlow, Flow, explicit_fields
from clexact.lie.brackets import ExplicitWitness
from clexact.lie.closure import ClosureStatus, DenseSpanBuilder, LieClosure, closure_of, values_at
from clexact.programs.gates import FREE, GENERIC, assumption
from clexact.proofs import program_certificate, program_verifier, tiers, verifier
from clexact.proofs.cases import scope_of
from clexact.support.display import facts, lines
from clexact.support.errors import RANK_BITS
from clexact.support.files import read_bytes, write_atomically
from clexact.support.version import __version__

MAX_TERMS = 10**6  # of the expanded fields
MAX_OPTION, MAX_OPTIONS = 64, {"length": 1024}  # integers of a recipe that is rebuilt: tokens, steps, ...
BATCH = 64  # recipes tried at a time
WIDTHS = (1, 1, 2, 4, 16, 64)  # fields combined in each member, tried in turn
LARGEST_WEIGHT = 9  # of a field in a combination
LONG, MAX_WRITTEN_POWER = 10**1000, 10**9  # numbers and powers from which what is written is read before, to be sure
IDLE = 3  # batches without progress before members get wider

Recipe = tuple[tuple[tuple[int, int], ...], ...]  # for each member X_0, X_1, ...: ((field, coefficient), ...)


@dataclass(frozen=True, repr=False)
class Certificate:
    """A count's proof as plain data (``docs/certificate.md``), to save, load and verify.

    Attributes
    ----------
    data : mapping
        The document, of types of JSON.

    Examples
    --------
    >>> import clexact
    >>> count = clexact.certify(clexact.gradient_flow(clexact.models.linear([4, 3, 5])))
    >>> count.certificate
    Certificate(gradient flow of linear [4, 3, 5], exactly 6 laws)
    >>> clexact.verify(count.certificate).status.name
    'VERIFIED'
    """

    data: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Certificate({self.data['model'].get('description', 'explicit fields')}, {self._claim})"

    @property
    def _claim(self) -> str:
        """The bounds, and how the lower one is known where it is not proved."""
        lower, upper, evidence = (self.data["claim"][key] for key in ("lower", "upper", "lower_evidence"))
        number = f"exactly {upper}" if lower == upper else f"at least {lower}, at most {upper}"
        return f"{number} law{'s' * (upper != 1)}{self._scope}" + (f", {evidence}" if evidence != "proved" else "")

    @property
    def _scope(self) -> str:
        """Of which inputs, starts and gates it speaks, where not of all."""
        cases = self.data.get("cases")
        if cases is None:
            return f" {FREE}" if any(FREE in words for words in self.data["assumptions"]) else ""
        said = " for this data" if cases["scope"] in (program_verifier.DATA, program_verifier.DATA_NEAR) else ""
        free = f" {FREE}" if cases["scope"] == program_verifier.DATA and cases["gates"] else ""
        return f"{said}{free}" + " near this start" * (cases["start"] is not None)

    def _repr_html_(self) -> str:
        what = "the program of the model" if self.of_program else "the fields, laws and brackets"
        claim, size = self.data["claim"], len(self.to_bytes())
        pairs = {
            "of": self.data["model"].get("description"),
            "at least": f"{claim['lower']} ({claim['lower_evidence']})",
            "at most": f"{claim['upper']} ({claim['upper_evidence']})",
            "assuming": lines(self.data["assumptions"]),
            "cases": self._cases,
            "holds": f"{what}, {size:,} bytes ({self.data['format']})",
            "to do": "save(path); clexact.verify(path) or this certificate",
        }
        return facts(f"Certificate: {self._claim}, D = {self.data['dimension']}", pairs)

    @property
    def _cases(self) -> str | None:
        """The inputs, gates and start that it holds, in words."""
        if (cases := self.data.get("cases")) is None:
            return None
        count = len(next(iter([*cases["inputs"].values(), *cases["open"].values()])))
        gates = ", the gates read there at the start" if cases["open"] else ""
        return f"{cases['scope']}: {count} inputs{gates}"

    @property
    def of_program(self) -> bool:
        """Whether the document holds the program instead of the fields."""
        return bool(self.data["format"] == program_verifier.FORMAT)

    def to_json(self) -> str:
        """The document in its canonical form: the same certificate gives the same bytes.

        Returns
        -------
        str
            Of ASCII characters.

        Examples
        --------
        >>> import clexact
        >>> text = clexact.certify(clexact.gradient_flow(clexact.models.product(2))).certificate.to_json()
        >>> json.loads(text)["claim"]["lower"]
        1
        """
        if self.of_program:
            return program_certificate.to_bytes(self.data, compressed=False).decode()
        return json.dumps(self.data, indent=1, ensure_ascii=True) + "\n"

    def to_bytes(self, compressed: bool = False) -> bytes:
        """The canonical document as bytes.

        Parameters
        ----------
        compressed : bool
            Whether by gzip.

        Returns
        -------
        bytes
            The same for the same certificate.

        Examples
        --------
        >>> import clexact
        >>> certificate = clexact.certify(clexact.gradient_flow(clexact.models.product(2))).certificate
        >>> gzip.decompress(certificate.to_bytes(compressed=True)) == certificate.to_bytes()
        True
        """
        return gzip.compress(self.to_json().encode(), mtime=0) if compressed else self.to_json().encode()

    def save(self, path: str | Path) -> None:
        """Write the document; a crash or a full disk leaves the old file or none.

        Parameters
        ----------
        path : str or Path
            The file; it is compressed if its name ends in .gz.

        Raises
        ------
        OSError
            If it cannot be written.

        Examples
        --------
        >>> import clexact, tempfile
        >>> certificate = clexact.certify(clexact.gradient_flow(clexact.models.product(2))).certificate
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     certificate.save(path := Path(folder, "product.json.gz"))
        ...     Certificate.load(path) == certificate, bool(clexact.verify(path))
        (True, True)
        """
        write_atomically(Path(path), self.to_bytes(compressed=Path(path).suffix == ".gz"))

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Read a document; whether it is true, ``verify`` says.

        Parameters
        ----------
        path : str or Path
            The file, compressed by gzip or not.

        Returns
        -------
        Certificate
            The document, not yet verified.

        Raises
        ------
        ValueError
            If it has not the form of a certificate.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> import clexact, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "product.json")
        ...     clexact.certify(clexact.gradient_flow(clexact.models.product(2))).certificate.save(path)
        ...     Certificate.load(path)
        Certificate(gradient flow of product 2, exactly 1 law)
        """
        data = _opened(path)
        reader: Any = program_verifier if tiers.holds_program(data) else verifier
        try:
            document = (
                program_verifier.read(data) if reader is program_verifier else verifier.read_json(tiers.text_of(data))
            )
            reader.Checker(document)
        except reader.NotACertificate as error:
            raise ValueError(f"{path}: not a certificate: {error}.") from None
        except reader.Untrue as error:
            raise ValueError(f"{path}: not a sound certificate: {error}.") from None
        return cls(document)


def _opened(path: str | Path) -> bytes:
    """The bytes of a file, decompressed if a verifier would; OSError if it cannot be read."""
    data = read_bytes(path)
    try:
        return program_verifier.unpacked(data)
    except program_verifier.NotACertificate:
        return data  # which the verifiers refuse too, and say why


class VerdictStatus(Enum):
    """What a verification found; the value is the exit status of ``clexact verify``.

    UNDECIDED: no item is found false, but the rest takes more work than the verifier does.

    Examples
    --------
    >>> {status.name: status.value for status in VerdictStatus}
    {'VERIFIED': 0, 'FALSE': 1, 'NOT_A_CERTIFICATE': 2, 'UNDECIDED': 3}
    """

    VERIFIED = 0
    FALSE = 1
    NOT_A_CERTIFICATE = 2
    UNDECIDED = 3

    @property
    def severity(self) -> int:
        """Its place from good to bad: of several verdicts the worst gives the exit status."""
        return verifier.SEVERITY.index(self.value)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a verification; true if it is VERIFIED.

    Attributes
    ----------
    status : VerdictStatus
        What was found.
    sentences : tuple of str
        In words what was verified and, last, what was not.

    Examples
    --------
    >>> import clexact
    >>> count = clexact.certify(clexact.gradient_flow(clexact.models.product(2)))
    >>> verdict = verify(count.certificate)
    >>> bool(verdict), verdict.status.name
    (True, 'VERIFIED')
    >>> print(verdict.sentences[0])
    1 polynomials are conserved by all 1 fields: exact identities
    """

    status: VerdictStatus
    sentences: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.status is VerdictStatus.VERIFIED

    def _repr_html_(self) -> str:
        return facts(self.status.name.lower().replace("_", " "), {"": lines(self.sentences)})

    def __str__(self) -> str:
        return "\n  ".join([self.status.name.lower().replace("_", " "), *self.sentences])


def verify(source: Certificate | str | Path, *, rebuild: bool = False, fast: bool = False) -> Verdict:
    """Verify a certificate, or the file at a path, with a verifier that uses nothing of the engine.

    It is a proof about the fields or the program listed.

    Parameters
    ----------
    source : Certificate, str or Path
        The document, or its file.
    rebuild : bool
        Whether the fields or the program are also made anew from the model's description, by the engine, and compared
        (UNDECIDED for a model that is not of the library).
    fast : bool
        Whether ranks are computed by FLINT, not by the verifier's own elimination; all else is the same.

    Returns
    -------
    Verdict
        What was verified, in words.

    Raises
    ------
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import clexact
    >>> certificate = clexact.certify(clexact.gradient_flow(clexact.models.product(2))).certificate
    >>> bool(verify(certificate))
    True
    >>> claim = {**certificate.data["claim"], "lower": 2, "upper": 2}
    >>> verify(Certificate({**certificate.data, "claim": claim})).status.name
    'FALSE'
    """
    data = source.to_bytes() if isinstance(source, Certificate) else _opened(source)
    return verify_bytes(data, rebuild=rebuild, fast=fast)


def verify_bytes(data: bytes, *, rebuild: bool = False, fast: bool = False) -> Verdict:
    """The same for the text of a document."""
    status, sentences = tiers.verify_bytes(data, flint_rank if fast else None)
    if status:
        return Verdict(VerdictStatus(status), tuple(sentences))
    if tiers.holds_theorem(data):  # which is about the network written in it, and has no model to be made anew
        return Verdict(VerdictStatus.VERIFIED, tuple(sentences))
    *sentences, subject = sentences
    if not rebuild:
        return Verdict(VerdictStatus.VERIFIED, (*sentences, f"{subject} (--rebuild does)"))
    compared, comparison = _compared(program_verifier.read(data))
    return Verdict(compared, (*sentences, comparison))


def _compared(document: Mapping[str, Any]) -> tuple[VerdictStatus, str]:
    """Whether a document is about the model that it describes, made anew; in words."""
    recipe, assumed = dict(document["model"]), "; ".join(map(str, document["assumptions"]))
    description, options = recipe.pop("description", None), {key: recipe.pop(key) for key in FLOW_KEYS if key in recipe}
    if not recipe and description == _explicit(document):
        return VerdictStatus.VERIFIED, f"the fields listed are what it is about; assuming: {assumed}"
    if not recipe:
        unknown = f"undecided: {description!a:.200} is no model of the library, so it cannot be made anew"
        return VerdictStatus.UNDECIDED, unknown
    try:
        check_small(recipe, document["dimension"])
        flow = rebuild_flow(models.rebuild(recipe), options)
    except (TypeError, ValueError) as error:
        return VerdictStatus.FALSE, f"FALSE: the model cannot be rebuilt: {error}"
    if "cases" in document and flow.gradients is not None:
        if description != flow.description or not program_certificate.same_source(document, flow):
            return VerdictStatus.FALSE, f"FALSE: not the {flow.description}"
        return (
            VerdictStatus.VERIFIED,
            f"program and gates are those of the {flow.description}; assuming: {_assumed(document, flow)}",
        )
    if description != flow.description or not same_flow(document, flow):
        return VerdictStatus.FALSE, f"FALSE: not the {flow.description}"
    what = "fields are those" if "fields" in document else "program is that"
    return VerdictStatus.VERIFIED, f"the {what} of the {flow.description}; assuming: {assumed}"


def _assumed(document: Mapping[str, Any], flow: Flow) -> str:
    """What a document with cases takes for granted: of gates and the start nothing where it reads them."""
    assert flow.gradients is not None
    model, reading = flow.gradients.model, flow.gradients.reading
    if document["cases"]["start"] is not None:
        instead = {reading: "", GENERIC: ""}
    else:  # at given inputs gates may be fewer than at all
        instead = {reading: assumption(model.program, model.probes)} if model.program.gates else {}
    return "; ".join(filter(None, (instead.get(words, words) for words in flow.assumptions)))


def _explicit(document: Mapping[str, Any]) -> str | None:
    """The description that a flow of the fields listed has."""
    if "fields" not in document:
        return None
    return explicit_fields(len(document["fields"]["components"]), document["dimension"])


def _same_fields(document: Mapping[str, Any], flow: Flow) -> bool:
    """Whether a document is about the fields and the assumptions of a flow."""
    mine = _written_fields(flow.fields.in_lowest_terms()), program_certificate.assumptions_of(flow)
    return mine == (document["fields"], document["assumptions"])


def same_flow(document: Mapping[str, Any], flow: Flow) -> bool:
    """Whether a document is about the fields, or the program, and the assumptions of a flow."""
    if document["format"] == program_verifier.FORMAT:
        return flow.gradients is not None and program_certificate.same_program(document, flow)
    small = flow.dimension == document["dimension"] and flow.expanded_size <= MAX_TERMS
    return small and _same_fields(document, flow)


def check_small(recipe: Mapping[str, Any], dimension: int) -> None:
    """ValueError for sizes that no model of this dimension has, or for options too large, before anything is built."""
    sizes = recipe.get("sizes")
    whole = sizes if isinstance(sizes, list) and all(type(n) is int for n in sizes) else []
    if len(whole) > dimension + 1 or any(n > dimension for n in whole):
        raise ValueError(f"its sizes are too large for D = {dimension}.")
    for option, value in recipe.items():
        if type(value) is int and value > MAX_OPTIONS.get(option, MAX_OPTION):
            raise ValueError(f"{option} = {value} is more than is rebuilt.")


def check_listable(flow: Flow) -> None:
    """ValueError if a certificate of a flow cannot list its fields, and no program stands for them.

    They have too many terms, or numbers longer than the verifier reads.
    """
    if scope_of(flow):
        return
    if flow.expanded_size > MAX_TERMS and not flow.analytic and flow.plain_gradients is None:
        raise ValueError(
            f"the certificate of {flow.description} would list {flow.expanded_size} terms, over {MAX_TERMS}."
        )
    given = flow.given_fields
    if given is not None and _long(given.terms):
        _check_readable(_written_fields(given.in_lowest_terms()), [])


def _long(terms: Terms) -> bool:
    """Whether there are numbers or powers that the verifier might not read."""
    return bool(largest(terms.coef) >= LONG or terms.power.max(initial=0) >= MAX_WRITTEN_POWER)


def _check_readable(fields: Mapping[str, Any], laws: Sequence[str]) -> None:
    """ValueError where the verifier would not read fields or laws, saying what is too long for it."""
    places = {name: j for j, name in enumerate(fields["variables"])}
    components = [(f"field {i}", parts) for i, parts in enumerate(fields["components"])]
    try:
        for what, parts in components + [(f"law {n}", {"": law}) for n, law in enumerate(laws)]:
            texts = enumerate(parts.values())
            verifier.cleared({j: verifier.polynomial(text, places, what) for j, text in texts})
    except verifier.NotACertificate as error:
        most = f"numbers of at most {verifier.MAX_DIGITS} digits and powers below 10^9"
        raise ValueError(f"no certificate can be made: {error}; the verifier reads {most}.") from None


def certificate_of(count: LawCount) -> Certificate:
    """The certificate of a count: by its program where its witnesses are sparse or its fields too many to be listed.

    Parameters
    ----------
    count : LawCount
        What is to be proved.

    Returns
    -------
    Certificate
        As ``count.certificate`` keeps it.

    Raises
    ------
    ValueError
        If neither does: a lower bound by closure needs the fields, and short recipes of the brackets.

    Examples
    --------
    >>> import clexact
    >>> certificate_of(clexact.certify(clexact.gradient_flow(clexact.models.product(2))))
    Certificate(gradient flow of product 2, exactly 1 law)
    """
    check_listable(count.flow)
    if count.flow.lifted and not count.closure.generic:
        count = replace(count, closure=_dense_closure(count))
    if scope_of(count.flow) or not count.closure.generic or count.flow.expanded_size > MAX_TERMS:
        return Certificate(program_certificate.of_count(count))
    fields, closure = count.flow.fields.in_lowest_terms(), count.closure
    polynomials = count.laws.polynomials()
    written, laws = _written_fields(fields), [str(h) for h in polynomials]
    if _long(fields.terms) or _long(polynomials.terms):
        _check_readable(written, laws)
    recipes = find_recipes(fields, closure, count.seed)
    data = {
        "format": verifier.FORMAT,
        "version": __version__,
        "sha256": verifier.canonical_hash(fields.dimension, written),
        "model": {"description": count.description, **count.flow.recipe},
        "assumptions": program_certificate.assumptions_of(count.flow),
        "dimension": fields.dimension,
        "fields": written,
        "laws": laws,
        "independence": {**_place(count.shown), "laws": list(count.shown.laws), "rank": count.exhibited},
        "lie": {**_place(closure), **_nodes(recipes), "ranks": list(closure.dims)},
        "closure": {"kind": _closure_kind(count)},
        "claim": {
            "lower": count.lower,
            "lower_evidence": f"closed with error <= 2^-{verifier.ERROR_BITS}" if count.error else "proved",
            "upper": count.upper,
            "upper_evidence": "proved",
        },
    }
    return Certificate(data)


def _dense_closure(count: LawCount) -> LieClosure:
    """Brackets of the flow itself at a generic point, where the rank was found by those of its gradients alone."""
    flow = count.flow
    if excess := over_limit(dense_bytes(flow), "a certificate", None):
        raise ValueError(f"{excess}: it needs dense brackets of {flow.description}.")
    draws = flow.draws(count.seed)
    prime = flow.draw_prime(draws, RANK_BITS)
    growth = DenseSpanBuilder(flow, flow.draw_point(draws, prime), prime)
    growth.run(flow, count.dimension - count.exhibited, None, draws, stop_at_stall=True, progress=None)
    if growth.form.rank != count.closure.rank:
        raise ValueError(f"dense brackets have rank {growth.form.rank}, not {count.closure.rank}; take another seed.")
    return closure_of(flow, growth, count.closure.status, count.closure.error, count.seed, generic=True)


def _place(proved: IndependenceWitness | LieClosure) -> dict[str, Any]:
    return {"prime": str(proved.prime), "point": [str(c) for c in proved.point]}


def _closure_kind(count: LawCount) -> str:
    if count.lower == count.exhibited:
        return "none"
    return "random points" if count.closure.status is ClosureStatus.CLOSED else "one field"


def _written_fields(fields: VectorFields) -> dict[str, Any]:
    """{variables, components}: for each field, its nonzero components as text."""
    terms, D = fields.terms, fields.dimension
    bounds = np.append(np.flatnonzero(np.diff(terms.owner, prepend=-1)), len(terms)).tolist()
    components: list[dict[str, str]] = [{} for _ in range(len(fields))]
    for first, last in pairwise(bounds):
        i, j = divmod(int(terms.owner[first]), D)
        coefs = [Fraction(int(c), fields.denominators[i]) for c in terms.coef[first:last]]
        sparse = {terms.monomial(t): c for t, c in zip(range(first, last), coefs, strict=True)}
        components[i][fields.variables[j]] = written(sparse, fields.variables)
    return {"variables": list(fields.variables), "components": components}


def find_recipes(fields: VectorFields, closure: LieClosure, seed: int) -> list[Recipe]:
    """Nested brackets of few fields each whose values at the point have rank ``closure.dims[k]`` for depth at most k.

    Explicit witnesses are such brackets, which share those inside them, so that the document is short.
    """
    known = [_of_single_fields(witness) for witness in closure.witnesses if isinstance(witness, ExplicitWitness)]
    chosen = [recipe for recipes in known for recipe in recipes]
    if len(chosen) == closure.rank:
        return chosen
    draws, form = Draws(seed), Echelon(fields.dimension, closure.prime)
    prime, place = closure.prime, np.array([int(c) for c in closure.point], dtype=np.uint64)
    known_depth = len(known[-1][0]) - 1 if known else 0  # the first level that may have others
    for recipes in known:
        form.add(_recipe_values(fields, recipes, place, prime))
    for depth, target in list(enumerate(closure.dims))[known_depth:]:
        for width in WIDTHS:
            idle = 0
            while form.rank < target and idle < IDLE:
                recipes = _draw_recipes(draws, len(fields), depth, width)
                fresh = form.add(_recipe_values(fields, recipes, place, prime))[: len(recipes)]
                chosen += [recipe for recipe, kept in zip(recipes, fresh, strict=True) if kept]
                idle = 0 if fresh.any() else idle + 1
        if form.rank != target:
            raise ValueError(f"no short recipes of brackets with rank {target} were found; take another seed.")
    return chosen


def _of_single_fields(witness: ExplicitWitness) -> list[Recipe]:
    """The recipes of brackets [X_i, [X_j, ...]]."""
    return [tuple(((i, 1),) for i in numbers) for numbers in witness.numbers.T.tolist()]


def _draw_recipes(draws: Draws, count: int, depth: int, width: int) -> list[Recipe]:
    shape = BATCH, depth + 1, width
    chosen = draws.residues(shape, count).tolist()
    weights = (
        (draws.residues(shape, LARGEST_WEIGHT) + np.uint64(1)).tolist() if width > 1 else np.ones(shape, int).tolist()
    )

    def member(fields: list[int], coefficients: list[int]) -> tuple[tuple[int, int], ...]:
        return tuple(sorted(dict(zip(fields, coefficients, strict=True)).items()))

    return [tuple(map(member, *pair)) for pair in zip(chosen, weights, strict=True)]


def _recipe_values(fields: VectorFields, recipes: list[Recipe], point: Words, prime: int) -> Words:
    """Values of the recipes, by the engine's jets on the few fields that they name."""
    used = sorted({i for recipe in recipes for member in recipe for i, _ in member})
    place = {i: n for n, i in enumerate(used)}
    seeds = np.zeros((len(recipes[0]), len(recipes), len(used)), dtype=np.uint64)
    for n, recipe in enumerate(recipes):
        for k, member in enumerate(recipe):
            for i, c in member:
                seeds[k, n, place[i]] = c
    return values_at(FieldsFlow(fields.select(used)), seeds, point, prime)


def _nodes(recipes: list[Recipe]) -> dict[str, Any]:
    """The recipes as a list of nodes: combinations of fields, and brackets of earlier nodes; equal ones once."""
    numbers: dict[Any, int] = {}
    nodes: list[dict[str, Any]] = []

    def number(key: Any, node: dict[str, Any]) -> int:
        if key not in numbers:
            numbers[key] = len(nodes)
            nodes.append(node)
        return numbers[key]

    basis = []
    for recipe in recipes:
        inner = -1
        for member in reversed(recipe):
            outer = number(member, {"combination": {str(i): str(c) for i, c in member}})
            inner = outer if inner < 0 else number((outer, inner), {"bracket": [outer, inner]})
        basis.append(inner)
    return {"nodes": nodes, "basis": basis}


LawCount.prover = certificate_of
