"""The client against answers that are made up: what it sends, what it makes of answers, and when it asks again."""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import Client
from plait.client import trying
from plait.client.bodies import ARROW_ROWS, INLINE, records
from plait.errors import ConfigError, DataError, ServiceError

URL = "https://models.example.com"
ANSWER = {
    "request": "abc",
    "model": "loans",
    "version": 3,
    "predictions": [
        {"decision": "abc.0", "label": 1, "probabilities": {"0": 0.2, "1": 0.8}, "set": [0, 1]},
        {"decision": "abc.1", "label": 0, "probabilities": {"0": 0.9, "1": 0.1}, "set": [0]},
    ],
    "faults": [{"row": 1, "column": "letter", "reason": "not text"}],
    "ignored": ["shoe"],
}
Handler = Callable[[httpx.Request], httpx.Response]


class Service:
    """Answers in turn, the last one again and again; keeps what it was asked, and the pauses between."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options: Any) -> Client:
        return Client(URL, transport=httpx.MockTransport(self), **options)

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].content)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    kept: list[float] = []
    monkeypatch.setattr("plait.client.trying.time.sleep", kept.append)
    return kept


def good(told: object = ANSWER) -> httpx.Response:
    return httpx.Response(200, json=told)


def bad(status: int, **headers: str) -> httpx.Response:
    told = {"code": "said", "message": "what was wrong", "request": "r-1", "where": [{"row": 3, "column": "income"}]}
    return httpx.Response(status, json={"error": told}, headers=headers)


def test_answers_are_typed_and_a_frame() -> None:
    service = Service(good())
    with service.client(key="plait_1_secret") as client:
        found = client.predict([{"income": 1.5}, {"income": None}], model="loans", explain="sources")
    assert (found.model, found.version, found.request, len(found)) == ("loans", "3", "abc", 2)
    assert [each.label for each in found] == [1, 0]
    assert found[0].probabilities == {"0": 0.2, "1": 0.8}
    assert found[0].among == (0, 1)
    assert found.faults[0].column == "letter"
    assert found.ignored == ("shoe",)
    assert list(found.frame().columns) == ["decision", "label", "among", "p(0)", "p(1)"]
    assert found.frame()["p(1)"].tolist() == [0.8, 0.1]
    assert service.body == {"model": "loans", "explain": "sources", "rows": [{"income": 1.5}, {"income": None}]}
    assert service.asked[0].headers["Authorization"] == "Bearer plait_1_secret"


def test_answers_of_every_head_are_typed() -> None:
    told = [
        {"decision": "a.0", "value": 1.5, "low": 1.0, "high": 2.0},
        {"decision": "a.1", "quantiles": {"0.1": 1.0, "0.9": 3.0}},
        {"decision": "a.2", "labels": [], "probabilities": {"x": 0.1}},
        {"decision": "a.3", "targets": {"loss": {"value": 2.0}, "paid": {"label": 1, "probabilities": {"1": 0.7}}}},
    ]
    found = Service(good({**ANSWER, "predictions": told})).client().predict([{"income": 1}])
    assert (found[0].value, found[0].low, found[0].high, found[0].label) == (1.5, 1.0, 2.0, None)
    assert found[1].quantiles == {"0.1": 1.0, "0.9": 3.0}
    assert found[2].labels == ()
    assert found[3].targets is not None
    assert (found[3].targets["paid"].label, found[3].targets["paid"].decision) == (1, "a.3")
    cells = found.frame().iloc[3].dropna().to_dict()
    assert cells == {"decision": "a.3", "loss.value": 2.0, "paid.label": 1.0, "paid.p(1)": 0.7}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_asked_again_under_the_same_id(status: int, pauses: list[float]) -> None:
    service = Service(bad(status), httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), good())
    service.client(retries=3).predict([{"income": 1}])
    assert len(service.asked) == 4
    assert len({request.headers["X-Request-Id"] for request in service.asked}) == 1
    assert len({request.content for request in service.asked}) == 1
    assert all(0 <= pause <= trying.FIRST * 2**i for i, pause in enumerate(pauses))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 415, 422, 500])
def test_what_will_not_pass_is_asked_once(status: int, pauses: list[float]) -> None:
    service = Service(bad(status), good())
    with pytest.raises(ServiceError, match="what was wrong") as said:
        service.client().predict([{"income": 1}])
    assert (said.value.status, said.value.code, said.value.request) == (status, "said", "r-1")
    assert said.value.where == ({"row": 3, "column": "income"},)
    assert len(service.asked) == 1
    assert not pauses


def test_a_failure_of_what_stands_between_is_asked_again(pauses: list[float]) -> None:
    service = Service(httpx.Response(500, text="Internal Server Error"), good())
    service.client().predict([{"income": 1}])
    assert len(service.asked) == 2
    assert len(pauses) == 1


def test_two_questions_have_two_ids() -> None:
    service = Service(good())
    client = service.client()
    client.predict([{"income": 1}])
    client.predict([{"income": 1}])
    assert len({request.headers["X-Request-Id"] for request in service.asked}) == 2


def test_a_service_says_how_long_to_wait(pauses: list[float]) -> None:
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    answers = [bad(429, **{"Retry-After": "7"}), bad(503, **{"Retry-After": soon}), bad(503, **{"Retry-After": "soon"})]
    Service(*answers, good()).client().predict([{"income": 1}])
    assert 7 <= pauses[0] < 7 + trying.FIRST
    assert 20 < pauses[1] < 31
    assert pauses[2] < 1


def test_a_caller_is_not_kept_for_longer_than_it_would_wait(pauses: list[float]) -> None:
    service = Service(bad(429, **{"Retry-After": "3600"}), good())
    with pytest.raises(ServiceError, match="what was wrong"):
        service.client().predict([{"income": 1}])
    assert not pauses


def test_at_last_it_says_what_failed(pauses: list[float]) -> None:
    service = Service(httpx.ConnectError("connection refused"))
    with pytest.raises(ServiceError, match=r"connection refused.*is the service running") as said:
        service.client(retries=2).models()
    assert len(service.asked) == 3
    assert len(pauses) == 2
    assert (said.value.status, said.value.code) == (None, "unreachable")
    assert said.value.request == service.asked[0].headers["X-Request-Id"]


@pytest.mark.parametrize("told", ["<html>", '{"error": "no"}', "[]", "null", '{"error": {"message": 1}}'])
def test_an_error_that_nobody_can_read_is_told_by_its_status(told: str) -> None:
    with pytest.raises(ServiceError, match="/v1/models answered 404 Not Found") as said:
        Service(httpx.Response(404, text=told)).client().models()
    assert said.value.code == "unreadable"


def test_an_address_of_something_else_is_said() -> None:
    with pytest.raises(ServiceError, match="answered no JSON"):
        Service(httpx.Response(200, text="<html>")).client().models()


CELLS = {
    "none": (None, None),
    "nan": (float("nan"), None),
    "numpy": (np.float32(1.5), 1.5),
    "count": (np.int64(7), 7),
    "flag": (np.bool_(True), True),
    "missing": (pd.NA, None),
    "no time": (pd.NaT, None),
    "moment": (pd.Timestamp("2026-01-31 10:00"), "2026-01-31T10:00:00"),
    "zoned": (pd.Timestamp("2026-01-31", tz="UTC"), "2026-01-31T00:00:00+00:00"),
    "nanoseconds": (np.datetime64("2026-01-31T10:00:00.000000001"), "2026-01-31T10:00:00.000000001"),
    "day": (datetime.date(2026, 1, 31), "2026-01-31"),
    "decimal": (Decimal("1.25"), 1.25),
    "array": (np.array([[1.0, np.nan]]), [[1.0, None]]),
    "moments": (np.array(["2026-01-31"], "datetime64[D]"), ["2026-01-31"]),
    "bytes": (b"abc", {"base64": base64.b64encode(b"abc").decode()}),
    "records": ([{"at": datetime.date(2026, 1, 31), "sum": (1, 2)}], [{"at": "2026-01-31", "sum": [1, 2]}]),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_have_a_form_in_json(name: str) -> None:
    cell, sent = CELLS[name]
    service = Service(good())
    service.client().predict([{"cell": cell}])
    assert service.body["rows"] == [{"cell": sent}]


@pytest.mark.parametrize("cell", [float("inf"), object(), 1j, lambda: None])
def test_cells_without_a_form_are_refused_before_anything_is_sent(cell: object) -> None:
    service = Service(good())
    with pytest.raises(DataError, match="no form in JSON"):
        service.client().predict([{"cell": cell}])
    assert not service.asked


@pytest.mark.parametrize("rows", ["income", {"income": 1}, 3, None, [1], [], pd.DataFrame({"income": []})])
def test_what_are_no_rows_is_said(rows: object) -> None:
    with pytest.raises(DataError, match=r"row|rows"):
        Service(good()).client().predict(rows)


def test_large_cells_and_files_go_beside_the_request(tmp_path: Path) -> None:
    large, small = bytes(range(256)) * (INLINE // 256 + 1), b"small"
    (tmp_path / "scan.png").write_bytes(small)
    service = Service(good())
    rows = [{"scan": large, "page": {"file": "part-1"}, "sign": tmp_path / "scan.png"}]
    service.client().predict(rows, files={"part-1": tmp_path / "scan.png"})
    sent = service.asked[0]
    assert sent.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert large in sent.content
    assert b'name="request"' in sent.content
    assert b'"page": {"file": "part-1"}' in sent.content
    assert sent.content.count(small) == 1
    assert base64.b64encode(small) in sent.content


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png: No such file"):
        Service(good()).client().predict([{"scan": tmp_path / "gone.png"}])


def test_small_frames_go_as_json_and_large_ones_as_arrow() -> None:
    frame = pd.DataFrame({"income": np.arange(float(ARROW_ROWS)), "purpose": "car"})
    service = Service(good())
    client = service.client()
    client.predict(frame[:3], model="loans")
    assert service.body == {"model": "loans", "rows": frame[:3].to_dict("records")}
    client.predict(frame, model="loans", explain="sources")
    sent = service.asked[-1]
    assert sent.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
    assert dict(sent.url.params) == {"model": "loans", "explain": "sources"}
    pd.testing.assert_frame_equal(pa.ipc.open_stream(sent.content).read_pandas(), frame)


def test_frames_that_arrow_has_no_types_for_go_as_json() -> None:
    frame = pd.DataFrame({"mixed": [1, "one"] * ARROW_ROWS})
    service = Service(good())
    service.client().predict(frame)
    assert len(service.body["rows"]) == 2 * ARROW_ROWS


def test_frames_of_polars_and_tables_of_arrow_are_rows() -> None:
    pl = pytest.importorskip("polars")
    told = {"income": [1.5, None], "day": [datetime.date(2026, 1, 31), None], "path": [[1.0, 2.0], None]}
    for rows in (pl.DataFrame(told), pa.table(told)):
        service = Service(good())
        service.client().predict(rows, sides={"links": rows})
        first, second = service.body["rows"]
        assert first == {"income": 1.5, "day": "2026-01-31", "path": [1.0, 2.0]}
        assert set(second.values()) == {None}
        assert service.body["sides"]["links"][0] == first


@settings(deadline=None, max_examples=20)
@given(
    st.lists(
        st.dictionaries(
            st.text(min_size=1, max_size=4),
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.floats(allow_nan=False),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_records_go_as_they_are(rows: list[dict[str, Any]]) -> None:
    finite = [{name: cell for name, cell in row.items() if cell not in (np.inf, -np.inf)} for row in rows]
    assert records(finite) == finite
    service = Service(good())
    service.client().predict(finite)
    assert service.body["rows"] == finite


def test_an_answer_that_cannot_be_unpacked_is_none(pauses: list[float]) -> None:
    broken = Service(httpx.DecodingError("not in gzip format"), good())
    assert len(broken.client().predict([{"income": 1}])) == 2
    with pytest.raises(ServiceError, match="gzip"):
        Service(httpx.DecodingError("not in gzip format")).client().models()
    assert not Service(httpx.DecodingError("not in gzip format")).client().ready()


def test_desks_feedback_models_and_schemas() -> None:
    told = {"version": 3, "role": "challenger", "share": 0.1, "digest": "ab"}
    service = Service(good({"models": [{"model": "loans", "versions": [told]}], "desks": {"credit": [{"model": "x"}]}}))
    (served,) = service.client().models()
    assert (served.model, served.version, served.role, served.share) == ("loans", "3", "challenger", 0.1)
    assert service.client().desks() == {"credit": ("x",)}

    service = Service(good({"request": "r-2", "recorded": 1, "by_model": {"loans 3": 1}}))
    labels = [{"decision": "abc.0", "label": 1, "known_at": datetime.date(2026, 1, 31)}]
    assert service.client().feedback(labels).recorded == 1
    assert service.body == {"labels": [{"decision": "abc.0", "label": 1, "known_at": "2026-01-31"}]}

    service = Service(good({"row": {"properties": {"income": {}}}, "example": {"rows": [{"income": 1}]}}))
    shape = service.client().schema("loans")
    assert service.asked[0].url.query == b"model=loans"
    assert (shape.columns, shape.example) == (("income",), {"rows": [{"income": 1}]})

    service = Service(good({"decisions": []}))
    frame = pd.DataFrame({"income": [1]})
    assert service.client().desk("credit", "decide", loans="book", rows=frame) == {"decisions": []}
    assert service.asked[0].url.path == "/v1/desks/credit/decide"
    assert service.body == {"loans": "book", "rows": {"rows": [{"income": 1}]}}


def test_ready_is_what_the_service_says() -> None:
    assert Service(good({})).client().ready()
    assert not Service(bad(503)).client().ready()
    assert not Service(httpx.ConnectError("refused")).client().ready()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "models.example.com"}, "url="),
        ({"timeout_s": 0}, "timeout_s="),
        ({"retries": -1}, "retries="),
        ({"key": "plait_1_x\r\nX-Evil: 1"}, "key holds"),
        ({"ca": "/nowhere.pem"}, "ca="),
    ],
)
def test_arguments_out_of_range_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Client(**{"url": URL, **options})


def test_a_key_is_not_told_in_errors() -> None:
    with pytest.raises(ConfigError) as said:
        Client(URL, "plait_1_secret\n")
    assert "secret\n" not in str(said.value)


def test_the_client_loads_no_library_of_learning() -> None:
    code = "import sys, plait; plait.Client('http://localhost'); print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "sklearn", "pandas", "numpy", "scipy", "lightgbm", "pyarrow"}
