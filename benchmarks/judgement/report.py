"""A report of a run: how long does it take, how large is it, and does a browser find anything amiss?"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import pandas as pd

from benchmarks.runner import Measured, Report, main
from plait.cli import main as plait
from plait.data import samples
from plait.errors import PlaitError

LOANS, DOSSIERS = 4_000, 600
ROLES = ("--target", "default", "--time", "issued_at", "--sensitive", "region", "--jobs", "1")


class Seen(NamedTuple):
    """What a browser met: messages on its console, requests for anything but the page, pixels beyond the width of a
    phone, and sections without a visible heading."""

    messages: int
    requests: int
    overflow: int
    hidden: int


def called(*arguments: str) -> float:
    """Seconds of a command.

    Raises
    ------
    PlaitError
        If it fails.
    """
    start = perf_counter()
    try:
        plait(arguments)
    except SystemExit as left:
        if left.code:
            raise PlaitError(f"plait {arguments[0]} ended with {left.code}") from None
    return perf_counter() - start


def reported(folder: Path, frame: pd.DataFrame, *options: str) -> tuple[float, int, Path]:
    """Seconds and bytes of the report of a fit on `frame`, and the page."""
    frame.to_parquet(folder / "data.parquet")
    called("fit", str(folder / "data.parquet"), *ROLES, *options, "-o", str(folder / "run"))
    page = folder / "report.html"
    seconds = called("report", str(folder / "run"), "-o", str(page), "--cost", "FP=1,FN=4")
    return seconds, page.stat().st_size, page


def looked_at(page: Path) -> Seen | None:
    """The page in headless Chromium on a phone; None where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    messages: list[str] = []
    requests: list[str] = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 375, "height": 700})
        tab.on("console", lambda message: messages.append(message.text))
        tab.on("pageerror", lambda error: messages.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(page.as_uri())
        overflow = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        headings = [section.query_selector("h2") for section in tab.query_selector_all("main > section")]
        hidden = sum(heading is None or not heading.is_visible() for heading in headings)
        browser.close()
    outside = [url for url in requests if not url.startswith("data:") and url != page.as_uri()]
    return Seen(len(messages), len(outside), int(overflow), hidden)


def run(seed: int) -> Report:
    """Loans with auto, and dossiers (five kinds of evidence) with boosted trees over all features."""
    sets = {
        f"loans, {LOANS:,} rows": (samples.loans(LOANS, seed), ()),
        f"dossiers, {DOSSIERS:,} rows": (samples.dossiers(DOSSIERS, seed), ("--fusion", "early")),
    }
    figures: list[Measured] = []
    notes = ["seconds are those of plait report alone, one thread; they do not include the fit"]
    for name, (frame, options) in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            seconds, size, page = reported(Path(folder), frame, *options)
            seen = looked_at(page)
        figures += [Measured(f"report of {name}", seconds, unit="s"), Measured(f"report of {name}", size, unit="bytes")]
        if seen is None:
            notes.append("no chromium here: the pages were not opened")
            continue
        figures += [
            Measured(f"{name}: console messages", seen.messages),
            Measured(f"{name}: outside requests", seen.requests),
            Measured(f"{name}: pixels beyond a phone's width", seen.overflow),
            Measured(f"{name}: sections without a visible heading", seen.hidden),
        ]
    return Report(
        data="plait.samples.loans and plait.samples.dossiers: made",
        split="as plait fit divides: the latest quarter of the rows held out",
        figures=tuple(figures),
        notes=tuple(notes),
    )


if __name__ == "__main__":
    sys.exit(main(run))
