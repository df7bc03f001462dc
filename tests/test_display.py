"""How results show themselves in notebooks."""

import re
from html.parser import HTMLParser

import pytest

import clexact
from clexact import models
from clexact.support.display import MOST_LAWS, MOST_TERMS, facts, table

COUNT = clexact.certify(clexact.gradient_flow(models.linear([4, 3, 5])))
LARGE = clexact.certify(clexact.gradient_flow(models.linear([30, 12, 30])))
HEAVY = clexact.certify(clexact.momentum_flow(models.linear([1, 2, 2]), clexact.HeavyBall(2)))


class Balanced(HTMLParser):
    """Tags that open and close in order; the text between them."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(self.texts)


def shown(result):
    found = Balanced(result._repr_html_())
    assert not found.open
    return found.text


def plain(html):
    """HTML of a polynomial as text: U1[0,2]^2 for <i>U</i><sub>1;0,2</sub><sup>2</sup>."""
    text = re.sub(r"<sub>(\d*);?([\d,]*)</sub>", lambda m: f"{m[1]}[{m[2]}]" if m[2] else f"[{m[1]}]", html)
    return re.sub(r"<sup>(\d+)</sup>", r"^\1", text).replace("<i>", "").replace("</i>", "")


@pytest.mark.parametrize("law", list(COUNT.laws.polynomials()), ids=str)
def test_html_of_a_polynomial_reads_as_the_polynomial(law):
    assert plain(law.to_html()).replace(" U", "*U").replace("+*", "+ ").replace("-*", "- ") == str(law)


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("U1'[0,2]", "<i>U</i>'<sub>1;0,2</sub>"),
        ("theta_1", "theta<sub>1</sub>"),
        ("x", "<i>x</i>"),
        ("gate[3]", "gate<sub>3</sub>"),
    ],
)
def test_html_of_names(name, html):
    assert clexact.Polynomial.from_string(name, [name]).to_html() == html


def test_a_count_says_all_that_matters():
    text = shown(COUNT)
    for part in (str(COUNT), COUNT.evidence.lower, COUNT.evidence.upper, COUNT.description, *COUNT.assumptions):
        assert part in text
    assert "6 of U1, U2" in text and "U1ᵀU1 − U2U2ᵀ  (i ≤ j < 3)" in text and "[0]" in text
    assert r"U_{1}^\top\,U_{1} - U_{2}\,U_{2}^\top" in COUNT._repr_latex_()
    polynomials = COUNT.laws.polynomials()
    assert all(f"[{n}]" in shown(polynomials) for n in range(6)) and polynomials._repr_latex_().count(r"\\") == 5


def test_many_and_long_laws_are_cut():
    laws = LARGE.laws.polynomials()
    assert len(laws) == 78 and len(laws[0]) == 60
    assert f"... {len(laws) - MOST_LAWS} more" in shown(laws) and "more" not in shown(LARGE)
    assert f"... ({len(laws[0])} terms)" in shown(laws)
    assert shown(laws).count("<i>U") == 0 and laws._repr_html_().count("<sub>") <= 2 * MOST_LAWS * MOST_TERMS
    assert rf"\text{{... {len(laws) - MOST_LAWS} more}}" in laws._repr_latex_()
    assert len(laws.to_latex()) == 78  # all of them, where they are asked for


def test_exponentials_are_written_out():
    assert "e^(2*t)" in HEAVY.laws._repr_html_()
    html = HEAVY.laws.polynomials()._repr_html_()
    assert "<i>e</i><sup>2 t</sup>" in html and "<i>s</i>" not in html
    shown(HEAVY.laws.polynomials())


def test_models_flows_fields_and_closures():
    model = models.tanh(2, 1, 2)
    assert f"D = {model.dimension}" in shown(model)
    flow = clexact.gradient_flow(model)
    assert repr(flow) == f"AnalyticGradientFlow({flow.description}, D = {flow.dimension})"
    assert all(part in shown(flow) for part in (flow.description, *flow.assumptions))
    assert "its fields are analytic, not polynomials" in shown(flow)
    assert "analytic" not in shown(clexact.gradient_flow(models.product(2)))
    fields = clexact.VectorFields.from_strings(["x", "y"], [["y", "-x"], ["x^2", "0"]])
    assert fields._repr_latex_() == (
        r"$$\theta = \begin{pmatrix} x \\ y \end{pmatrix},\quad X_{1} = \begin{pmatrix} y \\ -x \end{pmatrix},"
        r"\quad X_{2} = \begin{pmatrix} x^{2} \\ 0 \end{pmatrix}$$"
    )
    assert clexact.gradient_flow(models.linear([4, 3, 5])).fields._repr_latex_().startswith(r"$\text{20 fields on")
    assert COUNT.closure._repr_latex_().startswith(r"$\dim W = 18 \to 21 \text{ of } 27")


def test_certificates_verdicts_and_orbits():
    certificate = COUNT.certificate
    assert repr(certificate) == "Certificate(gradient flow of linear [4, 3, 5], exactly 6 laws)"
    assert f"{len(certificate.to_bytes()):,} bytes" in shown(certificate)
    fields = [["x", "2*y", "3*z"], ["x*y*z", "2*y^2*z", "3*z^2*y"]]
    closed = clexact.certify(clexact.VectorFields.from_strings(["x", "y", "z"], fields)).certificate
    assert repr(closed) == "Certificate(2 explicit fields on Q^3, exactly 2 laws, closed with error <= 2^-100)"
    verdict = clexact.verify(certificate)
    assert all(sentence in shown(verdict) for sentence in verdict.sentences) and "verified" in shown(verdict)
    orbit = clexact.orbit_dimension(clexact.gradient_flow(models.linear([2, 2, 2])), "zero")
    assert str(orbit) in shown(orbit) and orbit.evidence in shown(orbit)


def test_text_is_escaped():
    assert facts("<b>", {"<i>": "a & b", "left out": None}).count("<i>") == 0
    assert "&lt;b&gt;" in facts("<b>", {}) and "a &amp; b" in table([["a & b"]])
    net = clexact.Model(parameters={"u": (2,)}, output=lambda u: u * u, name="<script>")
    assert "<script>" not in net._repr_html_() and "&lt;script&gt;" in net._repr_html_()
    assert "<script>" not in clexact.gradient_flow(net)._repr_html_()


def test_nothing_to_show():
    none = clexact.polynomial_laws(clexact.VectorFields.from_strings(["x"], [["1"]]), 2)
    assert none._repr_latex_() == "no polynomial law" and "0 polynomial laws of degree at most 2" in shown(none)
    assert "laws by parameters" not in shown(clexact.certify(clexact.gradient_flow(models.tanh(2, 1, 2))))
