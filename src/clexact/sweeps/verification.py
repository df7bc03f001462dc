"""Every certificate of a store is verified, and compared with the row that it stands in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from clexact.flows.choices import FamilyModel, PythonModel
from clexact.flows.flow import Flow
from clexact.flows.near import near_start
from clexact.proofs.certificate import Verdict, VerdictStatus, check_small, read_document, same_flow, verify_bytes
from clexact.proofs.verifier import large
from clexact.support.extras import needed
from clexact.sweeps.case import Case
from clexact.sweeps.certified import Row, near_columns
from clexact.sweeps.store import Store

PAGE = 1000  # rows that are listed at a time
NOT_RUN = "the model is in the user's Python file, which is run only when the fields are to be rebuilt"


@dataclass(frozen=True)
class Checked:
    """What was found on the certificate of a row."""

    key: str
    label: str
    verdict: Verdict


def verify_store(path: str | Path, *, rebuild: bool = False, fast: bool = False, jobs: int = 1) -> Iterator[Checked]:
    """The verdicts on all certificates, of all engines, as they come; each process holds one certificate at a time.

    Beside what ``verify`` checks, the key, the bounds, the dimension and the model must be those of the row and its
    case. With ``rebuild``, so must the fields or the program: this runs the Python files that cases hold.

    ValueError or StoreError for what is no store, ImportError if several jobs want joblib, ChildProcessError if one of
    their processes was killed.
    """
    check = partial(_verify_in_worker, Path(path), rebuild, fast)
    with Store(path, write=False) as store:
        if jobs == 1:
            yield from filter(None, (_verify(store, rebuild, fast, *row) for row in _listed(store)))
            return
        joblib = needed("joblib", "sweep", "several jobs need")
        parallel = joblib.Parallel(jobs, return_as="generator_unordered")
        try:
            yield from filter(None, parallel(joblib.delayed(check)(*row) for row in _listed(store)))
        except BrokenProcessPool:
            raise ChildProcessError(
                "a process was killed as it verified (too little memory?); try fewer jobs."
            ) from None


def _listed(store: Store) -> Iterator[tuple[str, str]]:
    """Key and label of the rows with a certificate, by pages: one long read would let the log of a writer grow."""
    last, what = 0, "key, label, written"
    where, rest = "certificate_sha256 IS NOT NULL AND written > {}", f"ORDER BY written LIMIT {PAGE}"
    while page := list(store.select(what, where.format(last), rest, all_engines=True)):
        yield from (row[:2] for row in page)
        last = page[-1][2]


def _verify_in_worker(path: Path, rebuild: bool, fast: bool, key: str, label: str) -> Checked | None:
    return _verify(_opened(path), rebuild, fast, key, label)


@lru_cache(1)
def _opened(path: Path) -> Store:
    """The store, as long as the worker lives."""
    return Store(path, write=False)


def _verify(store: Store, rebuild: bool, fast: bool, key: str, label: str) -> Checked | None:
    """The verdict on the certificate of a row; None if a sweep has replaced the row by one without."""
    try:
        row = store.row(key)
        if row is None or row.certificate is None:
            return None
        data = large.unpacked(row.certificate)
    except (ValueError, large.NotACertificate) as error:
        return Checked(key, label, Verdict(VerdictStatus.NOT_A_CERTIFICATE, (f"not a certificate: {error}",)))
    verdict = verify_bytes(data, fast=fast)
    if verdict:
        try:
            agreement = _agreement(read_document(data), row, rebuild)
        except _DisagreementError as error:
            verdict = Verdict(VerdictStatus.FALSE, (*verdict.sentences, f"FALSE: {error}"))
        else:
            verdict = Verdict(VerdictStatus.VERIFIED, (*verdict.sentences, agreement))
    return Checked(key, label, verdict)


class _DisagreementError(Exception):
    """A true certificate that is not that of its row."""


def _agreement(document: Mapping[str, Any], row: Row, rebuild: bool) -> str:
    """In words, what a certificate and its row agree on; _DisagreementError where they do not."""
    shown = _agreed_bounds(document, row)
    try:
        case = Case.from_dict(json.loads(row.case))
        if case.key(row.engine) != row.key:
            raise _DisagreementError("the key of the row is not that of its case and engine")
        if isinstance(case.model, PythonModel) and not rebuild:
            return f"the bounds and the dimension are those of the row; {NOT_RUN}{shown}"
        if isinstance(case.model, FamilyModel):
            check_small({"sizes": list(case.model.sizes), **dict(case.model.options)}, document["dimension"])
        flow = case.flow()
        if (start := case.parameters(flow)) is not None:
            flow = near_start(flow, start, seed=case.seed)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _DisagreementError(f"the case of the row cannot be read: {error}") from None
    rebuilt = rebuild or not flow.recipe or case.near is not None or "cases" in document  # of which recipes say nothing
    if not (same_flow(document, flow) if rebuilt else _same_recipe(document["model"], flow)):
        raise _DisagreementError(f"the certificate is not about the case of its row, the {flow.description}")
    for name, value in {"scope": flow.scope, **near_columns(flow)}.items():
        if getattr(row, name) != value:
            raise _DisagreementError(f"the row says {name} = {getattr(row, name)!r}, its case {value!r}")
    what = "fields" if "fields" in document else "program"
    return f"the row has the same bounds, dimension and {what if rebuilt else 'model'}{shown}"


def _agreed_bounds(document: Mapping[str, Any], row: Row) -> str:
    """What the certificate proves less than the row states, in words, or nothing; _DisagreementError for other bounds.

    Near a start and on data a certificate proves the polynomial laws shown alone, and how it excludes other gates is
    its own.
    """
    claim, cases = document["claim"], "cases" in document
    known = "exhibited" if cases else "lower"
    for name, value in (("dimension", document["dimension"]), (known, claim["lower"]), ("upper", claim["upper"])):
        if getattr(row, name) != value:
            raise _DisagreementError(f"the row says {name} = {getattr(row, name)}, its certificate {value}")
    if row.lower is None or not claim["lower"] <= row.lower <= claim["upper"]:
        raise _DisagreementError(f"the row says lower = {row.lower}, its certificate {claim['lower']}")
    if not cases and (row.error == "0") != (claim["lower_evidence"] == "proved"):
        raise _DisagreementError(f"the row says error = {row.error}, its certificate: {claim['lower_evidence']}")
    return f"; of the {row.lower} laws it proves {claim['lower']}" if row.lower > claim["lower"] else ""


def _same_recipe(model: Mapping[str, Any], flow: Flow) -> bool:
    """Whether a document describes the model and the flow."""
    mine = json.dumps({"description": flow.description, **flow.recipe})
    return bool(model == json.loads(mine))
