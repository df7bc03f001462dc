"""Files of other programs: each against the equations that it means, made by SymPy; hostile ones; and round trips."""

import shlex

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from reference import MODEST

import clexact
from clexact import VectorFields, polynomial_laws
from clexact.cli import main as cli
from clexact.systems.formats import parse_text
from clexact.systems.writers import to_ode, to_sbml

MATH = 'xmlns="http://www.w3.org/1998/Math/MathML"'
SBML = f"""<?xml version="1.0"?><sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
<model>
<listOfFunctionDefinitions><functionDefinition id="mm"><math {MATH}><lambda><bvar><ci>s</ci></bvar><bvar><ci>v</ci>
</bvar><apply><divide/><apply><times/><ci>v</ci><ci>s</ci></apply><apply><plus/><ci>K</ci><ci>s</ci></apply></apply>
</lambda></math></functionDefinition></listOfFunctionDefinitions>
<listOfCompartments><compartment id="cell" size="2" constant="true"/></listOfCompartments>
<listOfSpecies><species id="A" compartment="cell" hasOnlySubstanceUnits="false" boundaryCondition="false"/>
<species id="B" compartment="cell" hasOnlySubstanceUnits="true" boundaryCondition="false"/>
<species id="F" compartment="cell" initialConcentration="0.25" hasOnlySubstanceUnits="false" boundaryCondition="true"/>
</listOfSpecies><listOfParameters><parameter id="K" value="1e-1"/><parameter id="k"/></listOfParameters>
<listOfReactions>
<reaction id="r1"><listOfReactants><speciesReference species="A" stoichiometry="2"/></listOfReactants><listOfProducts>
<speciesReference species="B" stoichiometry="1.5"/></listOfProducts><kineticLaw>
<math {MATH}><apply><ci>mm</ci><ci>A</ci><ci>v</ci></apply></math>
<listOfLocalParameters><localParameter id="v" value="3"/></listOfLocalParameters></kineticLaw></reaction>
<reaction id="r2"><listOfReactants><speciesReference species="B" stoichiometry="3"/><speciesReference species="F"/>
</listOfReactants><listOfProducts><speciesReference species="A" stoichiometry="4"/></listOfProducts><kineticLaw>
<math {MATH}><apply><times/><ci>k</ci><ci>F</ci><apply><power/><ci>B</ci><cn type="integer">2</cn></apply></apply>
</math></kineticLaw></reaction>
</listOfReactions><listOfEvents><event/></listOfEvents></model></sbml>"""


def right_sides(X):
    by = clexact.Polynomial.from_string(X.multipliers[0], X.variables).to_sympy() if X.multipliers else 1
    return {v: sympy.cancel(p.to_sympy() / by) for v, p in zip(X.variables, X.components(0), strict=False)}


def test_sbml():
    """Amounts: the concentration of A is A/2, B stands for its amount, F is 1/4; K = 1/10, v = 3, k has no value."""
    A, B, k = sympy.symbols("A B k")
    one, two = 3 * (A / 2) / (sympy.Rational(1, 10) + A / 2), k * sympy.Rational(1, 4) * B**2
    meant = {"A": -2 * one + 4 * two, "B": sympy.Rational(3, 2) * one - 3 * two}
    X = parse_text(SBML, "model.xml")
    assert X.parameters == ("k",) and all(sympy.cancel(e - meant[v]) == 0 for v, e in right_sides(X).items())
    assert X.notes[:2] == (
        "left out (events): 1; the laws are those between them",
        "variables are amounts: concentrations times the size of the compartment",
    )
    assert [str(h) for h in polynomial_laws(X, 1)] == ["3*A + 4*B"]
    structural = parse_text(SBML, "model.xml", structural=True)
    assert [str(h) for h in polynomial_laws(structural, 1)] == ["3*A + 4*B"] and len(structural) == 1
    assert "K" in parse_text(SBML, "model.xml", ("K",)).parameters


