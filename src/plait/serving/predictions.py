"""Predictions and explanations: from a request to answers that are recorded before they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Final

from plait.contracts import Json
from plait.errors import PlaitError, unknown
from plait.media.decode import keeping_nothing
from plait.serving.answers import entries, scoring_id
from plait.serving.batching import Scored
from plait.serving.errors import RefusedError
from plait.serving.payload import Payload
from plait.serving.shelf import Role

if TYPE_CHECKING:
    from plait.serving.house import House
    from plait.serving.keys import Key
    from plait.serving.rows import Rows
    from plait.serving.shelf import Served
    from plait.serving.telemetry import Visit

__all__ = ["EXPLAIN", "FIELDS_EXPLAIN", "FIELDS_PREDICT", "explain", "predict"]

FIELDS_PREDICT: Final = ("model", "version", "rows", "sides", "explain")
FIELDS_EXPLAIN: Final = ("model", "version", "rows", "sides", "depth", "language")
EXPLAIN: Final = ("none", "sources", "columns")
DEPTHS: Final = ("sources", "columns", "cells")
LANGUAGES: Final = ("en", "zh")
FEW: Final = 64  # rows that are read at once, without a thread
EXPLAINED: Final = 100  # rows of a request that are explained
TOGETHER: Final = 16  # of them at once; in their cells one by one: a second each, where files are among them


@dataclass(frozen=True)
class _Asked:
    """A request that was understood: who answers it, and its rows."""

    role: Role
    served: Served
    shadows: tuple[Served, ...]
    rows: Rows
    scoring: str = field(default_factory=scoring_id)

    def shared(self, visit: Visit) -> dict[str, Json]:
        """What all its entries in the audit have in common."""
        return _shared(visit, self.served, self.role)


def _shared(visit: Visit, served: Served, role: Role) -> dict[str, Json]:
    return {
        "request": visit.id,
        "key": visit.key,
        "model": served.name,
        "version": served.version,
        "digest": served.digest,
        "role": role,
    }


async def predict(house: House, visit: Visit, key: Key | None, payload: Payload) -> dict[str, Json]:
    """Answer ``/v1/predict``.

    Raises
    ------
    RefusedError
        Whatever is wrong with the request, or why it cannot be answered now.
    """
    wanted = _choice(payload.body, "explain", EXPLAIN, "none")
    asked = await _asked(house, visit, key, payload)
    if wanted != "none":
        _explainable(asked, len(asked.rows))
    found = await house.score(asked.served, asked.rows)
    explanations: list[Json] = []
    if wanted != "none":
        explanations = await _explained(house, asked, (wanted,), "en")
    _count(house, visit, asked, found)
    subject = asked.served.form.subject
    given = ("predict", asked.scoring, asked.shared(visit), asked.rows, subject, found.answers, explanations)
    told = entries(*given) if len(asked.rows) < FEW else await asyncio.to_thread(entries, *given)
    await house.record(told)
    for shadow in asked.shadows:
        house.later(_shadow(house, visit, shadow, asked))
    body = _head(visit, asked)
    body["predictions"] = [{"decision": f"{asked.scoring}.{row}", **answer} for row, answer in enumerate(found.answers)]
    if explanations:
        body["explanations"] = explanations
    body["faults"] = found.faults
    if asked.rows.ignored:
        body["ignored"] = list(asked.rows.ignored)
    return body


async def explain(house: House, visit: Visit, key: Key | None, payload: Payload) -> dict[str, Json]:
    """Answer ``/v1/explain``.

    Raises
    ------
    RefusedError
        As of `predict`.
    """
    depth = _choice(payload.body, "depth", DEPTHS, "columns")
    language = _choice(payload.body, "language", LANGUAGES, "en")
    asked = await _asked(house, visit, key, payload)
    _explainable(asked, len(asked.rows))
    depths = DEPTHS[: DEPTHS.index(depth) + 1]
    explanations = await _explained(house, asked, depths, language)
    outputs = [{"of": each["of"], "prediction": each["prediction"]} for each in explanations]
    subject = asked.served.form.subject
    told = entries("explain", asked.scoring, asked.shared(visit), asked.rows, subject, outputs, explanations)
    await house.record(told)
    body = _head(visit, asked)
    body["explanations"] = [{"decision": f"{asked.scoring}.{row}", **each} for row, each in enumerate(explanations)]
    if asked.rows.ignored:
        body["ignored"] = list(asked.rows.ignored)
    return body


async def _asked(house: House, visit: Visit, key: Key | None, payload: Payload) -> _Asked:
    """Who answers, and the rows, checked."""
    body = payload.body
    named = house.shelf.named(_text(body, "model"))
    role, served = named.chosen(visit.id, _text(body, "version"))
    visit.model, visit.version = served.name, served.version
    most = (
        house.settings.max_rows if key is None or key.max_rows is None else min(key.max_rows, house.settings.max_rows)
    )
    given = payload.table.num_rows if payload.table is not None else body.get("rows")
    count = given if isinstance(given, int) else len(given) if isinstance(given, list) else 0
    if count > most:
        raise RefusedError(
            413, f"{count:,} rows are more than {most:,}, the most that is allowed; send several requests"
        )
    read: partial[Rows]
    if payload.table is not None:
        read = partial(served.form.table, payload.table)
    else:
        read = partial(served.form.records, body.get("rows"), body.get("sides"), payload.files)
    rows = read() if count < FEW else await asyncio.to_thread(read)
    lost = sorted(set(served.form.tables) - set(rows.sides) - set(served.sides))
    if lost:
        raise RefusedError(422, f"sides: the model reads the long table {lost[0]!r}; send its records by that name")
    visit.rows = len(rows)
    return _Asked(role, served, named.shadows if role == "champion" else (), rows)


def _head(visit: Visit, asked: _Asked) -> dict[str, Json]:
    return {"request": visit.id, "model": asked.served.name, "version": asked.served.version}


def _text(body: Mapping[str, Json], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedError(422, f"{name}: give text")
    return value


def _choice(body: Mapping[str, Json], name: str, choices: tuple[str, ...], default: str) -> str:
    value = body.get(name)
    if value is None:
        return default
    if value not in choices:
        shown = value[:60] if isinstance(value, str) else type(value).__name__
        raise RefusedError(422, f"{name}: {unknown('choice', shown, choices)}")
    return str(value)


def _explainable(asked: _Asked, rows: int) -> None:
    if not hasattr(asked.served.estimator, "explain"):
        raise RefusedError(422, f"{asked.served.name} predicts several targets, which are not explained here; ask none")
    if rows > EXPLAINED:
        raise RefusedError(413, f"{rows:,} rows are more than {EXPLAINED}, the most that is explained at once")


async def _explained(house: House, asked: _Asked, depths: tuple[str, ...], language: str) -> list[Json]:
    """Explanations in words and numbers, one a row; no more of them are made once nobody waits."""
    served, rows, gone = asked.served, asked.rows, Event()
    step = 1 if "cells" in depths else TOGETHER
    sides = {**served.sides, **rows.sides}

    def work() -> list[Json]:
        found: list[Json] = []
        with keeping_nothing():
            for begin in range(0, len(rows), step):
                if gone.is_set():
                    break
                frame = rows.take(begin, min(begin + step, len(rows))).frame()
                made = served.estimator.explain(frame, sides=sides, depths=depths).to_json(language)["rows"]
                found += [{**each, "row": begin + each["row"]} for each in made]
        return found

    try:
        return await house.aside.call(work)
    finally:
        gone.set()
        house.telemetry.aside.set(house.aside.held)


def _count(house: House, visit: Visit, asked: _Asked, found: Scored) -> None:
    visit.faults = len(found.faults)
    served = asked.served
    house.telemetry.rows.labels(served.name, served.version, asked.role).inc(len(asked.rows))
    if found.faults:
        house.telemetry.faults.labels(served.name, served.version).inc(len(found.faults))


async def _shadow(house: House, visit: Visit, served: Served, asked: _Asked) -> None:
    """Score rows once more by a version that only listens, under the decisions of the one that answered.

    That it cannot is counted, and nobody waits for it.
    """
    rows, lost = asked.rows, house.telemetry.lost.labels(served.name, served.version)
    with suppress(PlaitError, TimeoutError), lost.count_exceptions():
        async with asyncio.timeout(house.settings.timeout_s):
            found = await house.score(served, rows)
            shared = _shared(visit, served, "shadow")
            told = entries("shadow", asked.scoring, shared, rows, served.form.subject, found.answers)
            await house.record(told)
        house.telemetry.rows.labels(served.name, served.version, "shadow").inc(len(rows))
