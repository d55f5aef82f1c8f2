"""Small saved models, and records as a request holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from servers import postgres_server, postgres_url, redis_url

import plait

__all__ = ["postgres_server", "postgres_url", "redis_url"]

COLUMNS = ["issued_at", "income", "amount", "term", "purpose", "home", "letter"]


@pytest.fixture(scope="session")
def loans() -> pd.DataFrame:
    """260 made loans: numbers, categories, a letter, the time of issue, and whether they were paid."""
    return plait.samples.loans(n=260, seed=0)[[*COLUMNS, "default"]]


@pytest.fixture(scope="session")
def loans_model(loans: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved classifier of `loans`."""
    model = plait.Classifier(fusion="early", time="issued_at", random_state=0, n_jobs=1)
    model.fit(loans[COLUMNS], loans["default"])
    path = tmp_path_factory.mktemp("models") / "loans.plait"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def value_model(loans: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved regressor: amounts by the other columns."""
    columns = [name for name in COLUMNS if name != "amount"]
    model = plait.Regressor(fusion="early", learner="linear", time="issued_at", random_state=0, n_jobs=1)
    model.fit(loans[columns], loans["amount"])
    path = tmp_path_factory.mktemp("models") / "amounts.plait"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def loans_rows(loans: pd.DataFrame) -> list[dict[str, Any]]:
    """The first 20 of `loans` as JSON records, without the target."""
    return list(json.loads(loans[COLUMNS].head(20).to_json(orient="records", date_format="iso")))
