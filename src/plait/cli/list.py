"""``plait list``: the parts there are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from plait import registry
from plait.cli.options import AsJson
from plait.cli.screen import Screen
from plait.errors import PlaitError

__all__ = ["list_parts"]

SET_BY_USERS = ("balances", "fusions", "learners", "maskings", "optimisers", "recipes", "schedules")


def list_parts(
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", help="One kind only, such as learners.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the parts there are, with their options."""
    screen = Screen(as_json)
    kinds = tuple(registry.KINDS) if kind is None else (kind,)
    found = {each: {name: _described(each, name) for name in registry.names(each)} for each in kinds}
    for each, parts in found.items():
        screen.heading(each)
        rows = [(name, part["summary"], ", ".join(part["options"])) for name, part in parts.items()]
        screen.table([("name", "what it is", "options"), *rows])
    screen.result(found)


def _described(kind: str, name: str) -> dict[str, Any]:
    """First line of a part's documentation and, where users set them, its options."""
    from inspect import getdoc, signature

    try:
        part = registry.get(kind, name)
    except (PlaitError, ImportError) as error:  # a part of another package that is not whole is no reason to stop
        return {"target": registry.target(kind, name), "summary": f"cannot be loaded: {error}", "options": []}
    if kind == "desks":
        return {
            "target": registry.target(kind, name),
            "summary": part.summary,
            "options": [operation.name for operation in part.operations],
        }
    options = list(signature(part).parameters) if kind in SET_BY_USERS else []
    summary = (getdoc(part) or "").partition("\n")[0]
    return {"target": registry.target(kind, name), "summary": summary, "options": options}
