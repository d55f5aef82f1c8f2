"""The client and the service with each other: what frames of every kind come to, and the page of the client."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from live import running

import plait
from plait import Client
from plait.errors import ServiceError
from plait.serving.audit import Audit
from plait.serving.keys import Keys
from plait.serving.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "serving" / "client.md"


class Held(NamedTuple):
    url: str
    token: str
    audit: Path


@pytest.fixture(scope="module")
def held(loans_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """A service of `loans_model` behind a key, with an audit."""
    folder = tmp_path_factory.mktemp("asked")
    keys = Keys.open(folder / "keys.db")
    token = keys.create("client", ["predict", "explain", "feedback", "models"], rate=1e4)[1]
    keys.close()
    settings = Settings(loans_model, keys=str(folder / "keys.db"), audit=str(folder / "audit.db"))
    with running(settings) as url:
        yield Held(url, token, folder / "audit.db")


@pytest.fixture
def client(held: Held) -> Iterator[Client]:
    with Client(held.url, held.token, timeout_s=30) as made:
        yield made


def test_frames_of_every_kind_are_answered_as_the_model_answers(
    client: Client, loans: pd.DataFrame, loans_model: Path
) -> None:
    pl = pytest.importorskip("polars")
    rows = loans.drop(columns="default")
    wanted = plait.load(loans_model).predict_proba(rows)
    assert len(rows) > 200  # as Arrow
    few = rows.head(7)
    told = {"records": few.to_dict("records"), "pandas": few, "polars": pl.from_pandas(few), "arrow": pa.table(few)}
    told |= {
        "many": rows,
        "many of polars": pl.from_pandas(rows),
        "no rows twice": rows.sample(frac=1.0, random_state=0),
    }
    for name, sent in told.items():
        found = client.predict(sent)
        assert not found.faults, name
        got = found.frame()[["p(0)", "p(1)"]].to_numpy()
        order = sent.index.to_numpy() if name == "no rows twice" else np.arange(len(found))
        np.testing.assert_allclose(got, wanted[order], atol=1e-9, err_msg=name)


def test_polars_frames_are_fitted_and_predicted_as_pandas_frames_are(loans: pd.DataFrame) -> None:
    pl = pytest.importorskip("polars")
    rows, y = loans.drop(columns="default"), loans["default"]
    fitted = [
        plait.Classifier(fusion="early", learner="linear", time="issued_at", n_jobs=1).fit(X, target).predict_proba(X)
        for X, target in ((rows, y), (pl.from_pandas(rows), pl.from_pandas(y)))
    ]
    np.testing.assert_array_equal(*fitted)


def test_explanations_come_along_or_alone(client: Client, loans: pd.DataFrame) -> None:
    rows = loans.drop(columns="default").head(2)
    assert len(client.predict(rows, explain="sources").explanations) == 2
    found = client.explain(rows, depth="columns")
    assert len(found) == 2
    assert str(found[0]["decision"]).endswith(".0")


def test_what_was_answered_is_in_the_audit_and_can_be_told_of(client: Client, held: Held, loans: pd.DataFrame) -> None:
    found = client.predict(loans.drop(columns="default").head(3))
    assert client.feedback([{"decision": each.decision, "label": 1} for each in found]).recorded == 3
    with Audit.open(held.audit) as audit:
        stored = audit.find(found[1].decision)
        assert stored is not None
        assert stored.fields["output"]["probabilities"] == found[1].probabilities
        assert stored.fields["version"] == found.version
    with pytest.raises(ServiceError, match="nobody") as said:
        client.feedback([{"decision": "nobody.0", "label": 1}])
    assert said.value.status == 404


def test_what_is_served_and_what_a_row_is(client: Client) -> None:
    (served,) = client.models()
    assert served.role == "champion"
    shape = client.schema(served.model)
    assert {"income", "letter"} <= set(shape.columns)
    found = client.predict(shape.example["rows"], model=served.model, version=served.version)
    assert found.version == served.version


def test_errors_say_where(client: Client, held: Held) -> None:
    with pytest.raises(ServiceError, match="income") as said:
        client.predict([{"income": 1.0}, {"income": "a lot"}])
    assert (said.value.status, said.value.code) == (422, "unfit_rows")
    assert said.value.where[0]["row"] == 1
    with Client(held.url, "plait_nobody_0", retries=0) as other, pytest.raises(ServiceError) as refused:
        other.models()
    assert refused.value.status == 401


def test_the_page_of_the_client_runs(
    held: Held, loans: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loans.drop(columns="default").to_parquet(tmp_path / "loans.parquet")
    monkeypatch.chdir(tmp_path)
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
    code = block.replace("http://127.0.0.1:8000", held.url).replace("plait_4f1c0a9be2d3_...", held.token)
    assert code.count(held.url) == code.count(held.token) == 1
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    assert len(out.getvalue().splitlines()) == len(loans) + 2
