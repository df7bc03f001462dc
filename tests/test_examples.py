"""The scripts of examples/, where the packages that they show are installed."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {"gpt2": "transformers", "lora": "peft", "resnet18": "torchvision"}
SAYS = {
    "gpt2": ["attn.c_attn.weight.q", "AdamW steps along"],
    "lora": ["exactly 6 laws", "2 drift as second order predicts"],
    "resnet18": ["layer1", "the outputs changed by"],
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages
@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    try:
        __import__(NEEDS[name])
    except (ImportError, RuntimeError) as error:  # one that does not fit the torch that is there
        pytest.skip(f"{NEEDS[name]}: {error}")
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    said = " ".join(capsys.readouterr().out.split())
    for words in SAYS[name]:
        assert words in said


def test_every_script_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NEEDS)
    assert all(f"[{name}.py]({name}.py)" in listed for name in NEEDS)
