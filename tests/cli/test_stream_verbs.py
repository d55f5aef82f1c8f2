"""``--stream``: fit, evaluate and predict say of streamed rows what they say of rows in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.cli import stream
from plait.data.read import read
from plait.report import run as reported
from plait.report.sections.reproduction import command
from plait.report.sections.splits import section

ROWS = 400
FIT = ("--target", "late", "--time", "day", "--fusion", "early", "--jobs", 1, "--option", "lightgbm.trees=8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    amount = rng.normal(size=ROWS)
    frame = pd.DataFrame(
        {
            "amount": amount,
            "town": rng.choice(np.array(["here", "there"], object), ROWS),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS), "D"),
            "late": np.where(amount + rng.normal(size=ROWS) > 0, "yes", "no"),
        }
    )
    place = tmp_path_factory.mktemp("streams")
    (place / "rows").mkdir()
    frame[:250].to_parquet(place / "rows" / "0.parquet", row_group_size=40)
    frame[250:].to_parquet(place / "rows" / "1.parquet", row_group_size=60)
    frame.to_csv(place / "rows.csv", index=False)
    return place


Run = Callable[..., Any]


def test_streamed_rows_give_the_same_run(run: Run, folder: Path) -> None:
    whole = run("fit", "rows", *FIT, "-o", "whole", "--json").json
    chunked = run("fit", "rows", *FIT, "--stream", "-o", "chunked", "--json").json
    assert chunked["metrics"] == whole["metrics"]
    assert chunked["data"]["division"] == whole["data"]["division"]
    model = "chunked/model.plait"
    first = run("evaluate", model, "rows", "--stream", "--json").json
    assert first == run("evaluate", model, "rows", "--json").json
    assert run("predict", model, "rows", "--stream", "-o", "chunked.parquet", "--json").json["rows"] == ROWS
    assert run("predict", model, "rows", "-o", "whole.parquet").code == 0
    pd.testing.assert_frame_equal(read(folder / "chunked.parquet"), read(folder / "whole.parquet"))


def test_rows_that_would_fill_the_memory_are_streamed_unasked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SHARE", 0.0)
    said = run("fit", "rows", "--target", "late", "--dry-run")
    assert said.code == 0
    assert "so it is streamed (--no-stream: not)" in said.err
    assert "the fusion is early (LightGBM)" in said.err
    assert "so it is streamed" not in run("fit", "rows", *FIT, "--no-stream", "--dry-run").err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("fit", "rows.csv", "--target", "late", "--stream", "-o", "x"), "only Parquet is read piece by piece"),
        (("fit", "rows", "--target", "late", "--stream", "--fusion", "late", "-o", "x"), "needs all rows in memory"),
        (("fit", "rows", "--target", "late", "--stream", "--mask-personal", "-o", "x"), "--mask-personal reads all"),
        (("fit", "rows", "--target", "late", "--target", "town", "--stream", "-o", "x"), "several targets needs all"),
    ],
)
def test_what_cannot_be_streamed_ends_with_one_line(run: Run, asked: tuple[str, ...], said: str) -> None:
    ended = run(*asked)
    assert ended.code == 2
    assert said in ended.err.splitlines()[-1]


def test_a_report_looks_at_some_rows_of_either_side(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("fit", "rows", *FIT, "--stream", "-o", "told", "--json").code == 0
    whole = reported.Run.read(Path("told"), reported.Asked())
    assert whole.evaluation["roc_auc"].value == whole.record["metrics"][0]["value"]
    monkeypatch.setattr(reported, "SEEN", 30)
    some = reported.Run.read(Path("told"), reported.Asked())
    assert (some.counts, some.left_out) == ((300, 100), 0)
    for ours, theirs in ((some.train, whole.train), (some.test, whole.test)):
        assert len(ours) == 30
        pd.testing.assert_frame_equal(ours, theirs.loc[ours.index])
    said = str(section(some))
    assert "300" in said
    assert "looks at 30 of those fitted on and 30 of those held out" in said
    assert "looks at" not in str(section(whole))
    assert "--stream" in command(some)
