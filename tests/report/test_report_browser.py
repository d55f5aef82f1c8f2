"""A report in a browser: it asks for nothing, says nothing to the console, fits a phone, and prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plait.cli import main
from plait.data import samples
from plait.report.sections import SECTIONS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE, DESK = {"width": 375, "height": 700}, {"width": 1200, "height": 900}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open pages with"),
]


@pytest.fixture(scope="module", params=["en", "zh"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    samples.loans(600, seed=0).to_parquet(folder / "loans.parquet")
    roles = ["--target", "default", "--time", "issued_at", "--sensitive", "region"]
    fast = ["--fusion", "early", "--learner", "linear", "--jobs", "1"]
    commands = [
        ["fit", str(folder / "loans.parquet"), *roles, *fast, "-o", str(folder / "run")],
        ["report", str(folder / "run"), "-o", str(folder / "report.html"), "--language", request.param],
    ]
    for command in commands:
        with pytest.raises(SystemExit) as left:
            main(command)
        assert not left.value.code
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_it_opens_asking_for_nothing(page: Path, browser: Any, size: dict[str, int]) -> None:
    tab = browser.new_page(viewport=size)
    said: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    shown = {section.get_attribute("id"): section for section in tab.query_selector_all("main > section")}
    assert list(shown) == ["summary", *SECTIONS]
    for section in shown.values():
        heading = section.query_selector("h2")
        assert heading.is_visible()
        assert heading.inner_text()
    assert tab.evaluate("Array.from(document.images).every(image => image.complete && image.naturalWidth > 0)")
    tab.close()


def test_it_prints(page: Path, browser: Any) -> None:
    tab = browser.new_page(viewport=DESK)
    tab.goto(page.as_uri())
    printed = tab.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page") > 5
    tab.close()
