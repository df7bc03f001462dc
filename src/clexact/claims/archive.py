"""``Archive``: a folder of findings and certificates, from which an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clexact.claims.claim import Claim, Statement
from clexact.claims.grid import Reach, Size
from clexact.claims.judge import judge
from clexact.claims.record import Record, record_of
from clexact.proofs.certificate import VerdictStatus, verify
from clexact.support.files import check_folder, check_place, write_atomically
from clexact.support.progress import Progress
from clexact.support.provenance import source_hash, versions


@dataclass(frozen=True)
class Archive:
    """``findings/<claim>.json`` and ``certificates/<claim>/<size>.json.gz`` in a folder, for one reach and seed.

    A finding is used again only where its key is the same: the claim and its texts, the reach, the seed, the versions
    and the source files of clexact.
    """

    folder: Path
    reach: Reach
    seed: int

    def open(self) -> None:
        """Make the folders; OSError, before any work, if nothing can be written there."""
        check_folder(self.folder)
        for folder in (self.folder, self.findings, self.certificates):
            folder.mkdir(exist_ok=True)
            check_place(folder / "probe")

    @cached_property
    def findings(self) -> Path:
        """The folder of the findings."""
        return self.folder / "findings"

    @cached_property
    def certificates(self) -> Path:
        """The folder of the certificates, with a folder for each claim."""
        return self.folder / "certificates"

    def find(self, claim: Claim, topic: str, progress: Progress | None = None) -> tuple[Record, bool]:
        """The finding on a claim, and whether it was stored already; a new one is stored."""
        stored = self.stored(claim, topic)
        if stored is not None:
            return stored, True
        found = judge(claim, self.reach, self.seed, progress=progress, keep=self._keep, keep_theorem=self._keep_theorem)
        record = record_of(found, topic)
        self._remove_other_certificates(record)
        self._save(record, self.key(claim, topic))
        return record, False

    def stored(self, claim: Claim, topic: str) -> Record | None:
        """The stored finding; None if there is none, if its key differs, or if it or its certificates are damaged."""
        record, key = read(self._path(claim)) or (None, None)
        if record is None or key != self.key(claim, topic):
            return None
        return record if all((self.folder / name).is_file() for name in record.certificates) else None

    def key(self, claim: Claim, topic: str) -> dict[str, Any]:
        """What a stored finding must have been found for."""
        texts = [topic, claim.id, claim.title, claim.source, claim.note, list(claim.pictures), *_texts(claim)]
        return {
            "texts": texts,
            "grid": [list(size) for size in claim.grid.sizes(self.reach)],
            "budget": self.reach.value,
            "seed": self.seed,
            "versions": versions(),
            "sources": source_hash(),
        }

    def _keep(self, claim: Claim, size: Size, certificate: Any) -> str | None:
        """Save a certificate and have it verified; None for one that takes more work than the verifier does."""
        folder = self.certificates / claim.id
        folder.mkdir(exist_ok=True)
        path = folder / f"{'-'.join(map(str, size))}.json.gz"
        certificate.save(path)
        verdict = verify(path)
        if verdict:
            return path.relative_to(self.folder).as_posix()
        path.unlink()
        if verdict.status is VerdictStatus.UNDECIDED:
            return None
        raise ArithmeticError(f"the certificate of {claim.id} at {claim.grid.written(size)} is not verified: {verdict}")

    def _keep_theorem(self, claim: Claim, name: str, data: bytes) -> str:
        """Save a certificate of a theorem, which must be verified."""
        folder = self.certificates / claim.id
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.json"
        write_atomically(path, data)
        verdict = verify(path)
        if not verdict:
            raise ArithmeticError(f"the theorem of {claim.id} is not verified: {verdict}")
        return path.relative_to(self.folder).as_posix()

    def _remove_other_certificates(self, record: Record) -> None:
        """Those of an earlier run with other sizes."""
        mine = set(record.certificates)
        folder = self.certificates / record.id
        for path in [*folder.glob("*.json.gz"), *folder.glob("*theorem-*.json")]:
            if path.relative_to(self.folder).as_posix() not in mine:
                path.unlink()

    def _path(self, claim: Claim) -> Path:
        return self.findings / f"{claim.id}.json"

    def _save(self, record: Record, key: dict[str, Any]) -> None:
        body = {"key": key, "record": record.to_dict()}
        data = json.dumps({"sha256": _digest(body), **body}, indent=1) + "\n"
        write_atomically(self.findings / f"{record.id}.json", data.encode())


def read(path: Path) -> tuple[Record, dict[str, Any]] | None:
    """A stored finding with its key; None if there is none or it is damaged."""
    try:
        data = json.loads(path.read_bytes())
        if data.pop("sha256") != _digest(data):
            return None
        return Record.from_dict(data["record"]), data["key"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _texts(claim: Claim) -> list[list[str] | None]:
    """Words and LaTeX of what is stated, meant and true instead, and what is stated of all sizes."""

    def texts(statement: Statement | None) -> list[str] | None:
        return None if statement is None else [statement.words, statement.latex, repr(statement.all_sizes)]

    return [texts(claim.statement), texts(claim.meant), texts(claim.instead)]
