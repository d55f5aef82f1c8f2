"""Drawings of gain and profit: which files come out, and that any label is safe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plait.contracts import Prediction
from plait.errors import DataError
from plait.metrics.lift import lift_table
from plait.metrics.value import Costs, profit_curve
from plait.report.value_curves import draw_value


def made(label: str, one_class: bool = False) -> dict[str, object]:
    rng = np.random.default_rng(0)
    p, classes = rng.random(200), np.array(["paid", label])
    y = classes[np.zeros(200, int) if one_class else (rng.random(200) < p).astype(int)]
    prediction = Prediction("class", np.stack([1 - p, p], 1), classes)
    curve = profit_curve(prediction, y, costs=Costs(1, 3), resamples=20)
    return {"lift": lift_table(prediction, y, resamples=20), "profit": curve}


@pytest.mark.parametrize("label", ["default", "违约", "$5 to $10"])
def test_gain_and_profit_are_drawn(tmp_path: Path, label: str) -> None:
    drawn = draw_value(tmp_path / "new", **made(label))
    assert [path.name for path in drawn] == ["gain.png", "profit.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["gain.png", "profit.png"]


def test_what_is_undefined_or_not_asked_for_is_not_drawn(tmp_path: Path) -> None:
    assert [path.name for path in draw_value(tmp_path, **made("default", one_class=True))] == ["profit.png"]
    assert draw_value(tmp_path) == ()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="cannot make the folder"):
        draw_value(tmp_path / "taken", **made("default"))
