"""Each event has exactly one outcome: through restarts, duplicates, events that come late, and broken ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from event_lines import WINDOWS, told, written

import plait
from plait.errors import ConfigError, DataError
from plait.serving.audit import Audit, verify
from plait.serving.shelf import Shelf
from plait.serving.stream import Reading, Tally
from plait.serving.stream.opening import Asked, looked_at, opened

Work = Callable[..., Tally]


def test_outcomes_are_those_of_the_model_on_columns_made_for_training(
    asked: Asked, work: Work, payments: pd.DataFrame, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", payment_events)
    tally = work(asked, alert_above=0.5)
    outcomes = told(tmp_path / "out.jsonl")
    assert (tally.read, tally.outcomes, tally.repeated, dict(tally.dead)) == (600, 600, 0, {})
    assert [each["id"] for each in outcomes] == payments["id"].tolist()
    assert [each["seq"] for each in outcomes] == list(range(1, 601))
    columns = WINDOWS.columns(payments, "time")
    seen = pd.DataFrame([each["windows"] for each in outcomes]).astype(float)
    np.testing.assert_array_equal(seen.to_numpy(), columns.to_numpy())
    scores = plait.load(asked.model).predict_proba(payments[["amount", "channel"]].join(columns))[:, 1]
    np.testing.assert_allclose([each["prediction"]["probabilities"]["1"] for each in outcomes], scores, rtol=1e-9)
    assert [each["alert"] for each in outcomes] == (scores >= 0.5).tolist()
    assert tally.alerts == (scores >= 0.5).sum()


def test_a_stopped_worker_goes_on_where_it_was(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", payment_events)
    work(asked, to=str(tmp_path / "straight.jsonl"), state=str(tmp_path / "other.db"))
    assert work(asked, batches=2).read == 128
    assert looked_at(asked)["decided"] == 128
    for batch in (1, 7, 5000):  # the size of batches changes nothing
        work(asked, batches=3, rules=replace(asked.rules, batch=batch))
    parts = [told(tmp_path / name) for name in ("out.jsonl", "straight.jsonl")]
    assert len(parts[0]) == 600
    for one, other in zip(*parts, strict=True):
        assert [one[name] for name in ("seq", "id", "windows")] == [other[name] for name in ("seq", "id", "windows")]
        assert one["prediction"]["probabilities"] == pytest.approx(other["prediction"]["probabilities"], rel=1e-9)


def test_what_was_committed_and_not_delivered_is_delivered_once(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "in.jsonl", payment_events)
    work(asked, batches=1)
    with opened(asked) as worker, monkeypatch.context() as broken:
        sink = worker._doors.sinks[False][1]
        write = sink.write

        def half(lines: Any) -> None:
            write(lines[:10])
            raise DataError("the power is gone")

        broken.setattr(sink, "write", half)
        with pytest.raises(DataError, match="power"):
            worker.run(lambda: False, lambda *_: None)
    with (tmp_path / "out.jsonl").open("a") as file:
        file.write('{"seq": 75, "id": "half a li')
    assert looked_at(asked)["not_delivered"] == 64
    work(asked)
    assert [each["seq"] for each in told(tmp_path / "out.jsonl")] == list(range(1, 601))


def test_events_that_come_twice_have_one_outcome(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", [*payment_events[:100], *payment_events[50:150], *payment_events[:10]])
    tally = work(asked)
    assert (tally.read, tally.outcomes, tally.repeated) == (210, 150, 60)
    assert [each["id"] for each in told(tmp_path / "out.jsonl")] == [each["id"] for each in payment_events[:150]]


def test_an_event_older_than_what_is_remembered_is_not_decided(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", [*payment_events, payment_events[0]])
    tally = work(asked, rules=replace(asked.rules, remember=3600.0))
    assert (tally.outcomes, dict(tally.dead)) == (600, {"too_old": 1})


def test_late_events_count_within_the_allowance_only(asked: Asked, work: Work, tmp_path: Path) -> None:
    def event(name: str, minute: float) -> dict[str, Any]:
        return {"id": name, "time": 60.0 * minute, "card": "c", "shop": "s", "amount": 10.0, "channel": "chip"}

    events = [event("a", 10), event("b", 30), event("late", 26), event("c", 31), event("too late", 20), event("d", 32)]
    written(tmp_path / "in.jsonl", events)
    tally = work(asked, rules=replace(asked.rules, late=300.0))
    found = {each["id"]: each for each in told(tmp_path / "out.jsonl")}
    counts = {name: each["windows"]["card_count_1h"] for name, each in found.items()}
    assert counts == {"a": 0, "b": 1, "late": 1, "c": 3, "too late": 1, "d": 4}
    assert found["too late"]["late"] is True
    assert "late" not in found["late"]
    assert tally.late == 1


BROKEN = {
    "not_json": [
        '{"id": "x1", ',
        "[1]",
        '{"id": "x", "time": 0, "amount": NaN}',
        "[" * 100_000,
        '{"id": "x0", "time": 0, "channel": "\\ud800"}',
    ],
    "no_id": ['{"time": 0}', '{"id": "", "time": 0}', '{"id": 1.5, "time": 0}'],
    "no_time": ['{"id": "x2"}', '{"id": "x3", "time": "soon"}', '{"id": "x4", "time": true}'],
    "future": ['{"id": "x5", "time": "2999-01-01"}', '{"id": "x6", "time": 1735689600000}'],
    "too_large": ['{"id": "x7", "time": 0, "note": "' + "x" * 200_000 + '"}'],
    "refused": [
        '{"id": "x8", "time": "2025-01-02", "card": "c", "amount": "much"}',
        '{"id": "x9", "time": "2025-01-02", "card": "c", "amount": {"a": [1]}}',
    ],
}


def test_dead_letters_say_why_and_stop_nothing(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    broken = [line for lines in BROKEN.values() for line in lines]
    mixed = [line for pair in zip(broken, payment_events, strict=False) for line in pair]
    written(tmp_path / "in.jsonl", mixed)
    tally = work(asked, max_bytes=100_000)
    letters = told(tmp_path / "out.jsonl.dead")
    assert dict(tally.dead) == {reason: len(lines) for reason, lines in BROKEN.items()}
    assert tally.outcomes == len(broken)
    assert all(letter["message"] for letter in letters)
    kept = {letter["event"] for letter in letters}
    assert kept == {line if len(line) <= 100_000 else line[: 1 << 16] for line in broken}
    assert sorted(each["seq"] for each in letters + told(tmp_path / "out.jsonl")) == list(range(1, len(mixed) + 1))
    assert "amount" in next(each for each in letters if each["reason"] == "refused")["message"]


def test_dead_letters_that_were_mended_are_decided_once(asked: Asked, work: Work, tmp_path: Path) -> None:
    good = {"id": "g", "time": 0.0, "card": "c", "shop": "s", "amount": 5.0}
    bad = {"id": "b", "time": 60.0, "card": "c", "shop": "s", "amount": "5,00"}
    written(tmp_path / "in.jsonl", [good, bad, {**good, "id": "h", "time": 120.0}])
    assert dict(work(asked).dead) == {"refused": 1}
    (letter,) = told(tmp_path / "out.jsonl.dead")
    mended = tmp_path / "mended.jsonl"
    written(mended, [{**letter, "event": json.dumps({**bad, "amount": 5.0})}, "no letter"])
    again = replace(asked.rules, reading=Reading(letters=True))
    tally = work(asked, origin=str(mended), rules=again)
    assert (tally.outcomes, dict(tally.dead)) == (1, {"not_a_letter": 1})
    outcome = told(tmp_path / "out.jsonl")[-1]
    assert (outcome["id"], outcome["windows"]["card_count_1h"]) == ("b", 1)  # as it was then, and not taken in twice
    copy = tmp_path / "copy.jsonl"
    copy.write_text(mended.read_text().splitlines(keepends=True)[0])
    assert work(asked, origin=str(copy), rules=again).repeated == 1


@pytest.mark.parametrize("how", ["cut", "moved", "replaced"])
def test_a_file_that_is_followed_and_changes_is_told(
    asked: Asked, payment_events: list[dict[str, Any]], tmp_path: Path, how: str
) -> None:
    source = tmp_path / "in.jsonl"
    written(source, payment_events[:5])

    def heard(tally: Tally, seconds: float) -> None:
        if how == "cut":
            source.write_text("")
        elif tally.read:
            source.rename(tmp_path / "old.jsonl")
        if how == "replaced":
            written(source, payment_events[5:10])

    with opened(replace(asked, follow=True)) as worker, pytest.raises(DataError, match="another file"):
        worker.run(lambda: False, heard)
    assert len(told(tmp_path / "out.jsonl")) == 5


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_rate_is_kept_after_a_pause_and_does_not_hold_up_the_end(
    asked: Asked, payment_events: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "in.jsonl", payment_events[:4])
    clock = Clock()
    monkeypatch.setattr("plait.serving.stream.worker.clock", clock)
    moments: list[float] = []

    def heard(tally: Tally, seconds: float) -> None:
        moments.append(clock.now)
        if len(moments) == 1:
            clock.now += 1000.0  # nothing came for long

    with opened(replace(asked, rules=replace(asked.rules, rate=0.1))) as worker:
        tally = worker.run(lambda: len(moments) == 3 and clock.now > moments[2] + 1.0, heard)
    assert tally.read == 3
    assert moments == pytest.approx([0.0, 1010.0, 1020.0])
    assert max(clock.slept) <= 0.2
    assert clock.now < 1022.0


def test_what_is_no_number_is_no_decision(
    asked: Asked, payment_events: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "in.jsonl", payment_events[:3])
    with opened(asked) as worker, monkeypatch.context() as broken:
        score = worker._doors.scorer.score

        def odd(records: Any) -> list[Any]:
            first, *rest = score(records)
            return [replace(first, told={"value": float("nan")}), *rest]

        broken.setattr(worker._doors.scorer, "score", odd)
        tally = worker.run(lambda: False, lambda *_: None)
    assert (tally.outcomes, dict(tally.dead)) == (2, {"refused": 1})


def test_halves_of_characters_do_not_stop_the_audit(asked: Asked, work: Work, tmp_path: Path) -> None:
    event = {"id": "a", "time": 0, "card": "c", "amount": 1.0}
    written(tmp_path / "in.jsonl", [{**event, "channel": "\ud800"}, {**event, "channel": "\ud83d\ude00"}])
    tally = work(asked, audit=str(tmp_path / "audit.db"))
    assert (tally.outcomes, dict(tally.dead)) == (1, {"not_json": 1})


def test_amounts_that_no_sum_can_hold_stop_nothing(asked: Asked, work: Work, tmp_path: Path) -> None:
    event = {"time": 0, "card": "c", "amount": 1.6e296, "channel": "chip"}
    written(tmp_path / "in.jsonl", [{**event, "id": name} for name in "abc"])
    assert work(asked).read == 3


def test_every_decision_is_in_the_audit(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", payment_events[:80])
    url = str(tmp_path / "audit.db")
    work(asked, audit=url)
    assert (verify(url).wrong, verify(url).entries) == (0, 80)
    audit = Audit.open(url)
    digest = Shelf.open(asked.model).named(None).champion.digest  # over HTTP the same model has the same
    for outcome in told(tmp_path / "out.jsonl"):
        kept = audit.find(outcome["decision"])
        assert kept is not None
        assert kept.fields["digest"] == digest
    audit.close()


def test_a_state_has_one_worker_and_one_kind_of_windows(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", payment_events[:5])
    with opened(asked):
        for use in (lambda: work(asked), lambda: looked_at(asked)):
            with pytest.raises(DataError, match="in use"):
                use()
    work(asked)
    with pytest.raises(ConfigError, match="--late"):
        work(asked, rules=replace(asked.rules, late=1.0))
    with pytest.raises(DataError, match="written by another"), opened(asked):
        work(asked, state=str(tmp_path / "second.db"))


def test_files_that_are_not_what_they_were_are_refused(
    asked: Asked, work: Work, payment_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", payment_events[:50])
    work(asked)
    written(tmp_path / "in.jsonl", payment_events[50:300])
    with pytest.raises(DataError, match="another file"):
        work(asked)
    written(tmp_path / "in.jsonl", payment_events[:60])
    assert work(asked).outcomes == 10
    (tmp_path / "out.jsonl").write_text("")
    with pytest.raises(DataError, match="put it back"):
        work(asked)
    (tmp_path / "half.jsonl").write_text('{"seq": 1')
    with pytest.raises(DataError, match="middle of a line"):
        work(asked, to=str(tmp_path / "half.jsonl"))
    (tmp_path / "foreign").write_text("no database" * 100)
    with pytest.raises(DataError, match="not the state"):
        work(asked, state=str(tmp_path / "foreign"))


def test_a_database_of_others_is_left_as_it_is(asked: Asked, work: Work, tmp_path: Path) -> None:
    path = tmp_path / "others.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE theirs (cell)")
    before = path.read_bytes()
    written(tmp_path / "in.jsonl", [])
    with pytest.raises(DataError, match="not the state"):
        work(asked, state=str(path))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.glob("others.db*")] == ["others.db"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"origin": "kafka://host/0/x"}, "kafka://"),
        ({"origin": "redis://host"}, "HOST:PORT"),
        ({"origin": "redis://host/0/x?gruop=a"}, "did you mean 'group'"),
        ({"to": "-"}, "--dead"),
        ({"state": "-"}, "survives"),
        ({"alert_above": 0.5, "alert_class": "2"}, "'2'"),
    ],
)
def test_addresses_and_options_that_cannot_be_used(
    asked: Asked, work: Work, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    written(tmp_path / "in.jsonl", [])
    with pytest.raises(ConfigError, match=said):
        work(asked, **changed)
