"""The report's page as a reader meets it: formulas in prose, sources in full, contrast, what a screen reader needs."""

import re
from html import unescape

import pytest

from clexact import claims
from clexact.claims import maths, prose, report, sources
from clexact.claims.judge import ClaimVerdict
from clexact.claims.record import Cell, Record, Table

CELL = Cell((1, 2), "n = 1, r = 2", True, "3", "3", "proved", 4, "", 3, ("x^2",), "", 0.1, None)
FAILING = Cell((2, 2), "n = 2, r = 2", False, "3", "4", "proved", 4, "", 4, (), "", 0.1, None)


def record(name, verdict, topic="A topic"):
    """A finding as the report takes it."""
    table = Table("every h_kk' of U V^T", "h_{kk'}", (CELL, FAILING))
    return Record(
        name, topic, f"Title of {name}", "talk, slide 28, corollary; arXiv 2307.00144", "", (), ("n", "r"), False,
        verdict, "holds on a part & more", table, None, None, None, "quick", 0, f"clexact reproduce --claims {name}",
    )  # fmt: skip


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    found = [record("a.one", ClaimVerdict.CONFIRMED), record("b.two_2", ClaimVerdict.PARTLY, "Another topic")]
    return report.html(found, {})


def test_tables_and_the_page_are_labelled_for_who_hears_them(page):
    heads = re.findall(r"<th\b[^>]*>([^<]*)", page)
    assert heads and all("scope=" in tag for tag in re.findall(r"<th\b[^>]*>", page))
    assert '<a class="skip" href="#claims">' in page and '<main id="claims"' in page
    assert page.index('class="skip"') < page.index("<header>")


def test_verdicts_filter_without_a_script(page):
    """A box for each verdict there is; rules hide its claims, and topics of which all are hidden."""
    assert re.findall(r'type="checkbox" id="show-(\w+)" checked', page) == ["confirmed", "partly"]
    for name, place in (("confirmed", "a-one"), ("partly", "b-two-2")):
        assert f"body:has(#show-{name}:not(:checked)) .is-{name}:not(:target) {{ display: none" in page
        assert f"body:has(#show-{name}:not(:checked)) .only-{name}:not(:has(:target)) {{ display: none" in page
        assert f'<article id="{place}" class="is-{name}">' in page


def test_claims_can_be_linked_and_cited_with_date_and_version(page):
    assert 'href="#a-one" aria-label="Permanent link to a.one"' in page
    assert 'Report of <time datetime="1970-01-02">' in page
    entry = next(unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", page, re.S) if "two" in text)
    assert entry.startswith("@misc{clexact-b-two-2,\n") and r"b.two\_2" in entry and "1970-01-02" in entry
    assert entry.count("{") == entry.count("}") and report.engine() in entry
    assert "“Number of Conservation Laws”" in page and "Abide by the law and follow the flow" in page


# --- contrast --------------------------------------------------------------------------------------------------------


def palettes():
    """{mode: {name: colour}} of the style sheet."""
    css = (report.TEMPLATES / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.S)
    return dict(
        zip(("light", "dark", "print"), [dict(re.findall(r"--([\w-]+): #(\w{6})", b)) for b in blocks], strict=True)
    )


def luminance(colour):
    """Of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_contrast_is_at_least_four_and_a_half(mode):
    colours = palettes()[mode]
    pairs = [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("page", "panel")]
    pairs += [(f"{name}-ink", name) for name in ("yes", "no", "maybe", "partly", "misprint")]
    for ink, ground in pairs:
        dark, bright = sorted((luminance(colours[ink]), luminance(colours[ground])))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


# --- sources ---------------------------------------------------------------------------------------------------------

CLAIMS = [claim for topic in claims.TOPICS.values() for claim in topic]


def test_every_slide_and_paper_of_a_source_is_named():
    for claim in CLAIMS:
        named = " ".join(reference.text for reference in sources.references(claim.source))
        assert ("slide" in claim.source) == (sources.TALK in named)
        assert set(re.findall(r"arXiv (\S{10})", claim.source)) == set(re.findall(r"arXiv (\S{10})", named))


def test_slides_have_their_titles():
    assert sources.slides("27 and 33") == "slides 27 and 33, “Number of Conservation Laws” and “Conclusion”"
    assert sources.slides("29 to 32") == "slides 29 to 32, “Momentum Flows”"
    with pytest.raises(ValueError, match="the talk has slides 1 to 34, not 35"):
        sources.title(35)


# --- formulas in prose -----------------------------------------------------------------------------------------------


def marked(text):
    """The text with its formulas between brackets."""
    return "".join(piece if kind == "text" else f"⟦{piece}⟧" for kind, piece in prose.pieces(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the h_kk' define r(r + 1)/2 laws", r"the ⟦h_{kk'}⟧ define ⟦r(r+1)/2⟧ laws"),
        ("a law of a and b, a network", "a law of a and ⟦b⟧, a network"),
        ("n x m matrices, and x + 1", r"⟦n\times m⟧ matrices, and ⟦x+1⟧"),
        ("W_1 = W_2 = ... = W_infinity.", r"⟦W_{1}=W_{2}=\ldots=W_{\infty}⟧."),
        ("<u_k, u_k'> - ||v||^2", r"⟦\langle u_{k},u_{k'}\rangle-\|v\|^{2}⟧"),
        ("where r >= 2(n + m) + 2, from 1, 8, 2 on", r"where ⟦r\geq 2(n+m)+2⟧, from 1, 8, 2 on"),
        ("e^(tau t) and e^(integral of it)", r"⟦e^{\tau t}⟧ and e^(integral of it)"),
        ("at k = 1 a unit", "at ⟦k=1⟧ a unit"),
        ("top-k, GPT-2, 2063s, 1.5", "top-k, GPT-2, 2063s, 1.5"),
        ("so h is, on so(n, m)", r"so ⟦h⟧ is, on ⟦\operatorname{so}(n,m)⟧"),
        ("(K = 2) if x^( or |y or f(", "⟦(K=2)⟧ if x^( or |y or f("),
    ],
)
def test_formulas_are_found_in_prose(text, found):
    assert marked(text).replace(" ", "") == found.replace(" ", "")


SPELLED = {
    "ϕ": "phi", "φ": "phi", "∞": "infinity", "⊤": "T", "⟨": "<", "⟩": ">", "≤": "<=", "≥": ">=", "≠": "!=", "→": "->",
    "↔": "<->", "−": "-", "‖": "||", "∥": "||", "…": "...", "∑": "sum", "∇": "grad", "×": "x", "∗": "*",
    "θ": "theta", "τ": "tau", "σ": "sigma", "λ": "lambda", "η": "eta", "Φ": "Phi", "′": "'", "″": "''", "‴": "'''",
}  # fmt: skip


def letters(text):
    """What is left of a text without spaces, marks of indices and brackets of powers."""
    return re.sub(r"[\s_^{}()|\u2061]", "", "".join(SPELLED.get(letter, letter) for letter in text))


def test_what_is_shown_is_what_is_written():
    """The letters of the page, in their order, are those of the words of every claim."""
    statements = [s for c in CLAIMS for s in (c.statement, c.meant, c.instead) if s]
    for text in [s.words for s in statements] + [c.note for c in CLAIMS]:
        shown = maths.prose_to_html(text)
        assert "\\" not in shown
        assert letters(unescape(re.sub(r"<[^>]*>", "", shown))) == letters(text.replace("−", "-"))


def test_latex_is_escaped_for_bibtex():
    assert maths.for_latex("a_b & 50% of x^2") == r"a\_b \& 50\% of x\^{}2"
