"""The documents are true: snippets run, links lead somewhere, both languages agree, the map shows every file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import plait

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "plait"
READMES = ("README.md", "README.zh-CN.md")
SNIPPETS = sorted((ROOT / "docs" / "snippets").iterdir())
NOT_RUN = {"quickstart.console", "install.console", "develop.console"}  # they build an environment: CI runs them
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXTS = sorted(
    path
    for folder in ("src", "tests", "docs", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md", ".console", ".yaml"}
)

FENCE = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)```\n", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


@pytest.mark.parametrize("name", READMES)
def test_every_snippet_is_a_file(name: str) -> None:
    blocks = list(FENCE.finditer((ROOT / name).read_text("utf-8")))
    assert blocks
    for block in blocks:
        assert block["file"], f"no file is named before:\n{block['code']}"
        assert (ROOT / block["file"]).read_text("utf-8") == block["code"], block["file"]


def test_every_snippet_file_is_shown() -> None:
    shown = {block["file"] for block in FENCE.finditer((ROOT / "README.md").read_text("utf-8"))}
    assert shown == {path.relative_to(ROOT).as_posix() for path in SNIPPETS}


def test_both_languages_have_the_same_sections_and_commands() -> None:
    english, chinese = ((ROOT / name).read_text("utf-8") for name in READMES)
    assert [m[1] for m in HEADING.finditer(FENCE.sub("", english))] == [
        m[1] for m in HEADING.finditer(FENCE.sub("", chinese))
    ]
    assert [m["file"] for m in FENCE.finditer(english)] == [m["file"] for m in FENCE.finditer(chinese)]
    assert english.count("\n- ") == chinese.count("\n- ")


@pytest.mark.slow
def test_snippets_run_one_after_the_other(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shown = [m["file"] for m in FENCE.finditer((ROOT / "README.md").read_text("utf-8"))]
    for path in (ROOT / name for name in shown if Path(name).name not in NOT_RUN):
        if path.suffix == ".py":
            command = [sys.executable, "-W", "error", str(path)]
        else:
            lines = [line.removeprefix("$ ") for line in path.read_text("utf-8").splitlines() if line.startswith("$ ")]
            command = ["bash", "-euc", "\n".join(lines)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{path.name}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(prose(page)):
        there = (page.parent / target) if target else page
        assert there.exists(), f"{target} does not exist"
        if anchor:
            titles = [title for _, title in HEADING.findall(prose(there))]
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor[1:] in slugs, f"{target}{anchor} does not exist"


def test_the_map_shows_every_file_once() -> None:
    shown = re.findall(r"^- `([\w/]+\.py)`: \S", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE)
    there = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]
    assert sorted(shown) == sorted(there)


def test_the_map_draws_the_levels_that_are_tested() -> None:
    from test_architecture import LEVELS

    drawn = re.search(r"```text\n(errors <.*?)```", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.DOTALL)
    assert drawn
    levels = [set(re.findall(r"\w+", level)) for level in drawn[1].split("<")]
    assert levels == [level for level in LEVELS if level != {"__init__"}]


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{plait.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_decisions_are_numbered_and_say_why() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{i:04d}" for i in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert [title for level, title in HEADING.findall(text) if level == "##"] == [
            "Context",
            "Decision",
            "Consequences",
        ]


UNWANTED = {
    "a path of one machine": r"/(?:work|root|home|Users)/\w",
    "work left to do": r"\b(?:TO|FIX)(?:DO|ME)\b",
}


@pytest.mark.parametrize("what", UNWANTED)
def test_nothing_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in [*TEXTS, *PAGES, ROOT / "Makefile", ROOT / ".ci" / "run"]
        for match in re.finditer(UNWANTED[what], path.read_text("utf-8"))
    ]
    assert not found
