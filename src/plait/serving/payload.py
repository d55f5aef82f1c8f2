"""Bodies of requests: JSON, multipart with files, and Arrow streams, read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from plait.contracts import Json
from plait.errors import unknown
from plait.serving.errors import RefusedError
from plait.serving.form import parts_of

__all__ = ["ARROW", "Payload", "kind_of", "parsed", "payload"]

ARROW: Final = "application/vnd.apache.arrow.stream"
JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
REQUEST: Final = "request"  # the part of a form that holds the JSON

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True)
class Payload:
    """A request as it came: `body` is JSON, or with `table` the columns of an Arrow stream; `files` by part."""

    body: Mapping[str, Json]
    files: Mapping[str, bytes] = field(default_factory=dict)
    table: Any = None


def kind_of(content_type: str) -> str:
    """JSON, form or Arrow, by the header.

    Raises
    ------
    RefusedError
        415 if it is none of them.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (JSON, FORM, ARROW):
        raise RefusedError(415, f"the Content-Type is none of {JSON}, {FORM}, {ARROW}; name the one that the body is")
    return kind


def parsed(body: bytes) -> Any:
    """JSON, read strictly: UTF-8, no NaN or infinity, no key twice, no text that other programs cannot store.

    Raises
    ------
    RefusedError
        400 with what is wrong.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant)
        if _SUSPECT.search(body):
            told = json.dumps(value, ensure_ascii=False)
            told.encode("utf-8")
            if _NUL.search(told):
                raise RefusedError(400, "the body has text with a NUL character; leave it out")
    except UnicodeEncodeError:
        raise RefusedError(400, "the body has text with half of a surrogate pair; send whole characters") from None
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"the body is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise RefusedError(400, "the body has lists or objects too deep inside one another") from None
    except json.JSONDecodeError as error:
        raise RefusedError(
            400, f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except ValueError:
        raise RefusedError(400, "the body has an integer of thousands of digits; send numbers up to 1.8e308") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RefusedError(400, "the body has an object with one key twice; keep one of them")
    return found


def _constant(text: str) -> None:
    raise RefusedError(400, f"the body has {text}, which is not JSON; write null for a number that is missing")


def payload(content_type: str, body: bytes, query: Mapping[str, str], fields: Iterable[str]) -> Payload:
    """A body as a request.

    Parameters
    ----------
    content_type
        The header: what the body is.
    query
        The parameters of an Arrow request.
    fields
        What the request may hold beside an Arrow table's rows.

    Raises
    ------
    RefusedError
        400 for bodies that cannot be read, 422 for keys that are unknown.
    """
    allowed, kind = tuple(fields), kind_of(content_type)
    if kind == ARROW:
        from plait.serving.arrow import table_of

        _check_keys(query, [name for name in allowed if name not in ("rows", "sides")], "query parameter")
        return Payload(dict(query), table=table_of(body))
    files: Mapping[str, bytes] = {}
    if kind == FORM:
        parts = parts_of(body, content_type)
        if REQUEST not in parts:
            raise RefusedError(400, f"the body has no part {REQUEST!r}; put the JSON of the request there")
        body, files = parts[REQUEST], parts
    value = parsed(body)
    if type(value) is not dict:
        raise RefusedError(400, 'the body is no object; send {"rows": [...]}')
    _check_keys(value, allowed, "key")
    return Payload(value, files)


def _check_keys(given: Mapping[str, object], allowed: Iterable[str], what: str) -> None:
    known = tuple(allowed)
    for name in given:
        if name not in known:
            raise RefusedError(422, str(unknown(what, name[:60], known)))
