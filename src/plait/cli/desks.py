"""The verbs of desks, made from their operations: ``plait DESK VERB``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from inspect import Parameter, Signature
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from plait import registry
from plait.cli.gate import refuse
from plait.cli.options import AsJson, DataFolder, Encoding, MaskPersonal, SidePaths, keyed, names
from plait.cli.screen import Screen
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.contracts import Asked, Desk, Operation, Rows

__all__ = ["WithDesks", "desk_app"]

READING: Mapping[str, Any] = {
    "side": SidePaths,
    "data_folder": DataFolder,
    "encoding": Encoding,
    "mask_personal": MaskPersonal,
}
TYPES: Mapping[str, Any] = {
    "rows": Path,
    "fitted": Path,
    "folder": Path,
    "file": Path,
    "string": str,
    "number": float,
    "count": int,
    "flag": bool,
    "choice": str,
    "names": list[str],
    "entries": list[str],
}
SHOWN = {"rows": "DATA", "fitted": "MODEL", "folder": "DIR", "file": "FILE", "names": "C,...", "entries": "NAME=VALUE"}


class WithDesks(TyperGroup):
    """Commands, and a group of them for each desk, which is only looked at when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *registry.names("desks")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in registry.names("desks"):
            return get_command(desk_app(cmd_name))
        return super().get_command(ctx, cmd_name)


def desk_app(name: str) -> typer.Typer:
    """The commands of a desk."""
    desk: Desk = registry.get("desks", name)
    made = typer.Typer(name=name, help=desk.summary, no_args_is_help=True, rich_markup_mode=None)
    made.callback()(lambda: None)  # a group, however few its commands
    for operation in desk.operations:
        made.command(operation.name, help=operation.summary)(_verb(desk, operation))
    return made


def _verb(desk: Desk, operation: Operation) -> Callable[..., None]:
    """The function that typer reads an operation's options from."""
    from plait.contracts import asks

    fields = asks(operation.request)
    reads = any(said.kind == "rows" for _, said in fields.values())

    def verb(**given: Any) -> None:
        _call(desk, operation, given)

    parameters = [_parameter(name, each.default, each.default_factory, said) for name, (each, said) in fields.items()]
    if reads:
        defaults = {"mask_personal": False}
        parameters += [_keyword(name, kind, defaults.get(name)) for name, kind in READING.items()]
    parameters.append(_keyword("as_json", AsJson, False))
    parameters.sort(key=lambda p: p.default is not Parameter.empty)
    verb.__name__ = operation.name
    verb.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    verb.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return verb


def _keyword(name: str, kind: Any, default: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _parameter(name: str, default: Any, factory: Any, said: Asked) -> Parameter:
    needed = default is MISSING and factory is MISSING
    kind, shown = TYPES[said.kind], said.shown or SHOWN.get(said.kind)
    bounds: dict[str, Any] = {"min": said.least, "max": said.most} if said.kind in ("number", "count") else {}
    text = said.help + (f" ({', '.join(said.choices)})" if said.choices else "")
    if said.leading:
        info: Any = typer.Argument(metavar=shown, help=text)
    else:
        flags = [f"--{name.replace('_', '-')}", *([f"-{said.short}"] if said.short else [])]
        info = typer.Option(*flags, metavar=None if said.kind == "flag" else shown, help=text, **bounds)
    if needed:
        return Parameter(name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind, info])
    listed = said.kind in ("names", "entries")
    value = None if listed or default is MISSING else default
    optional = kind if value is not None else kind | None
    return Parameter(name, Parameter.KEYWORD_ONLY, default=value, annotation=Annotated[optional, info])


def _call(desk: Desk, operation: Operation, given: dict[str, Any]) -> None:
    """Make the request from what was written, run it, and show what came out."""
    from plait.contracts import asks
    from plait.media.decode import running

    screen = Screen(bool(given.pop("as_json")))
    fields = asks(operation.request)
    reading = {name: given.pop(name) for name in READING if name not in fields and name in given}
    _keep_given(given, {name: said for name, (_, said) in fields.items()})
    values: dict[str, Any] = {}
    for name, (_, said) in fields.items():
        value = given[name]
        if value is not None and value != []:  # else the field's own default
            values[name] = _value(desk, name, said, value, reading)
    with screen.progress() as report, running(report):
        result = operation(operation.request(**values), report)
    screen.say(str(result))
    screen.result(result.to_json())
    refuse(screen, getattr(result, "refusal", ""))


def _keep_given(given: Mapping[str, Any], asked: Mapping[str, Asked]) -> None:
    """Refuse to write over the rows or the model that were given."""
    output = given.get("output")
    for name, said in asked.items():
        path = given[name]
        if output and path and said.kind in ("rows", "fitted") and Path(path).resolve() == Path(output).resolve():
            raise ConfigError(f"--output {output} is what is read, too, and would be lost; name another place")


def _value(desk: Desk, name: str, said: Asked, value: Any, reading: Mapping[str, Any]) -> Any:
    if said.kind == "rows":
        return _rows(value, reading)
    if said.kind == "fitted":
        return desk.load(str(value))
    if said.kind == "names":
        return names(value)
    if said.kind == "entries":
        return keyed(name, value)
    if said.kind == "number" and not isfinite(value):
        raise ConfigError(f"--{name.replace('_', '-')} {value:g} is no number to reckon with; give a finite one")
    if said.kind == "choice" and value not in said.choices:
        raise unknown(name.replace("_", "-"), value, said.choices)
    return value


def _rows(path: Path, reading: Mapping[str, Any]) -> Rows:
    from plait.cli.rows import rows_of
    from plait.cli.tables import long_tables
    from plait.contracts import Rows

    frame = rows_of(path, reading["data_folder"], reading["encoding"], reading["mask_personal"])
    tables = long_tables(reading["side"])
    return Rows(frame, {**tables.paths, **tables.read}, str(path), frame.attrs["read"])
