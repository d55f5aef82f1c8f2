"""Verbs made from a desk's operations: a toy desk, asked as a person would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plait import registry
from plait.contracts import Desk, Json, Operation, Progress, Rows, asked


@dataclass(frozen=True)
class CountRequest:
    """Rows to count."""

    rows: Rows = asked("rows", "The rows.")
    scale: str = asked("fitted", "A scale.", shown="SCALE")
    times: float = asked("number", "Times.", default=1.0, least=0)
    by: str = asked("choice", "By what.", default="rows", choices=("rows", "columns"))
    only: tuple[str, ...] = asked("names", "Columns to count.", default=())
    named: Mapping[str, str] = asked("entries", "Names.", default={})
    other: Rows | None = asked("rows", "Other rows.", default=None, leading=False)
    strict: bool = asked("flag", "Refuse few.", default=False)


@dataclass(frozen=True)
class Counted:
    """How many."""

    count: float
    request: CountRequest
    refusal: str = ""

    def __str__(self) -> str:
        return f"counted {self.count:g}"

    def to_json(self) -> Json:
        other = None if self.request.other is None else len(self.request.other)
        return {"count": self.count, "scale": self.request.scale, "named": dict(self.request.named), "other": other}


def count(request: CountRequest, report: Callable[[Progress], None]) -> Counted:
    frame = request.rows.frame[list(request.only)] if request.only else request.rows.frame
    found = len(frame) if request.by == "rows" else frame.shape[1]
    return Counted(found * request.times, request, "too few" if request.strict and found < 3 else "")


DESK = Desk("toy", "Counts.", (Operation("count", CountRequest, count, "Count.", "reads"),), lambda path: f"<{path}>")


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(registry.KINDS, "desks", {**registry.KINDS["desks"], "toy": f"{__name__}:DESK"})
    registry._table.cache_clear()
    monkeypatch.setattr(registry, "get", lambda kind, name: DESK)
    (folder / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "others.csv").write_text("a,b\n1,2\n3,4\n5,6\n")


@pytest.fixture(autouse=True, scope="module")
def forget() -> Any:
    yield
    registry._table.cache_clear()


def test_a_request_is_made_from_what_is_written(run: Callable[..., Any]) -> None:
    said = run(
        "toy", "count", "rows.csv", "metres", "--times", "2", "--named", "a=b", "--other", "others.csv", "--json"
    )
    assert said.json == {"count": 4.0, "scale": "<metres>", "named": {"a": "b"}, "other": 3}
    assert "counted 4" in said.err


def test_defaults_are_those_of_the_request(run: Callable[..., Any]) -> None:
    said = run("toy", "count", "rows.csv", "metres", "--json")
    assert said.json == {"count": 2.0, "scale": "<metres>", "named": {}, "other": None}


def test_columns_are_named_with_commas(run: Callable[..., Any]) -> None:
    assert run("toy", "count", "rows.csv", "m", "--only", "a", "--by", "columns").out.strip() == "counted 1"
    assert run("toy", "count", "rows.csv", "m", "--only", "a,b", "--by", "columns").out.strip() == "counted 2"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--by", "cells"], "unknown by 'cells'"),
        (["--named", "a"], "not NAME=VALUE"),
        (["--times", "-1"], "greater than or equal to 0"),
        (["--tims", "1"], "did you mean '--times'"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(run: Callable[..., Any], arguments: list[str], told: str) -> None:
    said = run("toy", "count", "rows.csv", "metres", *arguments)
    assert said.code == 2
    assert told in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_gate_that_says_no_ends_with_3(run: Callable[..., Any]) -> None:
    said = run("toy", "count", "rows.csv", "metres", "--strict")
    assert (said.code, "refused: too few" in said.err) == (3, True)
    assert run("toy", "count", "others.csv", "metres", "--strict").code == 0


def test_desks_stand_beside_the_verbs(run: Callable[..., Any]) -> None:
    said = run("--help")
    assert "toy" in said.out
    assert "Counts." in run("toy", "--help").out
