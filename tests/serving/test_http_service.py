"""The HTTP service by its doors: what it answers, what it refuses, and what it records before it answers."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

import plait
from plait.serving.app import create_app
from plait.serving.audit import Audit
from plait.serving.errors import CODES
from plait.serving.keys import Keys
from plait.serving.payload import ARROW
from plait.serving.settings import Listening, Settings

pa = pytest.importorskip("pyarrow")
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("audit") / "audit.db")


@pytest.fixture(scope="module")
def client(loans_model: Path, audit: str) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(loans_model, audit=audit, max_rows=200, max_bytes=1 << 20))) as made:
        yield made


def refused(response: Any, status: int) -> str:
    """The message of a refusal, which has the one form."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == CODES[status]
    assert error["request"] == response.headers["x-request-id"]
    assert "\n" not in error["message"]
    return str(error["message"])


def entries_of(audit: str, **wanted: Any) -> list[Any]:
    with Audit.open(audit) as opened:
        return list(opened.entries(**wanted))


def test_predictions_are_those_of_the_model_and_stand_in_the_audit(
    client: TestClient, audit: str, loans_model: Path, loans_rows: list[dict[str, Any]], loans: pd.DataFrame
) -> None:
    answer = client.post("/v1/predict", json={"rows": loans_rows}, headers={"X-Request-Id": "mine.1"}).json()
    want = plait.load(loans_model).predict_proba(loans.drop(columns="default").head(20))
    got = [list(each["probabilities"].values()) for each in answer["predictions"]]
    assert np.allclose(got, want, atol=1e-12)
    assert answer["request"] == "mine.1"
    kept = entries_of(audit, request="mine.1")
    assert [each.fields["decision"] for each in kept] == [each["decision"] for each in answer["predictions"]]
    assert kept[0].fields["output"]["probabilities"] == answer["predictions"][0]["probabilities"]
    assert kept[0].fields["role"] == "champion"
    assert len({each.fields["input"] for each in kept}) == 20
    assert loans_rows[0]["letter"][:30] not in str(kept)


def test_arrow_and_polars_say_what_json_says(
    client: TestClient, audit: str, loans_model: Path, loans_rows: list[dict[str, Any]], loans: pd.DataFrame
) -> None:
    frame = loans.drop(columns="default").head(20)
    plain = client.post("/v1/predict", json={"rows": loans_rows}, headers={"X-Request-Id": "as-json"}).json()
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    headers = {"content-type": ARROW, "accept": ARROW, "X-Request-Id": "as-arrow"}
    response = client.post("/v1/predict?model=loans", content=sink.getvalue(), headers=headers)
    assert response.headers["content-type"] == ARROW
    answer = pa.ipc.open_stream(response.content).read_all()
    assert answer.schema.metadata[b"request"] == b"as-arrow"
    assert answer.column("probability_1").to_pylist() == [e["probabilities"]["1"] for e in plain["predictions"]]
    digests = [[e.fields["input"] for e in entries_of(audit, request=name)] for name in ("as-json", "as-arrow")]
    assert digests[0] == digests[1]
    polars = pytest.importorskip("polars")
    model = plait.load(loans_model)
    assert np.array_equal(model.predict_proba(polars.from_arrow(table)), model.predict_proba(frame))


