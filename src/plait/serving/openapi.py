"""The OpenAPI document of a service: every path, what it takes of the models that are served, and every status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from plait.contracts import Asked, Json, Operation, asks
from plait.serving.errors import CODES
from plait.serving.payload import ARROW
from plait.serving.shape import example_row, row_schema

if TYPE_CHECKING:
    from plait.serving.shelf import Shelf

__all__ = ["offered", "openapi"]

SAID: Final[Mapping[int, str]] = {
    400: "The body cannot be read.",
    401: "No key that holds.",
    403: "The key lacks the scope.",
    404: "No such model, version, desk, operation or decision.",
    405: "Not by this method.",
    408: "The body came too slowly.",
    411: "The length of the body is not told.",
    413: "Too many bytes or rows.",
    415: "A body of another kind.",
    422: "The rows do not fit the model.",
    429: "Asked too often; see Retry-After.",
    503: "Not now: the queue is full, the audit cannot be written, or the service is shutting down; see Retry-After.",
    504: "The answer took too long.",
}
KINDS: Final[Mapping[str, Mapping[str, Json]]] = {
    "fitted": {"type": "string", "description": "The name of a model of the desk."},
    "string": {"type": "string"},
    "number": {"type": "number"},
    "count": {"type": "integer"},
    "flag": {"type": "boolean"},
    "names": {"type": "array", "items": {"type": "string"}},
    "entries": {"type": "object", "additionalProperties": {"type": "string"}},
    "rows": {
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": {"type": "object"}, "minItems": 1},
            "sides": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}},
        },
        "required": ["rows"],
        "additionalProperties": False,
    },
}
EXPLAIN: Final = {"type": "string", "enum": ["none", "sources", "columns"]}
DEPTH: Final = {"type": "string", "enum": ["sources", "columns", "cells"]}
LANGUAGE: Final = {"type": "string", "enum": ["en", "zh"]}
LABELS: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {
        "labels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "decision": {"type": "string", "minLength": 1, "maxLength": 200},
                    "label": {"type": ["string", "number", "boolean"]},
                    "known_at": {"type": "string", "format": "date-time"},
                },
                "required": ["decision", "label"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["labels"],
    "additionalProperties": False,
    "example": {"labels": [{"decision": "019ab1c2d3e48f6a0b1c2d3e4f50.0", "label": 1, "known_at": "2026-01-31"}]},
}


def openapi(shelf: Shelf, *, keys: bool) -> dict[str, Json]:
    """The document (OpenAPI 3.1).

    Parameters
    ----------
    keys
        Whether requests need a key.
    """
    security: list[Json] = [{"key": []}] if keys else []
    components: dict[str, Any] = {"schemas": {"Error": _error()}}
    if keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    rows = {name: row_schema(named.champion.form) for name, named in shelf.models.items()}
    components["schemas"] |= {f"Row.{_word(name)}": schema for name, schema in rows.items()}
    paths: dict[str, Any] = {}
    if shelf.models:
        predict = {"explain": EXPLAIN}
        paths["/v1/predict"] = {"post": _scoring("Predict rows.", shelf, predict, security)}
        explain = {"depth": DEPTH, "language": LANGUAGE}
        paths["/v1/explain"] = {"post": _scoring("Explain predictions.", shelf, explain, security)}
    paths["/v1/feedback"] = {"post": _posted("Tell outcomes that became known.", LABELS, security)}
    name = {"name": "model", "in": "query", "schema": {"type": "string"}}
    schema = _operation("The JSON Schema of a row, and an example.", security, (401, 403, 404, 422, 429, 503))
    paths["/v1/schema"] = {"get": {**schema, "parameters": [*schema["parameters"], name]}}
    paths["/v1/models"] = {"get": _operation("What is served.", security, (401, 403, 429, 503))}
    for desk in shelf.desks:
        for operation in offered(desk):
            told = _posted(operation.summary, _request(operation), security)
            paths[f"/v1/desks/{desk}/{operation.name}"] = {"post": told}
    paths["/healthz"] = {"get": _operation("Whether the process lives.", [], ())}
    paths["/readyz"] = {"get": _operation("Whether it can answer.", [], (503,))}
    figures = _operation("Figures for Prometheus.", security, (401, 403, 429, 503))
    figures["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    paths["/metrics"] = {"get": figures}
    paths["/openapi.json"] = {"get": _operation("This document.", [], ())}
    info = {"title": "Plait", "version": version("plait"), "description": "Models over mixed evidence."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}


def offered(desk: str) -> list[Operation]:
    """The operations of a desk that can be asked for from elsewhere."""
    from plait import registry

    return [each for each in registry.get("desks", desk) if not each.local]


def _request(operation: Operation) -> dict[str, Json]:
    """The JSON Schema of an operation's request."""
    properties, required = {}, []
    for name, (field, said) in asks(operation.request).items():
        if said.kind in ("folder", "file"):
            continue
        properties[name] = _property(said)
        if field.default is MISSING and field.default_factory is MISSING:
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(said: Asked) -> dict[str, Json]:
    told: dict[str, Json] = {**KINDS.get(said.kind, {"type": "string"})}
    if said.kind == "choice":
        told["enum"] = list(said.choices)
    if said.least is not None:
        told["minimum"] = said.least
    if said.most is not None:
        told["maximum"] = said.most
    return {**told, "description": " ".join([said.help, told.get("description", "")]).strip()}


