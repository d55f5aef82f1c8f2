"""What a verb shows while it works, and who else hears of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.cli.screen import Screen, figures
from plait.cli.watching import watching
from plait.contracts import Progress
from plait.errors import ConfigError


def test_figures_of_the_moment_are_a_line() -> None:
    now = Progress("train", 3, 10, 0.5, {"loss": 0.61234, "learning_rate": 1e-3, "rows": 96})
    assert figures(now, 1234.5) == "loss 0.6123, 0.5000, rate 1.0e-03, 1,234 rows/s"
    assert figures(Progress("reading table", 0, 1), None) == ""


def test_watchers_hear_what_the_screen_shows(tmp_path: Path) -> None:
    screen = Screen(as_json=True)
    with watching(screen, ["jsonl"], tmp_path, {}):
        with screen.progress() as report:
            report(Progress("reading table", 0, 1))
        with screen.progress() as report:
            report(Progress("train", 1, 2, None, {"loss": 0.5}, "network"))
    with screen.progress() as report:
        report(Progress("after", 0, 1))
    told = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["part"], line["stage"]) for line in told] == [("", "reading table"), ("network", "train")]


def test_nobody_watches_unless_asked(tmp_path: Path) -> None:
    screen = Screen(as_json=True)
    with watching(screen, None, tmp_path, {}), screen.progress() as report:
        report(Progress("train", 1, 2))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="no folder"), watching(screen, ["jsonl"], None, {}):
        pass