def test_missing_columns_are_missing_cells_and_others_are_ignored_and_said(client: TestClient) -> None:
    answer = client.post("/v1/predict", json={"rows": [{"income": 5000, "shoe": 43}, {"letter": None}]}).json()
    assert answer["ignored"] == ["shoe"]
    assert len(answer["predictions"]) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"income": "5000"}, "takes a number"),
        ({"income": True}, "takes a number"),
        ({"income": [1]}, "takes a number"),
        ({"letter": 5}, "takes a string"),
        ({"letter": {"path": "/etc/passwd"}}, "takes a string"),
        ({"purpose": ["car"]}, "takes a string or a number or a boolean"),
        ({"issued_at": "yesterday", "income": 1}, "ISO 8601"),
        ({"incme": 5}, "did you mean 'income'"),
        ({}, "holds no column"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_row_and_column(client: TestClient, row: dict[str, Any], said: str) -> None:
    response = client.post("/v1/predict", json={"rows": [{"income": 1.0}, row]})
    assert said in refused(response, 422)
    assert response.json()["error"]["where"][0]["row"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"rows": [{"income": NaN}]}', 400),
        (b'{"rows": [{"income": -Infinity}]}', 400),
        (b'{"rows": [{"income": 1, "income": 2}]}', 400),
        (b'{"rows": [{"letter": "\\ud800"}]}', 400),
        (b'{"rows": [{"letter": "\\u0000"}]}', 400),
        (b'{"rows": [{"letter": "\xff"}]}', 400),
        (b'{"rows": ' + b"[" * 50_000, 400),
        (b'{"rows": [{"income": ' + b"9" * 5000 + b"}]}", 400),
        (b'{"rows": [{"income": 1e400}]}', 422),
        (b'{"rows": [{"income": 1' + b"0" * 400 + b"}]}", 422),
        (b'{"rows": {}}', 422),
        (b'{"rows": [1]}', 422),
        (b'{"rows": [{"income": 1}], "explain": "all"}', 422),
        (b'{"rows": [{"income": 1}], "explain": [[[]]]}', 422),
        (b'{"rows": [{"income": 1}], "sides": {"links": []}}', 422),
        (b'{"rows": [{"income": 1}], "model": "lones"}', 404),
        (b'{"rows": [{"income": 1}], "version": "9"}', 404),
        (b'{"rows": [{"income": 1}], "mdel": "loans"}', 422),
        (json.dumps({"rows": [{"income": 1}] * 201}).encode(), 413),
        (b" " * (1 << 20) + b"{}", 413),
    ],
)
def test_bodies_that_are_no_requests_are_refused(client: TestClient, body: bytes, status: int) -> None:
    refused(client.post("/v1/predict", content=body, headers=JSON), status)


def test_other_kinds_of_bodies_paths_and_methods_are_refused(client: TestClient) -> None:
    refused(client.post("/v1/predict", content=b"a,b", headers={"content-type": "text/csv"}), 415)
    refused(client.post("/v1/predict", content=b"{}", headers={**JSON, "content-encoding": "gzip"}), 415)
    refused(client.post("/v1/predict", content=b"no stream", headers={"content-type": ARROW}), 400)
    refused(client.get("/v1/predict"), 405)
    refused(client.get("/v2"), 404)
    refused(client.post("/v1/desks/credit/stage", json={}), 404)


def test_a_compressed_arrow_stream_is_refused_before_it_is_unpacked(client: TestClient) -> None:
    sink = io.BytesIO()
    table = pa.table({"income": [0.0] * 1000})
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    response = client.post("/v1/predict", content=sink.getvalue(), headers={"content-type": ARROW})
    assert "compressed" in refused(response, 400)


def test_explanations_add_up_and_are_recorded(client: TestClient, audit: str, loans_rows: list[Any]) -> None:
    asked = {"rows": loans_rows[:2], "depth": "columns"}
    answer = client.post("/v1/explain", json=asked, headers={"X-Request-Id": "why"}).json()
    for each in answer["explanations"]:
        shares = each["sources"]["shares"]
        assert each["sources"]["base"] + sum(s["value"] for s in shares) == pytest.approx(each["prediction"])
        assert each["words"]
        assert each["columns"]["shares"]
    assert [each.kind for each in entries_of(audit, request="why")] == ["explain", "explain"]
    also = client.post("/v1/predict", json={"rows": loans_rows[:1], "explain": "sources"}).json()
    assert also["explanations"][0]["prediction"] == answer["explanations"][0]["prediction"]


def test_labels_are_kept_beside_their_decisions(client: TestClient, audit: str, loans_rows: list[Any]) -> None:
    said = client.post("/v1/predict", json={"rows": loans_rows[:2]}).json()
    decision = said["predictions"][1]["decision"]
    label = {"decision": decision, "label": 1, "known_at": "2026-01-31"}
    assert client.post("/v1/feedback", json={"labels": [label]}).json()["recorded"] == 1
    kept = entries_of(audit, decision=decision)
    assert [each.kind for each in kept] == ["predict", "feedback"]
    assert kept[1].fields["label"] == 1
    assert "early.9" in refused(
        client.post("/v1/feedback", json={"labels": [{"decision": "early.9", "label": 1}]}), 404
    )
    for wrong in ([], [{"decision": decision}], [{**label, "known_at": "soon"}], [{**label, "more": 1}]):
        refused(client.post("/v1/feedback", json={"labels": wrong}), 422)