def _scoring(summary: str, shelf: Shelf, more: Mapping[str, Json], security: list[Json]) -> dict[str, Json]:
    """A path that takes rows of a model, as JSON, as a form with files, or as an Arrow stream."""
    each = [_rows_of(name, len(shelf.models) > 1, shelf, more) for name in shelf.models]
    told = _posted(summary, each[0] if len(each) == 1 else {"oneOf": each}, security)
    content = told["requestBody"]["content"]
    part = {"type": "string", "contentMediaType": "application/json"}
    form = {"type": "object", "properties": {"request": part}, "required": ["request"]}
    content["multipart/form-data"] = {
        "schema": {**form, "additionalProperties": {"type": "string", "format": "binary"}}
    }
    content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    told["parameters"] += [
        {"name": name, "in": "query", "schema": schema, "description": "Of an Arrow stream."}
        for name, schema in {"model": {"type": "string"}, "version": {"type": "string"}, **more}.items()
    ]
    return told


def _rows_of(name: str, several: bool, shelf: Shelf, more: Mapping[str, Json]) -> dict[str, Json]:
    form = shelf.models[name].champion.form
    records = {"type": "array", "items": {"type": "object"}}
    properties: dict[str, Json] = {
        "model": {"type": "string", "const": name},
        "version": {"type": "string"},
        "rows": {"type": "array", "minItems": 1, "items": {"$ref": f"#/components/schemas/Row.{_word(name)}"}},
        **more,
    }
    example: dict[str, Json] = {"rows": [example_row(form)]}
    if several:
        example = {"model": name, **example}
    if form.tables:
        sides = dict.fromkeys(form.tables, records)
        properties["sides"] = {"type": "object", "properties": sides, "additionalProperties": False}
    required = ["rows", *(["model"] if several else []), *(["sides"] if form.tables else [])]
    told = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return told if form.tables else {**told, "example": example}


def _posted(summary: str, schema: Mapping[str, Json], security: list[Json]) -> dict[str, Any]:
    statuses = tuple(status for status in SAID if status not in (405, 411))
    told = _operation(summary, security, statuses)
    schema = dict(schema)
    example = schema.pop("example", None)
    content: dict[str, Json] = {"schema": schema}
    if example is not None:
        content["example"] = example
    told["requestBody"] = {"required": True, "content": {"application/json": content}}
    return told


def _operation(summary: str, security: list[Json], statuses: tuple[int, ...]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    if not security:
        statuses = tuple(status for status in statuses if status not in (401, 403, 429))
    responses: dict[str, Any] = {
        "200": {"description": "The answer.", "content": {"application/json": {"schema": {"type": "object"}}}}
    }
    responses |= {str(status): {"description": SAID[status], "content": error} for status in (*statuses, 405)}
    pattern = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
    given = {"name": "X-Request-Id", "in": "header", "schema": pattern, "description": "Comes back in the answer."}
    return {"summary": summary, "security": security, "parameters": [given], "responses": responses}


def _error() -> dict[str, Json]:
    where = {"type": "array", "items": {"type": "object"}}
    error = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "enum": sorted(CODES.values())},
            "message": {"type": "string"},
            "request": {"type": "string"},
            "where": where,
        },
        "required": ["code", "message", "request"],
    }
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}


def _word(name: str) -> str:
    """A name as OpenAPI takes it for a component."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else f"-{ord(c):x}" for c in name)
