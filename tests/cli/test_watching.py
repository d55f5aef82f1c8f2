"""What a verb shows while it works, and who else hears of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from plait import samples
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


def test_every_trial_of_a_search_is_told_with_what_it_tried(run: Callable[..., Any], folder: Path) -> None:
    samples.loans(n=160, seed=0)[["income", "amount", "default"]].to_csv(folder / "rows.csv", index=False)
    (folder / "space.yaml").write_text(
        "linear:\n  strength: {between: [0.01, 1.0]}\n  iterations: {one_of: [100, -1, 50]}\n"
    )
    search = (
        "tune",
        "rows.csv",
        "--target",
        "default",
        "--learner",
        "linear",
        "--space",
        "space.yaml",
        "--test",
        0,
        "--jobs",
        1,
    )
    watched = ("--watch", "jsonl", "--watch", f"tensorboard={folder / 'logs'}", "--json")
    assert run(*search, *watched, "--trials", 2, "-o", "out").code == 0
    said = run(*search, *watched, "--trials", 5, "-o", "out", "--resume")
    assert said.code == 0, said.err
    trials = said.json["tuning"]["trials"]
    lines = [json.loads(line) for line in (folder / "out" / "metrics.jsonl").read_text().splitlines()]
    told = [line for line in lines if line["stage"] == "trials"]
    assert [line["step"] for line in told] == [0, 1, 2, 3, 4, 5]
    assert told[0]["metrics"]["loss"] == said.json["tuning"]["default_loss"]
    assert [line["settings"] for line in told[1:]] == [trial["values"] for trial in trials]
    assert [line["metrics"]["loss"] for line in told[1:]] == [trial["loss"] for trial in trials]  # null: it failed
    assert [trial["ended"] for trial in trials].count("failed")
    assert told[-1]["metrics"]["best"] == said.json["tuning"]["loss"]
    seen = EventAccumulator(str(folder / "logs")).Reload()
    assert len(seen.Tensors("trials/linear.strength")) == 5

    before = (folder / "out" / "metrics.jsonl").read_bytes()
    refused = run(*search, *watched, "--trials", 5, "-o", "out")  # --resume forgotten
    assert refused.code == 2
    assert "--resume" in refused.err
    assert (folder / "out" / "metrics.jsonl").read_bytes() == before
