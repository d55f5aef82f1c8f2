"""Charts of a report over time."""

from __future__ import annotations

import numpy as np
import pytest

from plait.report.canvas import picture
from plait.report.charts import curve, timeline

DAY = 86_400


@pytest.mark.parametrize("days", [0.01, 1, 3, 60, 100, 400, 1200, 1700, 9000])
def test_any_span_of_time_gets_its_ticks(days: float) -> None:
    moments = np.linspace(1.6e9, 1.6e9 + days * DAY, 12)
    line = curve(list(moments), np.zeros(12), np.ones(12), "when", "what", dates=True)
    assert 2 <= len(line.axes[0].get_xticks()) <= 8
    assert picture(line, "svg").startswith(b"<?xml")
    bars = timeline((moments * 1e9).astype("datetime64[ns]"), {"rows": np.ones(11)}, "rows")
    assert picture(bars, "svg").startswith(b"<?xml")
