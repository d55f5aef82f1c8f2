"""What every operation of every desk promises; a new one is tested by being registered."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from plait import registry
from plait.contracts import Desk, Operation, asks
from plait.errors import ConfigError

DESKS: list[Desk] = [registry.get("desks", name) for name in registry.names("desks")]
EVERY = [pytest.param(desk, each, id=f"{desk.name}-{each.name}") for desk in DESKS for each in desk.operations]


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.name)
def test_operations_differ_by_name(desk: Desk) -> None:
    names = [operation.name for operation in desk]
    assert len(set(names)) == len(names) > 0
    assert all(desk[name].name == name for name in names)
    with pytest.raises(ConfigError, match="unknown operation"):
        desk["teleport"]


@pytest.mark.parametrize(("desk", "operation"), EVERY)
def test_an_operation_says_what_it_is(desk: Desk, operation: Operation) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", operation.name)
    assert operation.summary.partition("\n")[0].endswith(".")
    assert operation.effect in ("reads", "acts")
    assert operation.request.__doc__
    assert dataclasses.fields(operation.request)
    assert operation.request.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize(("desk", "operation"), EVERY)
def test_every_field_of_a_request_asks_for_something(desk: Desk, operation: Operation) -> None:
    for name, (field, said) in asks(operation.request).items():
        assert said.help.endswith((".", "?")), name
        assert (said.kind == "choice") == bool(said.choices), name
        if said.kind == "choice" and field.default not in (None, dataclasses.MISSING):
            assert field.default in said.choices, name
        if said.kind == "flag":
            assert field.default is False, name


@pytest.mark.parametrize(("desk", "operation"), EVERY)
def test_the_example_is_a_request(desk: Desk, operation: Operation) -> None:
    json.dumps(operation.example)
    fields = asks(operation.request)
    assert set(operation.example) <= set(fields)
    needed = {
        name
        for name, (field, _) in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    assert needed <= set(operation.example)


@pytest.mark.parametrize(("desk", "operation"), EVERY)
def test_the_command_line_offers_it(desk: Desk, operation: Operation, run: Callable[..., Any]) -> None:
    said = run(desk.name, operation.name, "--help")
    assert said.code == 0
    shown = " ".join(said.out.split())
    for name, (_, asked) in asks(operation.request).items():
        assert asked.leading or f"--{name.replace('_', '-')}" in shown
    assert operation.name in run(desk.name, "--help").out


@pytest.mark.parametrize(("desk", "operation"), EVERY)
def test_a_request_of_another_kind_is_refused(desk: Desk, operation: Operation) -> None:
    with pytest.raises(TypeError, match=operation.request.__name__):
        operation(object())
