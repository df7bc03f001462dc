"""Tables, pictures and names of the laws of a module; time limit and progress of the search."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from clexact.support.limits import Limits  # noqa: E402
from clexact.symmetry.views import Term, View  # noqa: E402
from clexact.torch import ModuleLaws, laws  # noqa: E402
from clexact.torch import find as find_module  # noqa: E402
from clexact.torch.reading import entry, part  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def encoder() -> ModuleLaws:
    layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True, norm_first=True)
    net = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    return laws(net, torch.randn(2, 3, 8), certify=False)


@pytest.mark.parametrize("width", [40, 57, 80, 200])
def test_a_table_fits_its_width_and_says_every_law(encoder: ModuleLaws, width: int) -> None:
    lines = encoder.table(width).splitlines()
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    for fold in encoder.folded():
        number = f"{fold.many} x {fold.shown.count}" if fold.many > 1 else str(fold.shown.count)
        assert number in told
    if width == 200:
        assert "matrices of 4 units of each of 2 heads: layers.0..2.self_attn.in_proj_weight.q" in told
        assert "in_proj_bias.k" in told and "[8:16]:" in told


def test_the_numbers_of_a_table_are_all_numbers(encoder: ModuleLaws) -> None:
    total = sum(fold.many * fold.shown.count for fold in encoder.folded())
    assert total == sum(law.count for law in encoder)


def test_the_picture_has_a_dot_for_each_part_of_each_law(encoder: ModuleLaws) -> None:
    root = ElementTree.fromstring(encoder.to_svg())
    dots = root.findall(f"{SVG}circle")
    parts = [{(part(t, dict(f.members[0].layout)[t.parameter][t.view.axis or 0]), t.coefficient > 0)
              for t in f.members[0].terms} for f in encoder.folded()]  # fmt: skip
    assert len(dots) == sum(map(len, parts))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    places = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in dots]
    assert len(set(places)) == len(places)
    assert all(0 < x < width and 0 < y < height for x, y in places)
    rows = {text.text: float(text.attrib["y"]) for text in root.findall(f"{SVG}text")}
    value = next(text for text in rows if text and text.endswith("in_proj_weight.v"))
    assert any(y == rows[value] - 4 for _, y in places)


def test_names_with_markup_are_escaped() -> None:
    net = nn.Module()
    net.forward = lambda x: x @ getattr(net, "a&<b>")  # type: ignore[method-assign]
    net.register_parameter("a&<b>", nn.Parameter(torch.randn(3, 2)))
    found = laws(net, torch.randn(4, 3), loss="cross_entropy", certify=False)
    assert len(found) and "a&amp;&lt;b&gt;" in found.to_svg() and "<b>" not in found.to_html()
    ElementTree.fromstring(found.to_svg())
    assert found.to_html() == found._repr_html_()


def test_a_module_without_laws_is_shown_too() -> None:
    found = laws(nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.Linear(3, 2)), torch.randn(4, 3), certify=False)
    assert len(found) == 0 and "0 laws" in found.table()
    assert not ElementTree.fromstring(found.to_svg()).findall(f"{SVG}circle")


@pytest.mark.parametrize("width", [39, 0, True, 80.0, "80"])
def test_wrong_widths(encoder: ModuleLaws, width: Any) -> None:
    with pytest.raises(ValueError, match="width must be an integer of at least 40"):
        encoder.table(width)


def test_slices_of_fused_projections() -> None:
    def sliced(name: str, start: int, stop: int, axis: int = 0) -> Term:
        return Term(name, 1, View((4, 4), (), 0, axis=axis, start=start, stop=stop))

    names = [part(sliced("h.0.attn.c_attn.weight", 4 * k, 4 * k + 4, 1), 12) for k in range(3)]
    assert names == [f"h.0.attn.c_attn.weight.{letter}" for letter in "qkv"]
    assert part(sliced("attn.qkv.weight", 4, 8), 16) == "attn.qkv.weight[4:8]"  # no third: queries that are grouped
    assert part(sliced("attn.qkv.weight", 2, 6), 12) == "attn.qkv.weight[2:6]"
    assert part(sliced("linear.weight", 4, 8), 12) == "linear.weight[4:8]"
    assert part(sliced("linear.weight", 4, 8, 1), 12) == "linear.weight[:, 4:8]"


def test_q_k_and_v_are_what_the_module_takes_them_for() -> None:
    """The bias of keys is what has no gradient; the law of values has the output projection."""
    net = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(2, 3, 8)
    found = laws(net, (x, x, x), certify=False)
    net(x, x, x)[0].square().sum().backward()
    keys = next(law for law in found if law.kind == "translation")
    assert part(keys.terms[0], 24) == "in_proj_bias.k"
    assert net.in_proj_bias.grad[8:16].abs().max() < 1e-5 < net.in_proj_bias.grad[16:].abs().max()
    values = next(law for law in found if any(term.parameter == "out_proj.weight" for term in law.terms))
    assert part(values.terms[0], 24) == "in_proj_weight.v"


def test_the_place_of_a_number(encoder: ModuleLaws) -> None:
    matrices = next(law for law in encoder if len(law.shape) == 3)
    assert entry(matrices, (1, 0, 3)) == "head 1, units 0 and 3" and entry(matrices, (0, 2, 2)) == "head 0, unit 2"
    diagonal = next(law for law in encoder if law.kind == "diagonal")
    assert entry(diagonal, (5,)) == "unit 5"
    for place in ((2, 0, 0), (0, 0), (-1, 0, 0)):
        with pytest.raises(ValueError, match="the law has numbers at places below"):
            entry(matrices, place)


# Time and progress


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def test_progress_is_told() -> None:
    heard: list[tuple[str, int, int]] = []
    laws(network(), torch.ones(2, 3), progress=lambda *stage: heard.append(stage))
    assert [stage for stage, _, _ in heard] == [
        "reading the module", "finding symmetries", "checking in numbers", "certifying"
    ]  # fmt: skip
    assert [(done, total) for _, done, total in heard] == [(n, 4) for n in range(4)]
    with pytest.raises(TypeError, match="progress must be True, False, None or a function"):
        laws(network(), torch.ones(2, 3), progress=3)  # type: ignore[arg-type]


def endless(*_: Any) -> Any:
    while True:
        np.ones(3).sum()


def test_a_time_limit_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = laws(network(), torch.ones(2, 3))
    held = Limits()

    def reached(finder: Any) -> None:
        held.limit = "the time limit of 10 s"
        raise KeyboardInterrupt

    monkeypatch.setattr(find_module, "limits", lambda seconds: nullcontext(held))
    monkeypatch.setattr(find_module._Finder, "certificates", reached)
    found = laws(network(), torch.ones(2, 3), time_limit=10)
    assert [law.name for law in found] == [law.name for law in whole] and found.bounds is None
    assert "whether there are other laws is not certified" in str(found) and "time limit of 10 s" in str(found)
    assert {law.status.name for law in found} == {"SYMMETRY"} and found.count == whole.count


def test_an_interrupt_of_the_user_is_no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(finder: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(find_module._Finder, "compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        laws(network(), torch.ones(2, 3), time_limit=1000)


def test_a_time_limit_before_the_laws_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_module, "_read", endless)
    with pytest.raises(TimeoutError, match=r"the time limit of 0\.1 s is reached before the laws were found"):
        laws(network(), torch.ones(2, 3), time_limit=0.1)
    with pytest.raises(ValueError, match="time limit must be positive, not 0"):
        laws(network(), torch.ones(2, 3), time_limit=0)
