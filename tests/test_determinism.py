"""The same seed gives the same bytes: across runs, hash seeds and numbers of threads."""

import os
import subprocess
import sys

import pytest

import clexact

PROGRAM = """
import clexact
fields = clexact.VectorFields.from_strings(["x", "y", "z"], [["x", "2*y", "0"], ["0", "0", "z"]])
for flow in (
    clexact.gradient_flow(clexact.models.linear([3, 2, 3])),
    clexact.gradient_flow(clexact.models.relu([2, 3, 2], bias=True), loss="cross_entropy"),
    clexact.gradient_flow(clexact.models.linear([24, 24, 24])),
    fields,
):
    count = clexact.certify(flow, seed=5)
    print(count.certificate.to_json() if count.dimension < 100 else count.closure.point, count.filtration)
print(clexact.polynomial_laws(clexact.gradient_flow(clexact.models.relu([2, 3, 4, 2])).fields, 4, seed=5).to_json())
"""


def printed(**environment):
    """What the program prints in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, env=os.environ | environment
    )
    return done.stdout


@pytest.fixture(scope="module")
def reference():
    """One run."""
    return printed(PYTHONHASHSEED="0")


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "1"}, {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}],
)
def test_same_seed_same_bytes(reference, environment):
    """Certificates, points, dimensions and laws."""
    assert printed(**environment) == reference


def test_another_seed_gives_another_point_and_the_same_count():
    """The seed is not ignored."""
    flow = clexact.gradient_flow(clexact.models.linear([3, 2, 3]))
    one, two = (clexact.certify(flow, seed=seed) for seed in (1, 2))
    assert one.closure.point != two.closure.point
    assert (one.lower, one.upper, one.filtration) == (two.lower, two.upper, two.filtration)