def test_requests_of_one_id_are_decisions_of_their_own(client: TestClient, audit: str, loans_rows: list[Any]) -> None:
    named = {"X-Request-Id": "twice"}
    asked = [("/v1/predict", "predictions")] * 2 + [("/v1/explain", "explanations")]
    said = [client.post(path, json={"rows": loans_rows[:2]}, headers=named).json()[key] for path, key in asked]
    decisions = [each["decision"] for answer in said for each in answer]
    assert len(set(decisions)) == 6
    assert sorted(decisions) == sorted(each.fields["decision"] for each in entries_of(audit, request="twice"))
    first, second = ([each.rpartition(".") for each in decisions[at : at + 2]] for at in (0, 2))
    assert [row for *_, row in first] == ["0", "1"]
    assert first[0][0] == first[1][0] != second[0][0]


def test_the_example_of_the_schema_is_accepted(client: TestClient) -> None:
    told = client.get("/v1/schema").json()
    assert client.post("/v1/predict", json=told["example"]).status_code == 200
    assert told["row"]["properties"]["income"]["type"] == ["number", "null"]
    document = client.get("/openapi.json").json()
    example = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert example == told["example"]
    assert client.get("/v1/models").json()["models"][0]["versions"][0]["role"] == "champion"


def test_values_have_a_value(value_model: Path, loans_rows: list[Any]) -> None:
    with TestClient(create_app(Settings(value_model))) as client:
        rows = [{name: cell for name, cell in row.items() if name != "amount"} for row in loans_rows]
        answer = client.post("/v1/predict", json={"rows": rows}).json()
        assert {"decision", "value"} == set(answer["predictions"][0])


def test_lines_of_the_log_and_figures_hold_no_cell(
    client: TestClient, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    secret = "zyzzyva and her brother"
    with caplog.at_level(logging.DEBUG):
        client.post("/v1/predict", json={"rows": [{"letter": secret, "purpose": secret, "income": 1234567}]})
        client.post("/v1/predict", json={"rows": [{"income": secret}]})
        client.post("/v1/predict", content=secret.encode(), headers=JSON)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines] == [200, 422, 400]
    assert lines[0]["rows"] == 1
    figures = client.get("/metrics").text
    assert 'plait_rows_total{model="loans"' in figures
    for told in (str(lines), caplog.text, figures):
        assert secret not in told
        assert "1234567" not in told


