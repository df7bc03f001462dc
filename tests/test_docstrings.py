"""The public docstrings, in numpydoc's style: sections that name exactly what the signature does, and an example."""

import ast
import dataclasses
import enum
import importlib
import inspect
import textwrap
import types

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate

pytestmark = pytest.mark.slow  # a lint, not a test of answers

MODULES = {  # and what of each is public, where it does not say so itself
    "clexact": None,
    "clexact.functions": None,
    "clexact.models": None,
    "clexact.plot": None,
    "clexact.sweeps.certified": ("Budget", "Row", "certified"),
    "clexact.sweeps.spec": ("Planned", "Spec", "dry_run", "examples", "parse_spec", "read_spec"),
    "clexact.sweeps.sweep": ("Sweep", "sweep"),
    "clexact.torch": None,
    "clexact.training": None,
}
HOOKS = {"clexact.LawCount.prover"}  # a function that another room puts there; users take ``certificate``

FORM = {"GL03", "GL06", "GL07", "GL08", "SS01", "SS03", "SS06"}  # blank lines, sections, their order; one first line
PARAMETERS = {"PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR09", "PR10"}  # those of the signature, typed
RETURNS = {"RT01", "RT02", "RT03", "RT05", "YD01"}
EXAMPLE = {"EX01"}


def public_names(module, chosen):
    """What is chosen, or what the module lists, or else what is made in it."""
    own = (name for name, thing in vars(module).items() if getattr(thing, "__module__", None) == module.__name__)
    return [name for name in chosen or getattr(module, "__all__", own) if not name.startswith("_")]


def function_of(member):
    """The function behind a method or a property, None for other members."""
    behind = next((f for f in (getattr(member, key, None) for key in ("__func__", "fget", "func")) if f), member)
    return behind if isinstance(behind, types.FunctionType) else None


def is_property(thing):
    return not isinstance(thing, (type, types.FunctionType, classmethod, staticmethod))


def inherits(function):
    """Whether a method says nothing itself, and is documented by a class above."""
    return function.__doc__ is None and inspect.getdoc(function) is not None


def public():
    """{dotted name: object}: public functions and classes, and the methods and properties of these."""
    found = {}
    for path, chosen in MODULES.items():
        module = importlib.import_module(path)
        for name in public_names(module, chosen):
            thing = getattr(module, name)
            if not isinstance(thing, (type, types.FunctionType)) or thing in found.values():
                continue
            found[f"{path}.{name}"] = thing
            for key, member in vars(thing).items() if isinstance(thing, type) else ():
                function = function_of(member)
                if not key.startswith("_") and function and not inherits(function):
                    found[f"{path}.{name}.{key}"] = member
    return {name: thing for name, thing in found.items() if name not in HOOKS}


PUBLIC = public()
RESULTS = {  # classes that users read and do not make, so that their fields are attributes
    name: thing
    for name, thing in PUBLIC.items()
    if dataclasses.is_dataclass(thing) and "\nParameters\n" not in inspect.getdoc(thing)
}


def codes(name):
    """What of numpydoc's findings counts. A property has its line alone, and its class an example."""
    thing = PUBLIC[name]
    if is_property(thing):
        return FORM
    if not isinstance(thing, type):
        return FORM | PARAMETERS | RETURNS | EXAMPLE
    not_made_by_users = name in RESULTS or issubclass(thing, (enum.Enum, Exception))
    return FORM | EXAMPLE | (set() if not_made_by_users else PARAMETERS)


@pytest.mark.parametrize("name", PUBLIC)
def test_numpydoc_has_no_objection(name):
    assert [(code, said) for code, said in validate(name)["errors"] if code in codes(name)] == []


@pytest.mark.parametrize("name", RESULTS)
def test_the_attributes_of_a_result_are_its_fields(name):
    listed = [
        attribute.name for attribute in ClassDoc(RESULTS[name], config={"show_class_members": False})["Attributes"]
    ]
    assert listed == [field.name for field in dataclasses.fields(RESULTS[name]) if not field.name.startswith("_")]


def raised_by(function):
    """The statements of a function that raise, of those that are its own."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]


@pytest.mark.parametrize("name", [n for n, t in PUBLIC.items() if not isinstance(t, type) and not is_property(t)])
def test_what_raises_says_so(name):
    function = function_of(PUBLIC[name])
    assert not raised_by(function) or "\nRaises\n---" in inspect.getdoc(PUBLIC[name])


def test_no_public_method_hides_in_a_base():
    """What a public class takes from another class of clexact is linted there."""
    classes = {thing for thing in PUBLIC.values() if isinstance(thing, type)}
    for thing in classes:
        for key in (key for key in dir(thing) if not key.startswith("_")):
            home = next((base for base in thing.__mro__ if key in vars(base)), thing)
            assert home in classes or not home.__module__.startswith("clexact"), (thing, key)


def test_all_rooms_are_walked():
    """The walk finds classes, methods, class methods, properties and functions."""
    expected = {"certify", "LawCount.to_json", "Polynomial.from_string", "Flow.dimension", "models.relu", "torch.laws"}
    assert {f"clexact.{name}" for name in expected} <= PUBLIC.keys()
    assert len(PUBLIC) > 280 and len(RESULTS) > 20


def test_a_wrong_docstring_is_refused():
    """The lint sees a parameter that is missing, one that does not exist, and a missing example."""
    found = {code for code, _ in validate(f"{__name__}.wrongly_documented")["errors"]}
    assert {"PR01", "PR02", "EX01"} <= found <= FORM | PARAMETERS | RETURNS | EXAMPLE | {"SA01", "ES01"}


def wrongly_documented(present):
    """Do nothing.

    Parameters
    ----------
    absent : int
        No parameter.
    """
