"""Write docs/atlas.md and docs/data/counts.parquet from docs/data/*.csv: all counts, family by family, in one place.

    python docs/make_tables.py      # certifies the rows, if they are not those of this source
    python docs/make_atlas.py

Needs pandas and pyarrow, the extra clexact[frame]. A formula is fitted to the exact counts of a network, three quarters
of its sizes at most, and right on all others.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clexact.formulas.fit import fit
from clexact.formulas.formula import Formula

DOCS = Path(__file__).parent
DATA = DOCS / "data"
LETTERS = "abcdef"  # for the sizes of a network, in the order of its family
MOST = 4  # sizes that a formula is looked for in
HEAD = """\
# Atlas of counts

All families of clexact up to a size: {rows} networks and flows, {exact} of them with bounds that meet. Written by
`python docs/make_atlas.py` from [the tables](data/README.md); [all rows as Parquet](data/counts.parquet). Each row has
the SHA-256 of its certificate: `clexact certify FAMILY SIZES ... --save FILE.json` writes that very file, and
`clexact verify FILE.json` checks it without the engine.

A formula is fitted to the exact counts, in the sizes a, b, c, ... of the family, tried on those held out, and no proof
beyond them; [theorems](theorems.md) are.

| network | flow | counts | exact | largest D | laws, from | to | formula |
|---|---|---|---|---|---|---|---|
"""
NEXT = "\nNext: [the theorems](theorems.md), for all sizes; [what no source states](paper.md).\n"


def rows() -> pd.DataFrame:
    """Those of all tables, each with the name of its table."""
    found = [pd.read_csv(path, dtype={"sizes": str}).assign(table=path.stem) for path in sorted(DATA.glob("*.csv"))]
    return pd.concat(found, ignore_index=True)


def formula(part: pd.DataFrame) -> Formula | None:
    """Of the exact counts, if the sizes are few enough and equally many, and none are excepted."""
    sizes = [tuple(map(int, text.split())) for text in part["sizes"]]
    if len({len(size) for size in sizes}) != 1 or len(sizes[0]) > MOST:
        return None
    found = fit(dict(zip(sizes, part["lower"].tolist(), strict=True)), list(LETTERS[: len(sizes[0])]))
    return found if found is not None and found.excluding is None else None


def line(network: str, flow: str, part: pd.DataFrame) -> str:
    """Of the page."""
    exact = part[part["exact"] == "yes"]
    found = formula(exact) if len(exact) else None
    numbers = [len(part), len(exact), part["D"].max(), part["lower"].min(), part["upper"].max()]
    return f"| {network} | {flow} | {' | '.join(map(str, numbers))} | {'' if found is None else f'`{found}`'} |"


def layered(part: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """By the number of sizes, where there are several."""
    lengths = part["sizes"].str.split().str.len()
    several = lengths.nunique() > 1
    return [(f", {n} sizes" * several, part[lengths == n]) for n in sorted(lengths.unique())]


def main() -> None:
    """Write the page and the file."""
    found = rows()
    lines = [
        line(network + note, flow, part)
        for (network, flow), every in found.groupby(["network", "flow"], sort=False)
        for note, part in layered(every)
    ]
    head = HEAD.format(rows=len(found), exact=int((found["exact"] == "yes").sum()))
    (DOCS / "atlas.md").write_text(head + "\n".join(lines) + "\n" + NEXT, encoding="utf-8")
    found.to_parquet(DATA / "counts.parquet", index=False)


if __name__ == "__main__":
    main()
