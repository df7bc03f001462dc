"""The rooms of the package: imports go downward, and the picture of them is that of this source."""

import importlib.util
import sys
from pathlib import Path

import pytest
from pictures import elements

import clexact
from clexact.support.provenance import PACKAGE

ROOT = Path(__file__).parent.parent


def rooms():
    """docs/make_rooms.py as a module."""
    spec = importlib.util.spec_from_file_location("make_rooms", ROOT / "docs" / "make_rooms.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_rooms"] = module
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_current():
    made = rooms()
    drawn = made.svg([made.read(name) for name in made.floors()])
    assert elements(made.PICTURE.read_bytes()) == elements(drawn)


@pytest.mark.slow
def test_every_room_is_on_a_floor_and_imports_from_below():
    """A twin of the contract that import-linter checks."""
    made = rooms()
    order = made.floors()
    found = {path.stem for path in made.SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__", "__main__"} == set(order)
    for n, name in enumerate(order):
        assert made.read(name).imports <= set(order[n + 1 :]), name


def test_dir_shows_public_names_alone():
    assert set(dir(clexact)) == {*clexact.__all__, "plot", "torch", "training"}
    assert all(hasattr(clexact, name) for name in dir(clexact))


def test_provenance_covers_every_room():
    """The hash of the sources is of the whole package: stored results are of one engine."""
    assert Path(clexact.__file__).parent == PACKAGE
