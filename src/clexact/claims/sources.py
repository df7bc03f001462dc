"""The sources named in full: of the talk the title of a slide, of a paper who wrote it and what it is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

TALK = "G. Peyré, Conservation Laws for Gradient Flows, talk of 29 September 2023"
SLIDES = {  # first slide of each title
    1: "Conservation Laws for Gradient Flows",
    3: "Conservation laws",
    5: "Homogeneity matters",
    6: "Independent conservation laws",
    10: "Structure of the Flow Fields",
    12: "Minimal Parameterizations",
    16: "Example: 1 hidden neuron",
    17: "Constructing Conservation Laws",
    21: "Did we found all the conservation laws?",
    26: "Number of Conservation Laws",
    29: "Momentum Flows",
    33: "Conclusion",
}
LAST = 34
TRIO = "S. Marcotte, R. Gribonval and G. Peyré"
PAPERS = {  # who wrote them, and their titles where we know them
    "2307.00144": f"{TRIO}, Abide by the law and follow the flow: conservation laws for gradient flows",
    "2405.12888": f"{TRIO}, Keep the momentum: conservation laws beyond Euclidean gradient flows",
    "2506.06194": f"{TRIO}, Transformative or conservative? Conservation laws for ResNets and transformers",
    "2508.07370": "S. Marcotte, G. Peyré and R. Gribonval, Intrinsic training dynamics of deep neural networks",
    "2606.17816": "V.-H. Tran et al.",
    "2012.04728": "D. Kunin, J. Sagastuy-Brena, S. Ganguli, D. L. K. Yamins and H. Tanaka, Neural mechanics: "
    "symmetry and broken conservation laws in deep learning dynamics",
    "2212.14881": "A. Desoeuvres, A. Iosif, C. Lüders, O. Radulescu, H. Rahkooy, M. Seiß and T. Sturm, "
    "A computational approach to polynomial conservation laws",
}
SLIDE = re.compile(r"\bslides? ((?:\d+(?:, | and | to )?)+)")
PAPER = re.compile(r"\barXiv (\d{4}\.\d{5})")
NOTEBOOK = "published notebook"
CODE = "S. Marcotte, code of the paper: github.com/sibyllema/Conservation_laws"


class Reference(NamedTuple):
    """A source in full; ``address`` is empty where it has none."""

    text: str
    address: str = ""


def references(source: str) -> list[Reference]:
    """What a claim's source names, each once, in full."""
    return list(dict.fromkeys(_found(source)))


def _found(source: str) -> Iterator[Reference]:
    for match in SLIDE.finditer(source):
        yield Reference(f"{TALK}, {slides(match[1])}")
    for match in PAPER.finditer(source):
        name = match[1]
        yield Reference(
            f"{PAPERS[name]}, arXiv {name}" if name in PAPERS else f"arXiv {name}", f"https://arxiv.org/abs/{name}"
        )
    if NOTEBOOK in source:
        yield Reference(CODE)


def slides(numbers: str) -> str:
    """ "26 and 27": slides 26 and 27, “Number of Conservation Laws”."""
    found = [int(number) for number in re.findall(r"\d+", numbers)]
    every = range(found[0], found[1] + 1) if " to " in numbers else found
    titles = dict.fromkeys(title(number) for number in every)
    word = "slide" if len(found) == 1 else "slides"
    return f"{word} {numbers.strip().strip(',')}, {' and '.join(f'“{each}”' for each in titles)}"


def title(slide: int) -> str:
    """Of a slide; ValueError for one that the talk does not have."""
    if not 1 <= slide <= LAST:
        raise ValueError(f"the talk has slides 1 to {LAST}, not {slide}.")
    return SLIDES[max(first for first in SLIDES if first <= slide)]
