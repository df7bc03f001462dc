"""Models as biologists write them, through SBML: what they conserve; readers on damaged files of every format."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import clexact
from clexact import VectorFields, polynomial_laws
from clexact.cli import main as cli
from clexact.proofs.verifier import large, tiers
from clexact.systems.formats import SYSTEMS, parse_text, sbml_of_antimony

EDELSTEIN = "\n".join(
    f"J{n}: {a} -> {b}; comp1*({2 + n}*{a} - {1 + n}/10*{b});"
    for n, (a, b) in enumerate([("B", "BL"), ("BL", "BLL"), ("A", "AL"), ("AL", "ALL"), ("I", "IL"), ("IL", "ILL"),
                                ("B", "A"), ("BL", "AL"), ("BLL", "ALL"), ("A", "I"), ("AL", "IL"), ("ALL", "ILL")])
)  # fmt: skip
STATES = {"B", "BL", "BLL", "A", "AL", "ALL", "I", "IL", "ILL"}
MODELS = {  # name: (Antimony, the linear laws of the kinetics as sets of species, those for all rates too)
    "receptor of nicotine": (
        f"compartment comp1 = 1e-16; species {', '.join(f'{s} in comp1' for s in sorted(STATES))};\n{EDELSTEIN}",
        [STATES]),
    "mapk with feedback": (
        "J0: K -> KP; 2.5*K/((1 + MPP/9)*(10 + K)); J1: KP -> K; 0.25*KP/(8 + KP);\n"
        "J2: M2 -> M2P; 0.025*KP*M2/(15 + M2); J3: M2P -> M2PP; 0.025*KP*M2P/(15 + M2P);\n"
        "J4: M2PP -> M2P; 0.75*M2PP/(15 + M2PP); J5: M2P -> M2; 0.75*M2P/(15 + M2P);\n"
        "J6: M -> MP; 0.025*M2PP*M/(15 + M); J7: MP -> MPP; 0.025*M2PP*MP/(15 + MP);\n"
        "J8: MPP -> MP; 0.5*MPP/(15 + MPP); J9: MP -> M; 0.5*MP/(15 + MP);\nK = 90; M2 = 280; M = 280;",
        [{"K", "KP"}, {"M2", "M2P", "M2PP"}, {"M", "MP", "MPP"}]),
    "repressilator": ("".join(
        f"m{i}: -> X{i}; 216/(1 + P{(i + 2) % 3}^2) + 0.2; d{i}: X{i} -> ; X{i};\n"
        f"t{i}: -> P{i}; 5*X{i}; e{i}: P{i} -> ; 5*P{i};\n" for i in range(3)), []),
    "mitotic oscillator": (
        "J0: -> C; 0.025; J1: C -> ; 0.01*C; J2: C -> ; 0.25*X*C/(0.02 + C);\n"
        "J3: $MI -> M; (3*C/(0.5 + C))*(1 - M)/(0.005 + 1 - M); J4: M -> $MI; 1.5*M/(0.005 + M);\n"
        "J5: $XI -> X; M*(1 - X)/(0.005 + 1 - X); J6: X -> $XI; 0.5*X/(0.005 + X);", []),
    "cell cycle": (
        "J1: M -> C2 + YP; 1*M; J2: C2 -> CP; 1e6*C2; J3: CP -> C2; 1000*CP; J4: CP + Y -> pM; 200*CP*Y;\n"
        "J5: pM -> M; pM*(0.018 + 180*(M/(C2 + CP + pM + M))^2); J6: -> Y; 0.015; J7: YP -> ; 0.6*YP;",
        [{"C2", "CP", "pM", "M"}]),
    "enzyme": (
        "model enzyme\n compartment v = 2; species S in v, E in v, ES in v, P in v;\n"
        "J0: S + E -> ES; v*(k1*S*E - k2*ES); J1: ES -> E + P; v*k3*ES;\n"
        "k1 = 1; k2 = 0.5; k3 = 0.1; S = 10; E = 1;\nend", [{"E", "ES"}, {"S", "ES", "P"}]),
    "two compartments": (
        "compartment n = 1, c = 4; species N in n, C in c; J0: C -> N; 0.3*C - 0.1*N; N = 1; C = 2;", [{"C", "N"}]),
    "glycolysis": ("J0: -> A; 0.3; J1: A + B -> B + B; 0.05*A + A*B^2; J2: B -> ; B;", []),
    "cascade": (
        "J0: R + L -> RL; 2*R*L - 3*RL; J1: G -> Ga; RL*G/(1 + G); J2: Ga -> G; Ga;\n"
        "J3: P -> Pa; Ga*P; J4: Pa -> P; Pa/(2 + Pa);", [{"R", "RL"}, {"L", "RL"}, {"G", "Ga"}, {"P", "Pa"}]),
    "rules and events": (
        "total := A + B; J0: A -> B; k*A/total; k = 0.7; A = 3; B = 0; at (A < 1): A = 3;", [{"A", "B"}]),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_sbml_files_of_models(name, tmp_path, capsys):
    """The kinetics' linear laws are those meant; each holds at a point; reactions at all rates have no others here."""
    pytest.importorskip("antimony")
    text, meant = MODELS[name]
    path = tmp_path / "model.xml"
    path.write_text(sbml_of_antimony(text))
    X = clexact.load_system(path)
    laws = polynomial_laws(X, 1)
    assert laws.complete and len(laws) == len(meant)
    spanned = sympy.Matrix([[int(v in law) for v in X.variables] for law in meant] or [[0] * len(X.variables)])
    mine = sympy.Matrix([[h.diff(v)(*[0] * len(X.variables)) for v in X.variables] for h in laws] or spanned)
    assert spanned.col_join(mine).rank() == spanned.rank() == len(meant)
    slopes = X.values(range(2, 2 + X.dimension))
    assert all(
        sum(h.diff(v)(*[0] * X.dimension) * slopes.get(n, 0) for n, v in enumerate(X.variables)) == 0 for h in laws
    )
    structural = polynomial_laws(clexact.load_system(path, structural=True), 1)
    assert [str(h) for h in structural] == [str(h) for h in laws]
    assert cli.run(["laws", str(path), "--moieties", "--basis", "nonnegative", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(meant)


# --- readers ----------------------------------------------------------------------------------------------------------

TEXTS = {
    ".ode": "par a, b = 2\ninput u\nk = 0.1; x'' = -k*sin(x) + a*u\ndy/dt = b*\\frac{x}{1 + y^2}  # c\n",
    ".jl": "@reaction_network begin\n (k1, k2), S + E <--> C\n k3, C --> P + E\n mm(P, v, K), P => S\nend\n",
    ".kyx": "Definitions Real a; End. ProgramVariables Real x; Real y; End.\n"
    "Problem x>0 -> [{x'=y, y'=-a*x & x>=0}*]x>0 End.\n",
    ".net": "begin parameters\n 1 kon 0.5\nend parameters\nbegin species\n 1 A(b) 10\n 2 B(a) 5\n 3 A(b!1).B(a!1) 0\n"
    "end species\nbegin reactions\n 1 1,2 3 kon\n 2 3 1,2 2*kon\nend reactions\n",
    ".pauli": "XX + 1/2 ZI\n-YZ\n",
    ".xml": '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core"><model>'
    '<listOfSpecies><species id="A"/></listOfSpecies>'
    '<listOfReactions><reaction id="r"><listOfReactants><speciesReference species="A"/></listOfReactants><kineticLaw>'
    '<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><cn>2</cn><ci>A</ci></apply></math></kineticLaw></reaction>'
    "</listOfReactions></model></sbml>",
}  # fmt: skip


def test_every_format_is_tried():
    assert {".sbml": ".xml"}.keys() | TEXTS.keys() | {".ant"} == set(SYSTEMS)


@settings(max_examples=60, deadline=None, derandomize=True)
@pytest.mark.parametrize("suffix", TEXTS)
@given(data=st.data())
def test_damaged_texts_are_read_or_refused(suffix, data):
    """Letters cut out, put in, doubled: fields, or one sentence that names the file; no other error, and no hang."""
    text = TEXTS[suffix]
    for _ in range(data.draw(st.integers(1, 3))):
        first, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 12))
        put = data.draw(
            st.sampled_from(
                ["", text[first : first + length] * 2, "(", "}", "^9", "'", "<", "&", "=", "--", "\x00", "é", "9" * 30]
            )
        )
        text = text[:first] + put + text[first + length :]
    try:
        assert isinstance(parse_text(text, f"m{suffix}"), VectorFields)
    except ValueError as error:
        assert str(error).startswith(f"m{suffix}") and len(str(error)) > 12


