"""clexact reproduce: verdicts on planted claims, what is stored and used again, the report, the pages made from it."""

import csv
import gzip
import importlib.util
import io
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas
import pytest
from pictures import elements, is_blank, pixels
from rich.console import Console

import clexact
from clexact import claims, models
from clexact.algebra.polynomial import Polynomial
from clexact.claims import archive, linear, maps, maths, pictures, report
from clexact.claims.checks import counted, lawful
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Reach, layers, single, weights
from clexact.claims.judge import judge
from clexact.claims.record import Record, record_of
from clexact.cli import main as cli
from clexact.cli import reproduce as reproduce_command
from clexact.proofs.certificate import Verdict, VerdictStatus
from clexact.support import extras
from clexact.support.provenance import engine
from clexact.sweeps.certified import certified

ROOT = Path(__file__).parent.parent
GRID = Grid(("n", "r", "m"), linear.GRID.dimension, quick=4, full=6, edges=((1, 3, 1),))
SIZES = GRID.sizes(Reach.QUICK)
MANY = [s for s in SIZES if s[1] >= 2]
TOPIC = "Planted"


def wrong_gram(size):
    """With the sign of a misprint: <u_k, u_k'> + <v_k, v_k'>."""
    names = linear.flow(size).variables
    return [Polynomial.from_string(str(law).replace(" - ", " + "), names) for law in linear.gram(size)]