def test_an_initial_assignment_takes_values_of_the_start():
    """K = A(0) stays what it was while A moves; without a value at the start it is refused."""
    start = f'<initialAssignment symbol="K"><math {MATH}><ci>A</ci></math></initialAssignment>'
    text = SBML.replace(
        "<listOfReactions>", f"<listOfInitialAssignments>{start}</listOfInitialAssignments><listOfReactions>"
    )
    fixed = SBML.replace('value="1e-1"', 'value="2"')
    given = text.replace('id="A" ', 'id="A" initialAmount="4" ')
    assert right_sides(parse_text(given, "model.xml")) == right_sides(parse_text(fixed, "model.xml"))
    with pytest.raises(ValueError, match="needs the value of 'A' at the start, which is not given"):
        parse_text(text, "model.xml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><sbml>&b;</sbml>', "a document type.* is not read"),
        ("<sbml", "no XML that is read"),
        ("<sbml/>", "expected an <sbml> document with a <model>"),
        (SBML.replace("<ci>F</ci>", "<ci>G</ci>"), "the rate of reaction 'r2': a formula has 'G', which has no value"),
        (SBML.replace("<power/>", "<abs/>"), "a formula has <abs/?>: abs, min, max and piecewise"),
        (SBML.replace("<ci>s</ci></apply></apply>", "<apply><ci>mm</ci><ci>s</ci><ci>v</ci></apply></apply></apply>"),
         "nested more than 200 deep"),
    ],
)  # fmt: skip
def test_sbml_that_is_refused(text, message):
    with pytest.raises(ValueError, match=f"^model.xml: .*{message}"):
        parse_text(text, "model.xml")


def test_antimony_and_the_library_of_sbml():
    """The same field from Antimony's text, and a document without errors when written back."""
    pytest.importorskip("antimony")
    libsbml = pytest.importorskip("libsbml")
    text = "model m\n  S + E -> C; k1*S*E - k2*C\n  C -> P + E; 0.3*C\n"
    text += "  k1 = 0.1; k2 = 1e-2; S = 1; E = 1; C = 0; P = 0\nend"
    X = parse_text(text, "m.ant")
    meant = "v = 0.1S*E - 0.01C\nS' = -v\nE' = -v + 0.3C\nC' = v - 0.3C\nP' = 0.3C"
    assert VectorFields.from_ode(meant) == X
    document = libsbml.readSBMLFromString(to_sbml(X))
    document.checkConsistency()
    assert document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    with pytest.raises(ValueError, match=r"m\.ant: "):
        parse_text("model m\n S -> ; k1*", "m.ant")


@pytest.mark.parametrize(
    "text",
    ["x' = y\ny' = -x", "par a, b\nx' = a*x^3*y - 1/3\ny' = b/(1 + x)^2", "x'' = -x/(1 + x^2)", "A.x' = 2*A.x"],
)
def test_round_trips(text):
    """``.ode`` to SBML to ``.ode``: the same right sides."""
    X = VectorFields.from_ode(text)
    plain = VectorFields.from_ode(to_ode(X))
    again = parse_text(to_sbml(X), "x.xml")
    assert list(right_sides(X).values()) == [e.subs(names_back(plain, X)) for e in right_sides(plain).values()]
    assert list(right_sides(X).values()) == [e.subs(names_back(again, X)) for e in right_sides(again).values()]


def names_back(X, Y):
    return dict(zip(map(sympy.Symbol, X.variables), map(sympy.Symbol, Y.variables), strict=True))


NET = """begin parameters
  1 kon 0.5 # on
  2 koff 2*kon
end parameters
begin functions
  1 f() koff/(1+total)
end functions
begin species
  1 L(r) 10
  2 R(l) 5
  3 L(r!1).R(l!1) 0
  4 $Src() 1
end species
begin reactions
  1 1,2 3 kon
  2 3 1,2 koff
  3 4 4,1 f()
end reactions
begin groups
  1 total 1,2*3
end groups
"""


def test_bionetgen():
    X = parse_text(NET, "model.net")
    meant = "L_r' = -v + w; R_l' = -v; L_r_1_R_l_1' = v; Src' = 0\nv = L_r*R_l/2 - L_r_1_R_l_1"
    meant += "\nw = Src/(1 + L_r + 2*L_r_1_R_l_1)"
    assert right_sides(X) == right_sides(VectorFields.from_ode(meant))
    assert [str(h) for h in polynomial_laws(parse_text(NET, "model.net", structural=True), 1)] == [
        "R_l + L_r_1_R_l_1",
        "Src",
    ]
    with pytest.raises(ValueError, match="line 15: expected numbers of species"):
        parse_text(NET.replace("1 1,2 3 kon", "1 1,9 3 kon"), "model.net")


