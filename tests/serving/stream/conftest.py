"""A small model over card payments with windows, its events, and a worker run by one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from event_lines import WINDOWS

import plait
from plait.serving.stream import Rules, Tally
from plait.serving.stream.opening import Asked, opened


@pytest.fixture(scope="session")
def payments() -> pd.DataFrame:
    """600 made payments by 30 cards within two days."""
    return plait.samples.card_payments(600, cards=30, shops=20, days=2.0, share=0.1, seed=0)


@pytest.fixture(scope="session")
def fraud_model(payments: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved classifier of `payments`, by their own cells and their windows."""
    rows = payments[["amount", "channel"]].join(WINDOWS.columns(payments, "time"))
    model = plait.Classifier(fusion="early", learner="linear", random_state=0, n_jobs=1).fit(rows, payments["fraud"])
    path = tmp_path_factory.mktemp("models") / "fraud.plait"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def payment_events(payments: pd.DataFrame) -> list[dict[str, Any]]:
    """`payments` as events, without the label."""
    plain = payments.drop(columns="fraud").assign(time=payments["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return list(plain.to_dict("records"))


@pytest.fixture
def asked(fraud_model: Path, tmp_path: Path) -> Asked:
    """From ``in.jsonl`` to ``out.jsonl`` with the state in ``state.db``."""
    rules = Rules(windows=WINDOWS, batch=64, show_windows=True)
    return Asked(
        fraud_model, str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), str(tmp_path / "state.db"), rules=rules
    )


@pytest.fixture
def work() -> Callable[..., Tally]:
    """Work to the end, or for some batches."""

    def run(asked: Asked, batches: int | None = None, **changed: Any) -> Tally:
        heard: list[int] = []
        with opened(replace(asked, **changed)) as worker:
            return worker.run(lambda: batches is not None and len(heard) >= batches, lambda *_: heard.append(1))

    return run
