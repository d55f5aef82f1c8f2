"""Monitoring looks for applications unlike anything seen."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import plait
from plait.contracts import Rows
from plait.contracts.crossing import unheard
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.model import CreditModel
from plait.desks.credit.operations.monitor import MonitorRequest, run
from plait.errors import ConfigError

pytestmark = pytest.mark.slow  # a desk is fitted


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    return plait.samples.loans(n=1200, seed=5).drop(columns=["letter", "balance"])


@pytest.fixture(scope="module")
def model(loans: pd.DataFrame) -> CreditModel:
    config = Config.of({"evidence": {"fusion": "early", "learner": "linear"}})
    past = loans.iloc[:600]
    return fit_credit(past.drop(columns="default"), past["default"], time="issued_at", config=config, n_jobs=1)


def test_strange_applications_are_counted_and_told(model: CreditModel, loans: pd.DataFrame) -> None:
    then, new = loans.iloc[:800], loans.iloc[800:].copy()
    plain = run(MonitorRequest(model, Rows(new), Rows(then), unlike=0.02), unheard)
    assert plain.unlike is not None
    assert plain.unlike.expected == pytest.approx(0.02, abs=0.005)
    new.iloc[:20, new.columns.get_loc("income")] = np.linspace(2e6, 3e6, 20)
    found = run(MonitorRequest(model, Rows(new), Rows(then), unlike=0.02), unheard)
    assert found.unlike is not None
    assert found.unlike.odd >= 20
    assert found.unlike.p_value < 0.03 < plain.unlike.p_value  # the threshold itself is of 200 rows: it is not sure
    assert all(row < 20 and "income is" in why for row, _, why in found.unlike.oddest)
    assert "unlike the reference rows" in str(found)
    json.dumps(found.to_json(), allow_nan=False)


def test_it_needs_rows_to_compare_with(model: CreditModel, loans: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="reference"):
        run(MonitorRequest(model, Rows(loans.iloc[800:]), unlike=0.02), unheard)
    assert run(MonitorRequest(model, Rows(loans.iloc[800:])), unheard).unlike is None