def test_catalyst():
    text = """rn = @reaction_network begin
      (k1, k2), S + E <--> C  # bind
      k3, C --> P + E
      mm(P, v, K), 0 --> Q
      d, 2Q --> ∅
      hill(Q, v, K, 2), P ⇒ 0
    end"""
    X = parse_text(text, "m.jl")
    meant = """par k1, k2, k3, v, K, d
      a = k1*S*E - k2*C; b = k3*C
      S' = -a; E' = -a + b; C' = a - b; P' = b - v*Q^2/(Q^2 + K^2); Q' = v*P/(P + K) - d*Q^2"""
    given = right_sides(VectorFields.from_ode(meant))
    assert all(sympy.cancel(e - given[v]) == 0 for v, e in right_sides(X).items())
    assert [str(h) for h in polynomial_laws(parse_text(text, "m.jl", structural=True), 1)] == ["E + C"]


def test_inputs_and_outputs_of_julia():
    """u(t) has no equation: it is an input, and laws hold for all of it; y(t) is an output."""
    text = (
        "ode = @ODEmodel(\n  x1'(t) = -a*x1(t) + u(t)*x2(t), # c\n  x2'(t) = a*x1(t) - u(t)*x2(t),\n  y(t) = x1(t)\n)"
    )
    X = parse_text(text, "m.jl")
    assert VectorFields.from_strings(["x1", "x2"], [["-a*x1", "a*x1"], ["x2", "-x2"]], ["a"]) == X
    model = "@named m = ODESystem([D(x) ~ s*(y - x),\n D(y) ~ -x], t)"
    assert VectorFields.from_strings(["x", "y"], [["s*(y - x)", "-x"]], ["s"]) == parse_text(model, "m.jl")


def test_keymaera():
    text = "/* {a'=1} */ ProgramVariables Real x; Real y; End. Problem x>0 -> [{x'=y, y'=-w*x & x>=0}*] x>0 End."
    X = parse_text(text, "m.kyx")
    assert VectorFields.from_strings(["x", "y"], [["y", "-w*x"]], ["w"]) == X
    assert X.notes == ("left out: domains of evolution, and all discrete steps",)
    assert [str(h) for h in polynomial_laws(X, 2)] == ["x^2*w + y^2"]


@pytest.mark.slow
@MODEST
@given(
    st.sampled_from([SBML, NET]), st.integers(0, 2000), st.integers(0, 40), st.text("<>/\"'=& 0129.,abK", max_size=5)
)
def test_damaged_files_are_read_or_refused(text, first, length, put):
    damaged = text[:first] + put + text[first + length :]
    for structural in (False, True):
        try:
            parse_text(damaged, "m.xml" if text is SBML else "m.net", structural=structural)
        except ValueError as error:
            assert len(str(error)) > 10


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.xml").write_text(SBML)
    (tmp_path / "e.ode").write_text("par k\nS' = -k*S*E\nE' = 0\nP' = k*S*E\n")
    (tmp_path / "l.ode").write_text("x' = 10*(y - x)\ny' = x*(28 - z) - y\nz' = x*y - 8/3*z\n")

    def said(command):
        assert cli.run(shlex.split(command)) == 0
        return capsys.readouterr().out

    assert said("laws m.xml --moieties --quiet") == "3*A + 4*B\n"
    assert "no polynomial law of degree <= 2 exists: proved" in said("laws l.ode")
    assert "there are 2: there is one field" in said("laws l.ode")
    assert "k = 0: 3" in said("laws e.ode --degree 1 --cases")
    assert "S' = " not in said("eliminate e.ode --quiet") and "par k, Γ1, Γ2" in said("eliminate e.ode --quiet")
    said("eliminate e.ode --out o.xml --quiet")
    assert len(clexact.load_system("o.xml").variables) == 4
    for command, message in (
        ("laws e.ode --nonzero", "--nonzero goes with --cases"),
        ("laws l.ode --cases", "--cases is of a system with parameters"),
        ("laws linear 2 2 --structural", "--structural belongs to a file with a system"),
        ("laws e.ode --structural", "laws for all rates are of reactions"),
        ("laws e.ode --parameters q", "the parameter 'q' stands in no equation"),
        ("eliminate", "give one file with a system"),
    ):
        assert cli.run(shlex.split(command)) == 2 and message in capsys.readouterr().err