class Planted:
    """Claims whose verdicts are known, and how often their checks have run."""

    def __init__(self):
        self.runs = []
        self.interrupt = None  # the id of a claim during which Ctrl-C comes
        self.claims = [
            self.claim("planted.right", "k(2r + 1 - k)/2 laws", linear.independent),
            self.claim("planted.wrong", "r laws", lambda size: size[1]),
            self.claim("planted.nowhere", "no law", lambda size: 0),
            replace(
                self.claim("planted.part", "r(r + 1)/2 laws", lambda size: size[1] * (size[1] + 1) // 2),
                instead=self.statement("planted.part", "k(2r + 1 - k)/2 laws", linear.independent),
                pictures=("level-sets",),
            ),
            Claim(
                "planted.misprint", "A sign", "slide 6; arXiv 2307.00144",
                Statement("all <u_k, u_k'> + <v_k, v_k'>", r"\langle u_k, u_{k'}\rangle + \langle v_k, v_{k'}\rangle",
                          lambda size, seed: lawful(linear.flow(size), wrong_gram(size), seed)),
                GRID,
                meant=linear.CLAIMS[0].statement,
                note="A <b>planted</b> misprint.",
            ),
            Claim(
                "planted.open", "Bounds that do not meet", "slide 6",
                Statement("5 laws", r"\text{5 laws}", lambda size, seed: Check(
                    None if size == (1, 2, 1) else True, "5", "3 to 7", "planted", 4, more="planted laws & more")),
                GRID,
            ),
            Claim(
                "planted.deep", "Widths", "slide 6",
                Statement("at least one law", r"N \geq 1", lambda size, seed: counted(
                    clexact.gradient_flow(models.linear(list(size))), 1, seed)),
                layers(weights, 3, 4, depths=(2, 3)),
            ),
            Claim(
                "planted.large", "One large network", "slide 6",
                Statement("16 * 17 / 2 laws", r"\frac{16 \cdot 17}{2}", lambda size, seed: counted(
                    clexact.gradient_flow(models.linear([16, 16, 16])), 136, seed)),
                single(),
            ),
        ]  # fmt: skip

    def statement(self, name, words, number):
        def check(size, seed):
            self.runs.append((name, size, seed))
            if self.interrupt == name:
                raise KeyboardInterrupt
            return counted(linear.flow(size), number(size), seed)

        return Statement(words, r"h_{k,k'} \text{ define } r(r+1)/2 \text{ laws}", check)

    def claim(self, name, words, number):
        return Claim(name, words.capitalize(), "slide 6", self.statement(name, words, number), GRID, fitted=False)


VERDICTS = {
    "planted.right": "confirmed", "planted.wrong": "holds on a part", "planted.nowhere": "refuted",
    "planted.part": "holds on a part", "planted.misprint": "misprint", "planted.open": "open",
    "planted.deep": "holds on a part", "planted.large": "confirmed",
}  # fmt: skip


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """The planted claims instead of the real ones, in an empty folder."""
    found = Planted()
    monkeypatch.setattr(claims, "TOPICS", {TOPIC: found.claims[:4], "More & more": found.claims[4:]})
    monkeypatch.chdir(tmp_path)
    return found


def run(capsys, *words):
    """(status, standard output, standard error) of clexact reproduce."""
    try:
        status = cli.run(["reproduce", "--jobs", "1", *words])
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of all planted claims: its folder, records by id, and what was printed."""
    folder, patch = tmp_path_factory.mktemp("whole"), pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(claims, "TOPICS", {TOPIC: Planted().claims[:4], "More & more": Planted().claims[4:]})
        out = io.StringIO()
        context.setattr(sys, "stdout", out)
        context.chdir(folder)
        assert cli.run(["reproduce", "--jobs", "1"]) == 0
    results = folder / "reproduction"
    records = {path.stem: archive.read(path)[0] for path in (results / "findings").iterdir()}
    return results, records, out.getvalue()


# --- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_planted_claims_get_their_verdicts_at_the_right_sizes(whole):
    """A wrong number fails exactly where it is wrong."""
    _, records, printed = whole
    assert {name: record.verdict.value for name, record in records.items()} == VERDICTS
    failing = {name: [cell.size for cell in record.written.where(False)] for name, record in records.items()}
    assert failing["planted.wrong"] == MANY and MANY
    assert failing["planted.nowhere"] == failing["planted.misprint"] == SIZES
    assert failing["planted.part"] == [(1, 3, 1)]
    assert [cell.size for cell in records["planted.open"].written.where(None)] == [(1, 2, 1)]
    assert records["planted.misprint"].kind == "meant" and records["planted.part"].kind == "instead"
    assert "fails exactly where r >= 2" in records["planted.wrong"].sentence
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[: len(VERDICTS)]] == list(VERDICTS)
    assert "8 claims: 2 confirmed, 3 hold on a part, 1 misprint, 1 refuted, 1 open" in lines[len(VERDICTS)]


@pytest.mark.slow
def test_records_round_trip_as_plain_data(whole):
    """JSON and back, formula included."""
    _, records, _ = whole
    for record in records.values():
        assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    claim = replace(Planted().claims[0], grid=replace(GRID, quick=10), fitted=True)
    finding = judge(claim, Reach.QUICK, 2)
    record = record_of(finding, TOPIC)
    assert record.formula == finding.formula.to_dict() and record.seed == 2 and record.seconds > 0
    assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    assert [cell.count for cell in record.written.cells] == list(map(linear.independent, claim.grid.sizes(Reach.QUICK)))


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_numbers_of_the_tables_are_those_of_the_certificates(whole):
    """Each saved certificate claims the number shown, in the finding and in both reports."""
    results, records, _ = whole
    page = Page((results / "report.html").read_text())
    text = (results / "report.md").read_text()
    certified = 0
    for record in records.values():
        rows = page.rows[report.anchor(record.id)]
        assert len(rows) == len(record.written.cells)
        for cell, row in zip(record.written.cells, rows, strict=True):
            written = (" × " if record.layered else ", ").join(map(str, cell.size))
            assert row[1] == written and row[2] == str(cell.dimension) and row[3] == maths.signs(cell.stated)
            assert row[4].removesuffix(" certificate") == maths.signs(cell.found)
            if cell.certificate:
                claim = json.loads(gzip.decompress((results / cell.certificate).read_bytes()))["claim"]
                assert int(claim["lower"]) == int(claim["upper"]) == cell.count == int(cell.found)
                assert f"| {written} | {cell.dimension} | {cell.stated} | [{cell.found}]({cell.certificate})" in text
                certified += 1
    assert certified == 4 * len(SIZES) + len(records["planted.deep"].written.cells) + 1


def test_every_saved_certificate_is_verified(whole, capsys):
    """They hold the programs."""
    results, records, _ = whole
    paths = sorted(str(path) for path in (results / "certificates").rglob("*.json.gz"))
    assert cli.run(["verify", *paths]) == 0
    assert capsys.readouterr().out.count(": verified") == len(paths)
    [large] = records["planted.large"].written.cells
    assert all(clexact.Certificate.load(results / name).of_program for name in (large.certificate, paths[0]))


@pytest.mark.slow
def test_certificates_of_sizes_outside_the_grid_are_removed(planted, capsys):
    """A smaller grid leaves none of a larger one."""
    folder = Path("reproduction/certificates/planted.right")
    run(capsys, "--claims", "planted.right", "--budget", "full")
    before = {path.name for path in folder.iterdir()}
    run(capsys, "--claims", "planted.right")
    after = {path.name for path in folder.iterdir()}
    assert after < before and len(after) == len(SIZES)


# --- stored findings --------------------------------------------------------------------------------------------------


def test_a_second_run_checks_nothing(planted, capsys):
    """All findings are used again, and the output is the same."""
    status, first, _ = run(capsys, "--claims", "planted.right,planted.wrong")
    assert status == 0 and len(planted.runs) == 2 * len(SIZES)
    _, second, _ = run(capsys, "--claims", "planted.right,planted.wrong")
    assert len(planted.runs) == 2 * len(SIZES)
    assert second.splitlines()[:2] == first.splitlines()[:2] and "2 of them from stored findings" in second


@pytest.mark.slow
@pytest.mark.parametrize("change", ["words", "latex", "note", "seed", "budget", "meant", "version", "sources"])
def test_another_key_is_checked_anew(planted, capsys, monkeypatch, change):
    """Statement, seed, budget, version or source."""
    run(capsys, "--claims", "planted.right")
    before, options = len(planted.runs), {"seed": ["--seed", "1"], "budget": ["--budget", "full"]}.get(change, [])
    claim = planted.claims[0]
    if change in ("words", "latex"):
        claim = replace(claim, statement=replace(claim.statement, **{change: "other"}))
    elif change in ("note", "meant"):
        claim = replace(claim, **{change: "other" if change == "note" else claim.statement})
    elif change == "version":
        monkeypatch.setattr(archive, "versions", lambda: {"clexact": "0"})
    elif change == "sources":
        monkeypatch.setattr(archive, "source_hash", lambda: "0")
    monkeypatch.setattr(claims, "TOPICS", {TOPIC: [claim]})
    run(capsys, "--claims", "planted.right", *options)
    assert len(planted.runs) - before == len(GRID.sizes(Reach.FULL if change == "budget" else Reach.QUICK))
    assert planted.runs[-1][2] == (1 if change == "seed" else 0)


def drop_certificate(path):
    next((path.parent.parent / "certificates" / "planted.right").iterdir()).unlink()


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "number": lambda path: path.write_text(path.read_text().replace('"count": 1,', '"count": 2,')),
    "list": lambda path: path.write_text("[]"),
    "no digest": lambda path: path.write_text("{}"),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe"),
    "certificate": drop_certificate,
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_results_are_found_anew(planted, capsys, damage):
    """A stored finding that is not whole is not believed."""
    run(capsys, "--claims", "planted.right")
    path = Path("reproduction/findings/planted.right.json")
    before = len(planted.runs)
    DAMAGES[damage](path)
    status, out, _ = run(capsys, "--claims", "planted.right")
    assert status == 0 and len(planted.runs) == before + len(SIZES) and "confirmed" in out
    assert archive.read(path)[0].written.cells[0].count == 1


@pytest.mark.slow
def test_interruption_keeps_what_was_found(planted, capsys):
    """Ctrl-C: status 130, a report of what is there, how to go on; then the rest is done."""
    planted.interrupt = "planted.nowhere"
    words = ["--claims", "planted.right,planted.wrong,planted.nowhere"]
    status, out, err = run(capsys, *words)
    assert status == 130 and "2 claims: 1 confirmed, 1 holds on a part" in out
    assert err == "clexact: interrupted after 2 of 3 claims; the same command goes on from there.\n"
    assert "planted.wrong" in Path("reproduction/report.html").read_text()
    assert not list(Path("reproduction").rglob("*.part"))
    planted.interrupt, done = None, len(planted.runs)
    status, out, _ = run(capsys, *words)
    assert status == 0 and "2 of them from stored findings" in out
    assert {name for name, *_ in planted.runs[done:]} == {"planted.nowhere"}


def test_interruption_in_json(planted, capsys):
    """One object, which says so."""
    planted.interrupt = "planted.wrong"
    status, out, _ = run(capsys, "--claims", "planted.right,planted.wrong", "--json")
    data = json.loads(out)
    assert status == 130 and data["interrupted"] and [row["id"] for row in data["findings"]] == ["planted.right"]


@pytest.mark.slow
def test_the_report_holds_claims_of_earlier_runs(planted, capsys):
    """Those with the same budget and seed; and in the order of the sources."""
    run(capsys, "--claims", "planted.wrong")
    run(capsys, "--claims", "planted.right")
    page = Path("reproduction/report.html").read_text()
    assert 0 < page.index('id="planted-right"') < page.index('id="planted-wrong"')
    run(capsys, "--claims", "planted.right", "--seed", "5")
    assert "planted-wrong" not in Path("reproduction/report.html").read_text()


# --- the command ------------------------------------------------------------------------------------------------------


def test_claims_are_chosen_by_ids_and_beginnings(planted):
    """In the order of the sources, each once; a beginning ends at a dot."""
    chosen = [claim.id for _, claim in reproduce_command.select("planted.wrong, planted.right")]
    assert chosen == ["planted.right", "planted.wrong"]
    assert len(reproduce_command.select("planted")) == len(reproduce_command.select(None)) == len(VERDICTS)
    for unknown in ("plant", "planted.", "planted.rigth", "", "planted.right,"):
        with pytest.raises(ValueError, match="no claim is called"):
            reproduce_command.select(unknown)


def test_unknown_claims_are_one_sentence_and_nothing_is_written(planted, capsys):
    """Status 2 with what was probably meant."""
    status, out, err = run(capsys, "--claims", "planted.rigth")
    assert status == 2 and not out and "did you mean planted.right" in err and err.count("\n") == 1
    assert not Path("reproduction").exists()


def test_list_prints_ids_and_titles(planted, capsys):
    """And as JSON; nothing is checked."""
    status, out, _ = run(capsys, "--list")
    assert status == 0 and re.search(r"^  planted\.misprint +A sign$", out, re.M) and out.startswith(TOPIC)
    data = json.loads(run(capsys, "--list", "--json")[1])
    assert [row["id"] for row in data] == list(VERDICTS) and not planted.runs
    assert not Path("reproduction").exists()


@pytest.mark.parametrize("place", ["nowhere/results", "file", "file/results"])
def test_unwritable_folders_are_refused_before_any_work(planted, capsys, place):
    """One sentence, status 2."""
    Path("file").write_text("")
    status, out, err = run(capsys, "--out", place)
    assert status == 2 and not out and err.startswith("clexact reproduce: error: cannot open") and not planted.runs


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_a_report_that_cannot_be_written_is_known_before(planted, capsys, name):
    """A folder stands in its place: nothing is checked."""
    Path("reproduction", name).mkdir(parents=True)
    status, out, err = run(capsys)
    said = f"clexact reproduce: error: cannot open 'reproduction/{name}': Is a directory.\n"
    assert (status, out, err) == (2, "", said) and not planted.runs


@pytest.mark.slow
def test_json_has_all_findings(planted, capsys):
    """The same data as is stored."""
    data = json.loads(run(capsys, "--claims", "planted.part", "--json")[1])
    [row] = data["findings"]
    assert row.pop("seconds") > 0
    assert Record.from_dict(row) == archive.read(Path("reproduction/findings/planted.part.json"))[0]
    assert data["totals"] == {v.value: int(v.value == "holds on a part") for v in report.ClaimVerdict}


def test_quiet_prints_the_summary_alone(planted, capsys):
    """No line for each claim."""
    out = run(capsys, "--claims", "planted.right", "--quiet")[1]
    assert out.startswith("1 claim: 1 confirmed") and len(out.splitlines()) == 2


def test_on_a_terminal_the_table_grows(planted, capsys, monkeypatch):
    """A row for each verdict under its topic, with bars while it runs."""
    screen = io.StringIO()
    monkeypatch.setattr(
        reproduce_command, "Console", lambda: Console(file=screen, force_terminal=True, width=100, color_system=None)
    )
    out = run(capsys, "--claims", "planted.right,planted.misprint")[1]
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    rows = (
        r"Planted\s",
        r"planted\.right +confirmed +holds on all",
        r"More & more\s",
        r"planted\.misprint +misprint +as",
    )
    places = [re.search(row, shown).start() for row in rows]
    assert places == sorted(places) and re.search(r"claims .*2/2", shown)
    assert out.startswith("2 claims: 1 confirmed, 1 misprint")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "words", "written"),
    [
        ("jinja2", f"The report is not written, for want of jinja2: {extras.command('report')}", False),
        ("latex2mathml", f"The report is not written, for want of latex2mathml: {extras.command('report')}", False),
        ("matplotlib", f"The report has no pictures, for want of matplotlib: {extras.command('plot')}", True),
    ],
)
def test_a_missing_library_is_named(planted, capsys, monkeypatch, module, words, written):
    """The table is printed and the findings are stored all the same."""
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    status, out, _ = run(capsys, "--claims", "planted.part")
    assert status == 0 and words in out and "planted.part" in out
    assert Path("reproduction/report.html").exists() == Path("reproduction/report.md").exists() == written
    assert archive.read(Path("reproduction/findings/planted.part.json")) is not None
    assert not written or "<figure>" not in Path("reproduction/report.html").read_text()


# --- the report -------------------------------------------------------------------------------------------------------


VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """A page taken apart; AssertionError where tags are not balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.ids, self.rows, self.article, self.cell = [], [], [], {}, None, None
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.addresses += [given[key] for key in ("href", "src", "action", "data", "poster", "srcset") if key in given]
        self.ids += [given["id"]] if "id" in given else []
        if tag not in VOID:
            self.open.append((tag, given.get("class", "")))
        if tag == "article":
            self.article = given["id"]
        classes = [kind for _, kind in self.open]
        inside = "counts" in classes and "nearby" not in classes
        if inside and tag == "tr":
            self.rows.setdefault(self.article, []).append([])
        if inside and tag == "td":
            self.cell = self.rows[self.article][-1]
            self.cell.append("")

    def handle_data(self, data):
        if self.cell is not None:
            self.cell[-1] += data

    def handle_endtag(self, tag):
        assert self.open and self.open.pop()[0] == tag
        if tag == "td":
            self.cell = None
        if tag == "article":
            self.rows[self.article] = [[part.strip() for part in row] for row in self.rows[self.article] if row]


def test_the_page_is_well_formed_and_needs_no_network(whole):
    """Balanced tags; no address but places in the page, files beside it, its own data and arXiv."""
    results, _, _ = whole
    text = (results / "report.html").read_text()
    page = Page(text)
    assert "<script" not in text and "@import" not in text and "url(" not in text
    assert len(page.ids) == len(set(page.ids))
    for address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.ids
        elif not address.startswith("data:image/"):
            known = re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{5}", address)
            assert known or (results / address).is_file(), address
    assert not re.search(r"(https?:)?//(?!arxiv\.org/abs/)[a-z]", re.sub(r"data:image/[^\"]*", "", text))


def test_the_page_says_all_that_is_known(whole):
    """Statement, verdict, sentence, note, command, versions; text is escaped."""
    results, records, _ = whole
    text = (results / "report.html").read_text()
    for record in records.values():
        assert record.command in text and record.title.replace("'", "&#39;") in text
    assert "A &lt;b&gt;planted&lt;/b&gt; misprint." in text and "<b>planted" not in text
    assert "What was meant" in text and "What is true instead" in text and "planted laws &amp; more" in text
    assert all(f"{name} {version}" in text for name, version in archive.versions().items())
    assert not is_blank((results / "pictures" / "level-sets.png").read_bytes())
    assert "![" in (results / "report.md").read_text()


def test_long_tables_are_cut_and_say_where_the_rest_is(whole, monkeypatch):
    """The map has all sizes, the table the first."""
    _, records, _ = whole
    monkeypatch.setattr(report, "ROWS", 3)
    record = records["planted.right"]
    text = report.html([record], {})
    assert len(Page(text).rows["planted-right"]) == 3
    assert f"The other {len(SIZES) - 3} are in" in text and text.count("title=") == len(SIZES)


def test_maps_have_every_size_once(whole):
    """Panels where at most three sizes vary, lists of widths else."""
    _, records, _ = whole
    for record in records.values():
        cells = record.written.cells
        shown = [c for panel in maps.panels(record, cells) for row in panel.rows for c in row.cells if c]
        shown = shown or [cell for strip in maps.strips(record, cells) for cell in strip.cells]
        assert sorted(cell.size for cell in shown) == sorted(cell.size for cell in cells)
    panels = maps.panels(records["planted.right"], records["planted.right"].written.cells)
    for panel in panels:
        for row in panel.rows:
            for column, cell in zip(panel.columns, row.cells, strict=True):
                names = records["planted.right"].names
                at = dict(zip(names, cell.size, strict=True)) if cell else {}
                assert not cell or (at[panel.across], at[panel.down]) == (column, row.value)
                assert not cell or panel.title == ", ".join(
                    f"{x} = {v}" for x, v in at.items() if x not in (panel.across, panel.down)
                )
    deep = records["planted.deep"]
    assert [strip.title for strip in maps.strips(deep, deep.written.cells)] == ["2 layers", "3 layers"]


def test_maths_of_every_claim_is_rendered():
    """No command is left over in MathML, nor an empty formula."""
    statements = [s for topic in claims.TOPICS.values() for c in topic for s in (c.statement, c.meant, c.instead) if s]
    for statement in statements:
        rendered = maths.to_html(statement.latex)
        assert "\\" not in rendered and rendered, statement.latex
        Page(rendered)


@pytest.mark.parametrize(
    ("latex", "formulas", "words"),
    [
        (r"a \text{ and } b", ["a", "b"], [" and "]),
        (r"a + b - c", ["a", "b", "c"], [" + ", " − "]),
        (r"-a = -b", ["-a", "-b"], [" = "]),
        (r"\frac{a + b}{c} + (a + b)^2", [r"\frac{a + b}{c}", "(a + b)^2"], [" + "]),
        (r"\|a + b\|^2 - x_{i+1}^{-1}", [r"\|a + b\|^2", "x_{i+1}^{-1}"], [" − "]),
        (r"r \leq -1", [r"r \leq -1"], []),
        (r"k, \quad r", ["k,", "r"], ["  "]),
        (r"m > 1: \ \text{none}", ["m > 1:"], ["  none"]),
    ],
)
def test_formulas_break_at_words_and_signs(latex, formulas, words, monkeypatch):
    """Outside of brackets, and not at a sign of its own term: between pieces that are formulas of their own."""
    monkeypatch.setattr(maths, "LONG", 0)
    wanted = [part for pair in zip_longest(map(maths.to_html, formulas), words, fillvalue="") for part in pair]
    assert maths.to_html(latex) == "".join(wanted)


def test_markdown_is_escaped():
    """Angle brackets, stars and bars are text."""
    assert maths.plain("<u_k> | *") == r"\<u\_k\> \| \*"
    assert maths.to_markdown(r"\frac{a}{b}") == r"$\frac{a}{b}$" and maths.to_markdown(r"\{a\}") == r"$`\{a\}`$"


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", pictures.DRAWN)
def test_pictures_are_the_same_each_time(name):
    """Of moderate size."""
    first, again = pictures.draw(name), pictures.draw(name)
    if pictures.FORMATS[name] == "png":
        assert np.array_equal(pixels(first), pixels(again)) and not is_blank(first)
    else:
        assert elements(first) == elements(again) and sum(kind == "path" for kind, *_ in elements(first)) > 20
    assert len(first) < 400_000
    assert set(pictures.DRAWN) == set(pictures.CAPTIONS) == set(pictures.FORMATS)


def test_pictures_that_claims_name_are_there():
    """Every name."""
    assert {name for topic in claims.TOPICS.values() for claim in topic for name in claim.pictures} <= set(
        pictures.DRAWN
    )


@pytest.mark.slow
def test_pictures_show_what_they_say():
    """Lines lie on level sets, drifts have their slopes and the exact prediction, Noether's law stays."""
    for level in (-1, 0, 1):
        for line in pictures.cone_lines(level):
            assert np.abs(pictures.cone_law(line) - level).max() < 1e-6
            assert np.linalg.norm(line[-1] - line[0]) > 0.1
    for steps, until, expected in ((np.logspace(-4, -1, 7), None, 2), (0.01 / 2.0 ** np.arange(5), 2.0, 1)):
        measured, predicted = pictures.drifts(steps, until)
        assert np.allclose(measured, predicted, rtol=1e-6, atol=0)
        assert abs(pictures.slope(steps, measured) - expected) < 0.1
    for state in np.random.default_rng(1).normal(size=(5, 3)):
        u, v1, v2 = state
        gradient = 2 * np.array([-u, v1, v2])
        assert np.allclose([gradient @ [v1, u, 0], gradient @ [v2, 0, u]], 0)
    network = pictures.SmallNetwork()
    states, velocities = pictures.heavy_ball(network, 0.4, 2.0, 800)
    kept = np.exp(0.4 * np.linspace(0, 2, 801)) * [network.noether(*p) for p in zip(states, velocities, strict=True)]
    assert np.ptp(kept) < 1e-8 < np.ptp([network.law(x) for x in states])


# --- docs -------------------------------------------------------------------------------------------------------------


def script(name):
    """A module of docs/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_findings_page_of_the_planted_claims(whole, tmp_path, monkeypatch, capsys):
    """Every claim under its verdict, with its sentence and its command; stale or missing findings are refused."""
    results, records, _ = whole
    make = script("make_findings")
    planted = Planted()
    monkeypatch.setattr(claims, "TOPICS", {TOPIC: planted.claims[:4], "More & more": planted.claims[4:]})
    monkeypatch.setattr(make, "PAGE", tmp_path / "findings.md")
    assert make.main([str(results)]) == 0
    page = (tmp_path / "findings.md").read_text()
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    headings = {"confirmed": "Confirmed", "misprint": "Misprints", "open": "Open"}
    for record in records.values():
        section = sections[headings.get(record.verdict.value, "Fails at some sizes")]
        assert f"`{record.command}`" in section and maths.plain(record.title) in section
    assert "planted.part" in sections["New"] and "Planted laws & more." in sections["Beyond the polynomial laws"]
    assert "8 statements: 2 confirmed, 3 hold on a part, 1 misprint, 1 refuted, 1 open" in page
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    (copy / "findings" / "planted.open.json").unlink()
    assert make.main([str(copy)]) == 2 and "planted.open: run clexact reproduce first" in capsys.readouterr().err


def test_findings_page_names_every_claim():
    """docs/findings.md was written for the claims that there are, with the verdicts counted in its head."""
    page = (ROOT / "docs" / "findings.md").read_text()
    ids = [claim.id for topic in claims.TOPICS.values() for claim in topic]
    assert set(re.findall(r"--claims (\S+)", page)) == set(ids)
    assert f"\n{len(ids)} statements: " in page


@pytest.mark.slow
def test_reference_tables_are_certified_anew():
    """A sample of the rows of every file, and all sizes of every file."""
    make, draws = script("make_tables"), random.Random(7)
    total = 0
    for name, tables in make.TABLES.items():
        path = ROOT / "docs" / "data" / f"{name}.csv"
        lines = path.read_text().splitlines()
        total += path.stat().st_size
        places = [(table, case) for table in tables for case in table.cases]
        assert lines[0] == ",".join(make.HEAD) and len(lines) == 1 + len(places)
        for n in draws.sample(range(len(places)), 4):
            table, case = places[n]
            row = certified(case, clexact.Budget(), engine())
            told = table.line(row)
            assert lines[1 + n].endswith(",".join(told[3:])) and next(csv.reader([lines[1 + n]])) == told
    assert total < 1_000_000


def test_the_atlas_has_every_row():
    """Of the tables, in the Parquet file and counted on the page; its formulas are those of the rows."""
    make = script("make_atlas")
    rows, kept = make.rows(), pandas.read_parquet(make.DATA / "counts.parquet")
    pandas.testing.assert_frame_equal(rows, kept, check_dtype=False)
    page = (ROOT / "docs" / "atlas.md").read_text()
    assert f"{len(rows)} networks and flows, {(rows['exact'] == 'yes').sum()} of them" in page
    assert rows["certificate"].str.fullmatch("[0-9a-f]{64}").all()
    part = rows[(rows["network"] == "U V^T") & (rows["flow"] == "mirror")]
    assert make.line("U V^T", "mirror", part) in page


# --- several processes ------------------------------------------------------------------------------------------------

CHEAP = "example,neuron.formula,linear.dimension"


@pytest.mark.slow
def test_any_number_of_processes_finds_the_same(tmp_path, capsys):
    """In order, with the same certificates."""
    found = []
    for jobs in ("1", "2"):
        status, out, _ = run(capsys, "--claims", CHEAP, "--jobs", jobs, "--json", "--out", str(tmp_path / jobs))
        assert status == 0
        rows = json.loads(out)["findings"]
        found.append([{key: row[key] for key in ("id", "verdict", "sentence")} for row in rows])
    assert found[0] == found[1] and len(found[0]) == 5
    one, two = (sorted((tmp_path / jobs / "certificates").rglob("*.json.gz")) for jobs in ("1", "2"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two] and one


def test_no_process_is_refused_before_any_work(tmp_path, capsys):
    status, _, err = run(capsys, "--jobs", "0", "--out", str(tmp_path / "out"))
    assert status == 2 and "--jobs must be at least 1, not 0." in err and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_keeps_what_was_found(tmp_path):
    """A run of all claims, interrupted as soon as something is stored; the same command goes on from there."""
    words = [sys.executable, "-m", "clexact", "reproduce", "--jobs", "2", "--quiet", "--out", str(tmp_path)]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "findings").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130 and "the same command goes on from there" in err
    stored = list((tmp_path / "findings").glob("*.json"))
    assert stored and all(archive.read(path) is not None for path in stored)


# --- every certificate is verified as it is saved ---------------------------------------------------------------------


def test_a_certificate_beyond_the_verifier_is_not_kept(planted, capsys, monkeypatch):
    refused = Verdict(VerdictStatus.UNDECIDED, ("undecided: the brackets are too deep to be evaluated",))
    monkeypatch.setattr(archive, "verify", lambda path: refused)
    status, _, _ = run(capsys, "--claims", "planted.right")
    record = archive.read(Path("reproduction/findings/planted.right.json"))[0]
    assert status == 0 and all(cell.certificate is None and cell.holds for cell in record.written.cells)
    assert not list(Path("reproduction/certificates").rglob("*.json.gz"))


def test_a_certificate_that_is_false_ends_the_run(planted, capsys, monkeypatch):
    wrong = Verdict(VerdictStatus.FALSE, ("FALSE: law 0 is not conserved",))
    monkeypatch.setattr(archive, "verify", lambda path: wrong)
    status, _, err = run(capsys, "--claims", "planted.right")
    assert status == 2 and "planted.right" in err and "law 0 is not conserved" in err
    assert not list(Path("reproduction/findings").glob("*.json"))