def test_what_is_wrong_with_a_form_is_said_by_the_service_alone(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a program sets up no log, Python would write the warnings of the reader of forms as they are."""
    monkeypatch.setattr(logging.root, "handlers", [])
    kind = {"content-type": "multipart/form-data; boundary=b"}
    body = b'--b\r\nContent-Disposition: form-data; name="request"\r\n\r\n{"rows": [{"income": 1}]}\r\n--b--\r\nmore'
    assert client.post("/v1/predict", content=body, headers=kind).status_code == 200
    for broken in (b"--c\r\n", b"--b\r\nContent-Disposition form-data\r\n\r\n1\r\n--b--"):
        refused(client.post("/v1/predict", content=broken, headers=kind), 400)
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["status"] for line in lines] == [200, 400, 400]


@pytest.fixture(scope="module")
def keyed(loans_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Keys]]:
    store = str(tmp_path_factory.mktemp("keys") / "keys.db")
    with TestClient(create_app(Settings(loans_model, keys=store, audit=store))) as client:
        yield client, Keys.open(store)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_keys_open_what_their_scopes_say(keyed: tuple[TestClient, Keys]) -> None:
    client, keys = keyed
    body = {"rows": [{"income": 1.0}]}
    key, token = keys.create("teller", ["predict"], rate=100, burst=100)
    assert client.post("/v1/predict", json=body, headers=bearer(token)).status_code == 200
    response = client.post("/v1/predict", json=body)
    refused(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"
    refused(client.post("/v1/predict", json=body, headers=bearer(token[:-1])), 401)
    for path in ("/v1/models", "/v1/schema", "/metrics"):
        refused(client.get(path, headers=bearer(token)), 403)
    refused(client.post("/v1/desks/credit/decide", json={}, headers=bearer(token)), 403)
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    keys.revoke(key.id)


def test_outcomes_are_told_by_the_key_that_asked(keyed: tuple[TestClient, Keys]) -> None:
    client, keys = keyed
    (mine, token), (_, other), (_, chief) = (
        keys.create(name, scopes, rate=1000)
        for name, scopes in (("mine", ["predict", "feedback"]), ("other", ["feedback"]), ("chief", ["*"]))
    )
    said = client.post("/v1/predict", json={"rows": [{"income": 1.0}]}, headers=bearer(token)).json()
    decision = said["predictions"][0]["decision"]
    outcome = {"labels": [{"decision": decision, "label": 1}]}

    def told(token: str, labels: dict[str, Any] = outcome) -> Any:
        return client.post("/v1/feedback", json=labels, headers=bearer(token))

    unknown = told(other, {"labels": [{"decision": decision[:-1] + "9", "label": 1}]})
    assert refused(told(other), 404).replace(decision, "") == refused(unknown, 404).replace(decision[:-1] + "9", "")
    assert told(token).json()["recorded"] == 1
    assert told(keys.rotate(mine.id)).json()["recorded"] == 1
    assert told(chief).json()["recorded"] == 1
    refused(told(other), 404)  # also where others have told of it already
    assert client.app.state.house.audit.find(decision).fields["key"] == mine.id  # type: ignore[attr-defined]


def test_keys_bound_how_often_and_how_much(keyed: tuple[TestClient, Keys]) -> None:
    client, keys = keyed
    _, token = keys.create("slow", ["predict"], rate=0.01, burst=3, max_bytes=200, max_rows=2)
    body = {"rows": [{"income": 1.0}]}
    assert client.post("/v1/predict", json=body, headers=bearer(token)).status_code == 200
    refused(client.post("/v1/predict", json={"rows": body["rows"] * 3}, headers=bearer(token)), 413)
    refused(client.post("/v1/predict", content=b" " * 201, headers={**JSON, **bearer(token)}), 413)
    response = client.post("/v1/predict", json=body, headers=bearer(token))
    refused(response, 429)
    assert int(response.headers["retry-after"]) >= 1


def test_a_worker_of_several_takes_its_share_of_a_key(loans_model: Path, tmp_path: Path) -> None:
    keys = Keys.open(tmp_path / "keys.db")
    _, token = keys.create("shared", ["models"], rate=0.01, burst=6)
    settings = Settings(loans_model, keys=str(tmp_path / "keys.db"), listening=Listening(workers=3))
    with TestClient(create_app(settings)) as client:
        said = [client.get("/v1/models", headers=bearer(token)) for _ in range(3)]
    assert [each.status_code for each in said] == [200, 200, 429]
    assert "shared by 3 processes" in refused(said[2], 429)


def test_without_keys_only_this_machine_is_listened_to(loans_model: Path) -> None:
    with pytest.raises(plait.errors.ConfigError, match="plait keys create"):
        Settings(loans_model, listening=Listening(host="0.0.0.0"))
    assert Settings(loans_model, keys="keys.db", listening=Listening(host="0.0.0.0"))
    assert Settings(loans_model, listening=Listening(host="::1"))


def test_no_decision_leaves_that_cannot_be_recorded(loans_model: Path, tmp_path: Path) -> None:
    with TestClient(create_app(Settings(loans_model, audit=str(tmp_path / "audit.db")))) as client:
        audit = client.app.state.house.audit  # type: ignore[attr-defined]
        audit.close()
        response = client.post("/v1/predict", json={"rows": [{"income": 1.0}]})
        assert "audit" in refused(response, 503)
        assert "retry-after" in response.headers