@settings(max_examples=40, deadline=None, derandomize=True)
@pytest.mark.parametrize("suffix", TEXTS)
@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(suffix, text):
    try:
        assert isinstance(parse_text(text, f"m{suffix}"), VectorFields)
    except ValueError as error:
        assert f"m{suffix}" in str(error)


# --- parameters and their values --------------------------------------------------------------------------------------

DISTINCTIONS = [  # the tasks of arXiv 2212.14881: linear, monomial and polynomial laws, with rates that are not 0
    ("S' = -k1*S*E + k2*C; E' = -k1*S*E + (k2 + k3)*C; C' = k1*S*E - (k2 + k3)*C; P' = k3*C", 1, 2, {}),
    ("x' = -k1*x + k2*y; y' = k1*x - k3*y", 1, 0, {("k2 - k3",): ["x + y"]}),
    ("x' = -k1*x^2 + k2*y; y' = k3*x^2 - 2*k2*y", 1, 0, {("2*k1 - k3",): ["2*x + y"]}),
    ("x' = -k1*x; y' = k2*y", 3, 0, {("k1 - k2",): ["x*y"], ("2*k1 - k2",): ["x^2*y"], ("k1 - 2*k2",): ["x*y^2"]}),
    ("x' = k1*y*z; y' = k2*x*z; z' = k3*x*y", 2, 2, {}),
    ("x' = k1*x*y - k2*x; y' = -k3*x*y + k2*y", 2, 0, {}),
    ("a' = -k1*a*b; b' = -k2*a*b; c' = k3*a*b", 1, 2, {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "degree", "generic", "cases"), DISTINCTIONS)
def test_case_distinctions(text, degree, generic, cases):
    """Those known by hand; and at values of each case as many laws, counted with a certificate that verifies."""
    names = sorted({name for name in ("k1", "k2", "k3") if name in text})
    X = VectorFields.from_ode(f"par {', '.join(names)}\n{text}")
    found = clexact.law_cases(X, degree, nonzero=True)
    assert len(found.generic) == generic
    assert {case.zero: [str(h) for h in case.laws] for case in found.cases} == cases
    for case in found.cases:
        at = X.at(case.values())
        assert not at.parameters and len(polynomial_laws(at, degree)) == len(case.laws)
        count = clexact.certify(at, degree=degree)
        assert count.exhibited >= 1 and clexact.verify(count.certificate)


def test_values_of_parameters():
    """As if they had been in the text; denominators, names and values that are none are refused."""
    text = "par a, b, c\nx' = a*y/(b + x)\ny' = c*x"
    X = VectorFields.from_ode(text)
    at = X.at({"a": 2, "b": "-1/2"})
    meant = VectorFields.from_ode(text.replace("par a, b, c", "par a = 2, b = -0.5, c"))
    assert at.parameters == meant.parameters == ("c",) and at.notes[-1] == "at a = 2, b = -1/2"
    ratios = {sympy.cancel(p / q) for p, q in zip(at.to_sympy()[0][:2], meant.to_sympy()[0][:2], strict=True)}
    assert len(ratios) == 1 and ratios.pop().is_number  # what a field is multiplied by changes no law
    with pytest.raises(ValueError, match="'q' is no parameter"):
        X.at({"q": 1})
    with pytest.raises(ValueError, match="b must be a rational"):
        X.at({"b": "one"})
    with pytest.raises(TypeError, match="values must map parameters"):
        X.at([1])
    with pytest.raises(ValueError, match=r"the denominator .* is 0"):
        VectorFields.from_ode("par a\nx' = 1/(a*x)").at({"a": 0})


def test_a_case_without_rational_values():
    X = VectorFields.from_ode("par a\nx' = (a^2 + 1)*x")
    (case,) = clexact.law_cases(X, 1).cases
    with pytest.raises(ValueError, match=r"no small rational values of a with a\^2 \+ 1 = 0"):
        case.values()


def test_the_command_takes_values(tmp_path, capsys):
    path, proof = tmp_path / "saddle.ode", tmp_path / "proof.json"
    path.write_text("par a, b\nx' = a*x\ny' = b*y\n")
    words = [str(path), "--degree", "3", "--values", "a=1, b=-2"]
    assert cli.run(["certify", *words, "--quiet", "--save", str(proof)]) == 0
    assert cli.run(["verify", str(proof)]) == 0 and "verified" in capsys.readouterr().out
    assert cli.run(["orbit", str(path), "--at", "zero", "--values", "a=1,b=0.5", "--quiet"]) == 0
    assert "orbit dimension 0 of 2" in capsys.readouterr().out
    assert cli.run(["laws", str(path), "--forms", "--quiet", "--values", "a=1,b=2"]) == 0
    assert capsys.readouterr().out == "y/x^2\n"
    for values, message in (
        ("a", "--values takes values such as"),
        ("c=1", "'c' is no parameter"),
        ("a=x", "a must be a"),
    ):
        assert cli.run(["laws", str(path), "--values", values]) == 2 and message in capsys.readouterr().err
    assert cli.run(["laws", "linear", "2", "2", "--values", "a=1"]) == 2


# --- one field, numbers that are long, numbers of fields --------------------------------------------------------------


def test_the_headline_of_one_field():
    """Laws that are counted and not shown hold locally; those of two fields, and all that are shown, say nothing."""
    lorenz = VectorFields.from_ode("x' = 10*(y - x); y' = x*(28 - z) - y; z' = x*y - 8/3*z")
    assert clexact.certify(lorenz).headline == "exactly 2 independent conservation laws locally (one field)"
    assert (
        clexact.certify(VectorFields.from_ode("x' = y; y' = -x")).headline == "exactly 1 independent conservation law"
    )


def test_select_says_what_is_wrong():
    X = VectorFields.from_ode("x' = 1\n---\nx' = x")
    with pytest.raises(TypeError, match="list of their numbers, in which 'a' is none"):
        X.select(["a"])
    with pytest.raises(TypeError, match=r"in which 1\.0 is none"):
        X.select([1.0])
    with pytest.raises(IndexError, match="no field 2: they are numbered from 0 to 1"):
        X.select([2])
    assert X.select([-1, 0]) == X.select([1, 0])


def test_orbits_of_long_numbers():
    import json

    point = [10**5000 + 1, 1]
    orbit = clexact.orbit_dimension(VectorFields.from_ode("x' = y; y' = -x"), point)
    first = json.loads(orbit.to_json())["point"][0]
    assert first == "1" + "0" * 4999 + "1"


def test_the_verifier_ends_on_a_file_without_end(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(large, "MAX_BYTES", 10**5)
    assert tiers.main(["/dev/zero"]) == 2 and "NOT A CERTIFICATE" in capsys.readouterr().out
