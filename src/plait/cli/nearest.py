"""``plait nearest``: the rows of a file whose one source fits another source of each query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import AsJson, DataFolder, Encoding, MaskPersonal, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables

__all__ = ["nearest"]

SHOWN = 20  # queries


def nearest(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="What `plait pretrain` wrote.")],
    query: Annotated[Path, typer.Argument(metavar="QUERY", help="A file of queries.")],
    among: Annotated[Path, typer.Option(metavar="DATA", help="The file whose rows are looked through.")],
    of: Annotated[str, typer.Option(metavar="SOURCE", help="What is wanted of those rows, such as their letters.")],
    to: Annotated[str, typer.Option(metavar="SOURCE", help="What it is to fit of each query, such as its balances.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Rows a query.")] = 5,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    as_json: AsJson = False,
) -> None:
    """Find rows across sources, without labels: the letters that fit a balance curve, say.

    Rows are counted from 0. Scores are cosines: 1 fits best.
    """
    from plait.cli.rows import rows_of
    from plait.pretraining import Base

    screen = Screen(as_json)
    loaded = Base.load(base)
    asked, looked = (rows_of(path, data_folder, encoding, mask_personal) for path in (query, among))
    found = loaded.nearest(asked, looked, of=of, to=to, k=k, sides=long_tables(side).of(loaded.schema))
    matches = [
        [(int(row), round(float(score), 6)) for row, score in zip(rows, scores, strict=True) if row >= 0]
        for rows, scores in zip(found.rows, found.scores, strict=True)
    ]
    if lost := sum(not each for each in matches):
        screen.note(f"nothing found for {lost} of the queries: they lack {to!r}, or no row has {of!r}")
    screen.heading(f"{of} of {among} that fits {to} of {query}")
    lines = [", ".join(f"{row} ({score:.3f})" for row, score in each) for each in matches[:SHOWN]]
    screen.table([("query", "rows, best first"), *enumerate(lines)])
    told = [{"query": i, "nearest": [{"row": r, "score": s} for r, s in each]} for i, each in enumerate(matches)]
    screen.result({"of": of, "to": to, "k": k, "among": len(looked), "found": told})
