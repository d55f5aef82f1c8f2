"""Redis at both ends and as the state: acknowledged after the commit, taken over from the dead, once in the sink."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from plait.errors import DataError
from plait.serving.stream import Tally
from plait.serving.stream.opening import Asked, looked_at, opened

Work = Callable[..., Tally]


@pytest.fixture
def stream(asked: Asked, redis_url: str) -> Asked:
    """From a stream of a new name to others, the state beside them."""
    name = uuid.uuid4().hex
    return replace(
        asked, origin=f"{redis_url}/{name}?idle=0.05", to=f"{redis_url}/{name}-out", state=f"{redis_url}/{name}"
    )


def sent(server: Any, asked: Asked, events: list[Any]) -> None:
    for each in events:
        server.xadd(name_of(asked.origin), {"event": each if isinstance(each, str) else json.dumps(each)})


def name_of(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[2]


def got(server: Any, name: str) -> list[dict[str, Any]]:
    return [json.loads(fields[b"event"]) for _, fields in server.xrange(name)]


@pytest.fixture
def server(redis_url: str) -> Any:
    with Redis.from_url(redis_url) as made:
        yield made


def test_each_entry_has_one_outcome_and_is_acknowledged(
    stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any
) -> None:
    sent(server, stream, [*payment_events[:150], "broken", *payment_events[:20]])
    server.xadd(name_of(stream.origin), {"other": "field"})
    assert looked_at(stream)["known"] is False
    work(stream, batches=1)
    tally = work(stream)
    assert (tally.outcomes, tally.repeated, dict(tally.dead)) == (86, 20, {"not_json": 2})
    assert [each["id"] for each in got(server, f"{name_of(stream.to)}")] == [
        each["id"] for each in payment_events[:150]
    ]
    assert [each["reason"] for each in got(server, f"{name_of(stream.to)}.dead")] == ["not_json", "not_json"]
    assert server.xpending(name_of(stream.origin), "plait")["pending"] == 0
    assert looked_at(stream)["decided"] == 152
    assert looked_at(stream)["not_delivered"] == 0


def test_windows_are_those_of_files(
    stream: Asked, asked: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any, tmp_path: Any
) -> None:
    sent(server, stream, payment_events[:200])
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in payment_events[:200]))
    for _ in range(3):  # restored twice
        work(stream, batches=1)
    work(stream)
    work(asked)
    files = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [each["windows"] for each in got(server, name_of(stream.to))] == [each["windows"] for each in files]


def test_what_a_dead_reader_left_is_taken_over(
    stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any
) -> None:
    sent(server, stream, payment_events[:30])
    name = name_of(stream.origin)
    server.xgroup_create(name, "plait", id="0")
    server.xreadgroup("plait", "dead", {name: ">"}, count=10)
    server.xdel(name, server.xrange(name, count=1)[0][0])
    heard: list[int] = []
    with opened(replace(stream, follow=True)) as worker:
        tally = worker.run(lambda: worker.tally.read >= 30 or len(heard) > 50, lambda *_: heard.append(1))
    assert (tally.outcomes, dict(tally.dead)) == (29, {"trimmed": 1})
    assert server.xpending(name, "plait")["pending"] == 0


def test_what_was_read_and_not_committed_is_read_again(
    stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(server, stream, payment_events[:100])
    with opened(stream) as worker, monkeypatch.context() as broken:
        broken.setattr(worker._doors.state, "commit", lambda step: (_ for _ in ()).throw(DataError("gone")))
        with pytest.raises(DataError, match="gone"):
            worker.run(lambda: False, lambda *_: None)
    with opened(stream) as worker, monkeypatch.context() as broken:
        broken.setattr(worker._doors.source, "done", lambda: (_ for _ in ()).throw(DataError("gone")))
        with pytest.raises(DataError, match="gone"):
            worker.run(lambda: False, lambda *_: None)
    tally = work(stream)
    assert (tally.repeated, tally.outcomes) == (64, 36)
    assert [each["seq"] for each in got(server, name_of(stream.to))] == list(range(1, 101))


def test_the_newer_worker_owns_the_state(
    stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any
) -> None:
    sent(server, stream, payment_events[:100])
    with opened(stream) as older:
        looked_at(stream)  # changes nothing
        older.run(lambda: True, lambda *_: None)
        work(stream, batches=1)
        with pytest.raises(DataError, match="took over"):
            older.run(lambda: False, lambda *_: None)
    work(stream)
    assert [each["seq"] for each in got(server, name_of(stream.to))] == list(range(1, 101))


def test_a_sink_that_others_wrote_to_is_gone_on_with(
    stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any
) -> None:
    server.xadd(name_of(stream.to), {"event": '{"seq": 0}'})
    sent(server, stream, payment_events[:10])
    work(stream, batches=0)
    work(stream)
    assert [each["seq"] for each in got(server, name_of(stream.to))] == list(range(11))


def test_ids_are_forgotten(stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any) -> None:
    sent(server, stream, payment_events)
    work(stream, rules=replace(stream.rules, remember=3600.0))
    key = f"plait:{{{name_of(stream.state)}}}:seen"
    assert 0 < server.zcard(key) < 100


def test_a_server_that_does_not_answer_is_an_error_of_one_line(stream: Asked, work: Work) -> None:
    with pytest.raises(DataError, match="Redis says"):
        work(stream, state="redis://user:secret@127.0.0.1:1/0/x")


def stopped_while_writing(stream: Asked, monkeypatch: pytest.MonkeyPatch, delivered: int) -> None:
    """A batch is committed, and some of its outcomes are delivered."""
    with opened(stream) as worker, monkeypatch.context() as broken:
        sink = worker._doors.sinks[False][1]
        write = sink.write

        def half(lines: Any) -> None:
            write(lines[:delivered])
            raise DataError("the power is gone")

        broken.setattr(sink, "write", half)
        with pytest.raises(DataError, match="power"):
            worker.run(lambda: False, lambda *_: None)


def test_outcomes_may_be_taken_out_of_the_sink_as_they_are_read(
    stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = name_of(stream.to)
    server.xadd(out, {"event": "{}"}, id="7-1")
    server.xtrim(out, maxlen=0, approximate=False)
    sent(server, stream, payment_events[:100])
    stopped_while_writing(stream, monkeypatch, 10)
    assert [each["seq"] for each in got(server, out)] == list(range(1, 11))
    server.xtrim(out, maxlen=0, approximate=False)
    work(stream)
    assert [each["seq"] for each in got(server, out)] == list(range(11, 101))


@pytest.mark.parametrize("number", ["*", "11-1"])
def test_entries_of_others_among_the_outcomes_hide_none(
    stream: Asked,
    work: Work,
    payment_events: list[dict[str, Any]],
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    number: str,
) -> None:
    sent(server, stream, payment_events[:100])
    stopped_while_writing(stream, monkeypatch, 10)
    server.xadd(name_of(stream.to), {"event": "{}"}, id=number)
    for _ in range(2):
        with pytest.raises(DataError, match="entries of others"):
            work(stream)
    other = f"{stream.to}-2"
    work(stream, to=other)
    assert [each["seq"] for each in got(server, name_of(other))] == list(range(1, 101))


def test_what_was_read_and_then_taken_out_is_told(
    stream: Asked, work: Work, payment_events: list[dict[str, Any]], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(server, stream, payment_events[:3])
    with opened(stream) as worker, monkeypatch.context() as broken:
        broken.setattr(worker._doors.state, "commit", lambda step: (_ for _ in ()).throw(DataError("gone")))
        with pytest.raises(DataError, match="gone"):
            worker.run(lambda: False, lambda *_: None)
    server.xdel(name_of(stream.origin), server.xrange(name_of(stream.origin), count=1)[0][0])
    tally = work(stream)
    assert (tally.outcomes, dict(tally.dead)) == (2, {"trimmed": 1})
