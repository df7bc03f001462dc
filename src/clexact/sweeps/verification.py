"""Every certificate of a store is verified, and compared with the row that it stands in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from clexact import program_verifier
from clexact.certificate import Verdict, VerdictStatus, check_small, same_flow, verify_bytes
from clexact.choices import FamilyModel, PythonModel
from clexact.flow import Flow
from clexact.sweeps.case import Case
from clexact.sweeps.store import Store

COMPARED = ("key", "engine", "label", "case", "dimension", "lower", "upper", "error")  # columns
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

    ValueError or StoreError for what is no store, ImportError if several jobs want joblib.
    """
    check = partial(_verify_in_worker, Path(path), rebuild, fast)
    with Store(path, write=False) as store:
        rows = store.rows("certificate_sha256 IS NOT NULL", COMPARED, all_engines=True)
        if jobs == 1:
            yield from (verify_row(store, row, rebuild, fast) for row in rows)
            return
        try:
            from joblib import Parallel, delayed
        except ImportError:
            raise ImportError("several jobs need joblib: pip install 'clexact[sweep]'.") from None
        yield from Parallel(jobs, return_as="generator_unordered")(delayed(check)(row) for row in rows)


def _verify_in_worker(path: Path, rebuild: bool, fast: bool, row: Mapping[str, Any]) -> Checked:
    return verify_row(_opened(path), row, rebuild, fast)


@lru_cache(1)
def _opened(path: Path) -> Store:
    """The store, as long as the worker lives."""
    return Store(path, write=False)


def verify_row(store: Store, row: Mapping[str, Any], rebuild: bool = False, fast: bool = False) -> Checked:
    """The verdict on the certificate of a row."""
    return Checked(row["key"], row["label"], _verdict(store, row, rebuild, fast))


def _verdict(store: Store, row: Mapping[str, Any], rebuild: bool, fast: bool) -> Verdict:
    try:
        data = program_verifier.unpacked(store.certificate(row["key"]))
    except (ValueError, program_verifier.NotACertificate) as error:
        return Verdict(VerdictStatus.NOT_A_CERTIFICATE, (f"not a certificate: {error}",))
    verdict = verify_bytes(data, fast=fast)
    if not verdict:
        return verdict
    wrong, said = _compare(program_verifier.read(data), row, rebuild)
    if wrong:
        return Verdict(VerdictStatus.FALSE, (*verdict.sentences, f"FALSE: {wrong}"))
    return Verdict(VerdictStatus.VERIFIED, (*verdict.sentences, said))


def _compare(document: Mapping[str, Any], row: Mapping[str, Any], rebuild: bool) -> tuple[str, str]:
    """What does not agree between a certificate and its row, in words, and what does."""
    claim = document["claim"]
    stated = {
        "dimension": document["dimension"],
        "lower": claim["lower"],
        "upper": claim["upper"],
    }
    for name, value in stated.items():
        if row[name] != value:
            return f"the row says {name} = {row[name]}, its certificate {value}", ""
    if (row["error"] == "0") != (claim["lower_evidence"] == "proved"):
        return f"the row says error = {row['error']}, its certificate: {claim['lower_evidence']}", ""
    try:
        case = Case.from_dict(json.loads(row["case"]))
        if case.key(row["engine"]) != row["key"]:
            return "the key of the row is not that of its case and engine", ""
        if isinstance(case.model, PythonModel) and not rebuild:
            return "", f"the bounds and the dimension are those of the row; {NOT_RUN}"
        if isinstance(case.model, FamilyModel):
            check_small({"sizes": list(case.model.sizes), **dict(case.model.options)}, row["dimension"])
        flow = case.flow()
    except (ValueError, TypeError, KeyError) as error:
        return f"the case of the row cannot be read: {error}", ""
    rebuilt = rebuild or not flow.recipe
    same = same_flow(document, flow) if rebuilt else _same_recipe(document["model"], flow)
    if not same:
        return f"the certificate is not about the case of its row, the {flow.description}", ""
    what = "fields" if "fields" in document else "program"
    return "", f"the row has the same bounds, dimension and {what if rebuilt else 'model'}"


def _same_recipe(model: Mapping[str, Any], flow: Flow) -> bool:
    """Whether a document describes the model and the flow."""
    mine = json.dumps({"description": flow.description, **flow.recipe})
    return bool(model == json.loads(mine))
