"""What all tests share."""

import re

import pytest

SLOW = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", re.MULTILINE)


def pytest_ignore_collect(collection_path, config):
    """Modules that are slow as a whole are not even imported by ``make test-fast``."""
    fast = config.option.markexpr == "not slow" and collection_path.name.startswith("test_")
    return True if fast and SLOW.search(collection_path.read_text()) else None


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """The verifiers as one file, which a process runs without the package."""
    from clexact.proofs.standalone import write_verifier

    path = tmp_path_factory.mktemp("verifier") / "clexact-verify.pyz"
    write_verifier(path)
    return str(path)
