"""What requests look like: the JSON Schema of a model's rows, and a made example of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.contracts import Json
from plait.serving.cells import is_moment, is_number, is_signal
from plait.serving.rows import Form

__all__ = ["example_row", "row_schema"]

SIGNAL: Mapping[str, Json] = {
    "type": "object",
    "oneOf": [
        {"properties": {"base64": {"type": "string", "contentEncoding": "base64"}}, "required": ["base64"]},
        {"properties": {"file": {"type": "string"}}, "required": ["file"]},
    ],
    "additionalProperties": True,
}


def row_schema(form: Form) -> dict[str, Json]:
    """The JSON Schema (2020-12) of a row: a property a column, none of them required, since any may be missing."""
    columns = {name: _nullable(_sent(taken.schema)) for name, taken in form.taken.items()}
    return {
        "type": "object",
        "title": "row",
        "properties": columns,
        "minProperties": 1,
        "examples": [example_row(form)],
    }


def example_row(form: Form) -> dict[str, Json]:
    """A made row: no cell of it is anybody's."""
    found: dict[str, Json] = {}
    for name, taken in form.taken.items():
        schema = taken.schema
        if schema.get("examples"):
            found[name] = schema["examples"][0]
        elif is_moment(schema):
            found[name] = "2026-01-31T09:30:00Z"
        elif is_number(schema):
            found[name] = 1.0
        elif name in form.sources and not is_signal(schema) and "items" not in schema:
            found[name] = "made"
    return found or dict.fromkeys(form.sources)


def _sent(schema: Mapping[str, Json]) -> dict[str, Any]:
    """A schema of a cell as a request holds it: files as objects."""
    if is_signal(schema):
        said = schema.get("description", "A file.")
        return {**SIGNAL, "description": f"{said} As base64, or the name of a part of the form."}
    told = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(told.get(key), Mapping):
            told[key] = _sent(told[key])
    if "anyOf" in told:
        told["anyOf"] = [_sent(each) for each in told["anyOf"]]
    return told


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "type" not in schema:
        return schema
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*types, "null"]} if "oneOf" not in schema else {"anyOf": [schema, {"type": "null"}]}
