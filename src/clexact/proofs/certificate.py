"""Certificates: the proof of a count as one JSON document, which a verifier checks without the engine.

The document holds the program of a model (``program_certificate.py``); of fields that were given as such, and of few
others, the fields themselves (``fields_certificate.py``). One verifier checks both (``verifier/``).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from clexact import models
from clexact.algebra.linalg import flint_rank
from clexact.counting.count import LawCount
from clexact.flows.dynamics import FLOW_KEYS, rebuild_flow
from clexact.flows.flow import Flow
from clexact.programs.gates import FREE, GENERIC, assumption
from clexact.proofs import fields_certificate, program_certificate
from clexact.proofs.verifier import conversion, large, tiers
from clexact.support.display import facts, lines
from clexact.support.files import read_bytes, write_atomically

MAX_OPTION, MAX_OPTIONS = 64, {"length": 1024}  # integers of a recipe that is rebuilt: tokens, steps, ...


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
        said = " for this data" if cases["scope"] in (large.DATA, large.DATA_NEAR) else ""
        free = f" {FREE}" if cases["scope"] == large.DATA and cases["gates"] else ""
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
        return "program" in self.data

    def to_json(self) -> str:
        """The document in its canonical form: the same certificate gives the same bytes.

        Returns
        -------
        str
            Of ASCII characters.

        Examples
        --------
        >>> import clexact
        >>> import json
        >>> text = clexact.certify(clexact.gradient_flow(clexact.models.product(2))).certificate.to_json()
        >>> json.loads(text)["claim"]["lower"]
        1
        """
        return program_certificate.to_bytes(self.data, compressed=False).decode()

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
        """Read a document, one of the first format too; whether it is true, ``verify`` says.

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
        try:
            document = read_document(_opened(path))
            large.Checker(document)
        except large.NotACertificate as error:
            raise ValueError(f"{path}: not a certificate: {error}.") from None
        except large.Untrue as error:
            raise ValueError(f"{path}: not a sound certificate: {error}.") from None
        return cls(document)


def _opened(path: str | Path) -> bytes:
    """The bytes of a file, decompressed if a verifier would; OSError if it cannot be read."""
    data = read_bytes(path)
    try:
        return large.unpacked(data)
    except large.NotACertificate:
        return data  # which the verifiers refuse too, and say why


def read_document(data: bytes) -> dict[str, Any]:
    """The document in the present format; NotACertificate for what is none."""
    document: dict[str, Any] = large.read(conversion.current(data))
    return document


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
        return large.SEVERITY.index(self.value)


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
    1 law is conserved by all fields: exact identities of polynomials
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
    compared, comparison = _compared(read_document(data))
    return Verdict(compared, (*sentences, comparison))


def _compared(document: Mapping[str, Any]) -> tuple[VerdictStatus, str]:
    """Whether a document is about the model that it describes, made anew; in words."""
    recipe, assumed = dict(document["model"]), "; ".join(map(str, document["assumptions"]))
    description, options = recipe.pop("description", None), {key: recipe.pop(key) for key in FLOW_KEYS if key in recipe}
    if not recipe and description == fields_certificate.description_of(document):
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


def same_flow(document: Mapping[str, Any], flow: Flow) -> bool:
    """Whether a document is about the fields, or the program, and the assumptions of a flow."""
    if "fields" in document:
        return fields_certificate.same_fields(document, flow)
    return flow.gradients is not None and program_certificate.same_program(document, flow)


def check_small(recipe: Mapping[str, Any], dimension: int) -> None:
    """ValueError for sizes that no model of this dimension has, or for options too large, before anything is built."""
    sizes = recipe.get("sizes")
    whole = sizes if isinstance(sizes, list) and all(type(n) is int for n in sizes) else []
    if len(whole) > dimension + 1 or any(n > dimension for n in whole):
        raise ValueError(f"its sizes are too large for D = {dimension}.")
    for option, value in recipe.items():
        if type(value) is int and value > MAX_OPTIONS.get(option, MAX_OPTION):
            raise ValueError(f"{option} = {value} is more than is rebuilt.")


def certificate_of(count: LawCount) -> Certificate:
    """The certificate of a count: with the program of its model where it can be, else with the fields.

    Fields are listed where they were given as such, where brackets are deep but small polynomials, and where the
    bound from below is that of a single field.

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
        If neither can be: a lower bound by closure needs polynomial fields, deep brackets short recipes.

    Examples
    --------
    >>> import clexact
    >>> certificate_of(clexact.certify(clexact.gradient_flow(clexact.models.product(2))))
    Certificate(gradient flow of product 2, exactly 1 law)
    """
    fields_certificate.check_listable(count.flow)
    if count.flow.lifted and not count.closure.generic:
        count = replace(count, closure=program_certificate.dense_closure(count))
    by_program = program_certificate.fits(count) or not fields_certificate.fits(count)
    return Certificate((program_certificate if by_program else fields_certificate).of_count(count))


LawCount.prover = certificate_of
