"""What the service refuses: each refusal with its HTTP status, a stable code, and one line for a person."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Final

from plait.contracts import Json
from plait.errors import PlaitError

__all__ = ["CODES", "RefusedError", "defect", "error_body"]

CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unfit_rows",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
    504: "took_too_long",
}
SHOWN = 20  # places that an answer names


class RefusedError(PlaitError):
    """A request is not served.

    Parameters
    ----------
    status
        One of `CODES`.
    message
        One line: what was wrong, where, what is allowed, what to do. No cell is quoted in it.
    where
        Rows and columns that are wrong: mappings with ``"row"``, ``"column"``, ``"message"``; the first 20 are told.
    retry_after
        Seconds after which the same request may be served.
    """

    def __init__(
        self, status: int, message: str, where: Sequence[Mapping[str, Json]] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.where, self.retry_after = status, message, tuple(where), retry_after

    def body(self, request: str) -> dict[str, Json]:
        """The answer; `request` is the id of the request."""
        return error_body(self.status, self.message, request, self.where)


def error_body(status: int, message: str, request: str, where: Sequence[Mapping[str, Json]] = ()) -> dict[str, Json]:
    """The body of an answer that is an error."""
    told: dict[str, Json] = {"code": CODES[status], "message": " ".join(message.split()), "request": request}
    if where:
        told["where"] = [dict(each) for each in where[:SHOWN]]
    return {"error": told}


def defect(error: BaseException) -> str:
    """What an error is and where it came from, for the log; its message is left out, for it may hold cells."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno}"
