"""Operations of desks over HTTP, made from what the desks declare of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

from plait.contracts import Asked, Decision, Json, Operation, asks
from plait.contracts import Rows as Given
from plait.data.schema import Schema
from plait.errors import unknown
from plait.media.decode import keeping_nothing
from plait.metrics.shown import plain
from plait.serving.answers import entries, scoring_id
from plait.serving.audit import Entry
from plait.serving.errors import RefusedError
from plait.serving.openapi import offered
from plait.serving.payload import Payload
from plait.serving.rows import Form, Rows

if TYPE_CHECKING:
    from plait.serving.house import House
    from plait.serving.keys import Key
    from plait.serving.shelf import Fitted
    from plait.serving.telemetry import Visit

__all__ = ["fields_of", "operate", "operation_of"]

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "choice": (str,),
    "number": (int, float),
    "count": (int,),
    "flag": (bool,),
}
ROWS = ("rows", "sides")


def operation_of(house: House, desk: str, name: str) -> Operation:
    """The operation of a path.

    Raises
    ------
    RefusedError
        404 where the shelf has no such desk, or the desk offers no such operation.
    """
    if desk not in house.shelf.desks:
        raise RefusedError(404, str(unknown("desk", desk[:60], house.shelf.desks)))
    found = {each.name: each for each in offered(desk)}
    if name not in found:
        raise RefusedError(404, str(unknown(f"operation of {desk}", name[:60], found)))
    return found[name]


def fields_of(operation: Operation) -> tuple[str, ...]:
    """What a request may say: all but files and folders of the machine."""
    return tuple(name for name, (_, said) in asks(operation.request).items() if said.kind not in ("folder", "file"))


async def operate(
    house: House, desk: str, operation: Operation, visit: Visit, key: Key | None, payload: Payload
) -> dict[str, Json]:
    """Run an operation, and keep what it decided.

    Raises
    ------
    RefusedError
        422 where the request does not fit, and whatever the operation itself refuses.
    """
    if payload.table is not None:
        raise RefusedError(415, "operations of desks take JSON, or a form; send the rows as objects")
    request, rows, fitted = _request(house, desk, operation, key, payload)
    visit.rows = None if rows is None else len(rows)
    visit.model = None if fitted is None else f"{desk}/{fitted.name}"

    def work() -> Any:
        with keeping_nothing():
            return operation(request)

    try:
        result = await house.aside.call(work)
    finally:
        house.telemetry.aside.set(house.aside.held)
    told: dict[str, Any] = dict(result.to_json())
    decisions = getattr(result, "decisions", ())
    shared: dict[str, Json] = {"request": visit.id, "key": visit.key, "desk": desk, "operation": operation.name}
    if fitted is not None:
        shared |= {"model": fitted.name, "digest": fitted.digest}
    kind, scoring = f"{desk}.{operation.name}", scoring_id()
    if rows is not None and len(decisions) == len(rows) and all(isinstance(each, Decision) for each in decisions):
        outputs = [plain(each) for each in decisions]
        subject = () if fitted is None or fitted.form is None else fitted.form.subject
        kept = entries(kind, scoring, shared, rows, subject, outputs)
        kept = [
            Entry(kind, {**entry.fields, "policies": output["policies"]})
            for entry, output in zip(kept, outputs, strict=True)
        ]
        for row, decision in enumerate(told.get("decisions", ())):
            decision["decision"] = f"{scoring}.{row}"
    else:
        inputs = [] if rows is None else rows.digests()
        kept = [Entry(kind, {**shared, "decision": f"{scoring}.0", "input": inputs, "output": told})]
    await house.record(kept)
    return {"request": visit.id, "desk": desk, "operation": operation.name, "result": told}


def _request(
    house: House, desk: str, operation: Operation, key: Key | None, payload: Payload
) -> tuple[Any, Rows | None, Fitted | None]:
    """The operation's request, its first rows, and its model."""
    values: dict[str, Any] = {}
    first: Rows | None = None
    fitted: Fitted | None = None
    fields = {name: each for name, each in asks(operation.request).items() if name in fields_of(operation)}
    for name, (_, said) in fields.items():
        if said.kind == "fitted" and payload.body.get(name) is not None:
            fitted = _fitted(house, desk, name, payload.body[name])
            values[name] = fitted.model
    form = Form(Schema(()), {}, open=True) if fitted is None or fitted.form is None else fitted.form
    for name, (field, said) in fields.items():
        value = payload.body.get(name)
        if value is None:
            if field.default is MISSING and field.default_factory is MISSING:
                raise RefusedError(422, f"{name}: missing; {said.help}")
        elif said.kind == "rows":
            rows = _rows(house, form, name, value, key, payload)
            first = first or rows
            values[name] = Given(rows.frame(), rows.sides)
        elif said.kind != "fitted":
            values[name] = _value(name, said, value)
    return operation.request(**values), first, fitted


def _fitted(house: House, desk: str, name: str, value: Any) -> Fitted:
    known = house.shelf.desks[desk]
    if not isinstance(value, str) or value not in known:
        shown = value[:60] if isinstance(value, str) else type(value).__name__
        raise RefusedError(404, f"{name}: {unknown(f'model of the desk {desk}', shown, known)}")
    return known[value]


def _rows(house: House, form: Form, name: str, value: Any, key: Key | None, payload: Payload) -> Rows:
    if type(value) is not dict or not set(value) <= set(ROWS):
        raise RefusedError(422, f'{name}: give {{"rows": [...]}}, and "sides" where there are long tables')
    most = (
        house.settings.max_rows if key is None or key.max_rows is None else min(key.max_rows, house.settings.max_rows)
    )
    rows = value.get("rows")
    if isinstance(rows, list) and len(rows) > most:
        raise RefusedError(413, f"{name}: {len(rows):,} rows are more than {most:,}, the most that is allowed")
    return form.records(rows, value.get("sides"), payload.files)


def _value(name: str, said: Asked, value: Any) -> Any:
    """A field that is neither rows nor a model, checked."""
    if said.kind == "names":
        if type(value) is not list or not all(type(each) is str for each in value):
            raise RefusedError(422, f"{name}: give a list of texts")
        return tuple(value)
    if said.kind == "entries":
        if type(value) is not dict or not all(type(each) is str for each in value.values()):
            raise RefusedError(422, f"{name}: give an object of texts")
        return value
    if type(value) not in TYPES[said.kind]:
        raise RefusedError(422, f"{name}: give a {said.kind}; {said.help}")
    if said.kind == "choice" and value not in said.choices:
        raise RefusedError(422, f"{name}: {unknown('choice', value[:60], said.choices)}")
    if said.kind in ("number", "count"):
        low, high = -math.inf if said.least is None else said.least, math.inf if said.most is None else said.most
        if not (low <= value <= high and abs(value) < 1e308):
            raise RefusedError(422, f"{name}: out of range (allowed: {low:g}..{high:g})")
    return float(value) if said.kind == "number" else value
