"""The way in: who asks and whether they may, how much comes and how fast, and how each request is answered and told."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from plait.contracts import Json
from plait.serving.errors import RefusedError, defect, error_body
from plait.serving.lingering import LastWord
from plait.serving.store import UnavailableError
from plait.serving.telemetry import Telemetry, Visit, request_id

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plait.serving.house import House
    from plait.serving.keys import Key

__all__ = ["Visits", "admitted", "body_of", "json_response", "refusal", "visit_of"]

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def json_response(value: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Response(body, status, headers, "application/json")


def refusal(error: RefusedError, visit: Visit) -> Response:
    """The answer that says why a request is not served."""
    visit.error = visit.error or error.body(visit.id)["error"]["code"]
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after + 0.5)))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    answer = json_response(error.body(visit.id), error.status, headers)
    if error.status in (408, 413):  # the rest of the body is not read
        answer.headers["connection"] = "close"
        return LastWord(answer)
    return answer


class Visits:
    """ASGI middleware around everything: a `Visit` for each request, its id in the answer, its line in the log."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app, self._telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), None)
        visit = Visit(request_id(given), scope["method"])
        scope["visit"] = visit
        status = 0

        async def answering(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {**HEADERS, "x-request-id": visit.id}
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in own.items())]
            await send(message)

        try:
            await self._app(scope, receive, answering)
        except ClientDisconnect:
            visit.error, status = "client went away", status or 499
        except Exception as error:  # the outermost place: what reaches it is a defect of ours, told without any value
            visit.error = defect(error)
            if not status:
                said = error_body(500, "the service failed; tell its operator the id of the request", visit.id)
                await json_response(said, 500)(scope, receive, answering)
        finally:
            self._telemetry.answered(visit, status)


async def admitted(house: House, request: Request, scope: str, *, take: bool = True) -> Key | None:
    """The key of a request that may do what it asks for; None where the service has no keys.

    Parameters
    ----------
    take
        Count the request against the key's rate.

    Raises
    ------
    RefusedError
        401 without a key that holds, 403 where it lacks the scope, 429 where it asks too often, 503 where the store of
        keys does not answer.
    """
    if house.keys is None:
        return None
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    key = None
    if kind.lower() == "bearer" and token:
        try:
            key = await asyncio.to_thread(house.keys.check, token.strip())
        except UnavailableError:
            raise RefusedError(503, "the store of keys does not answer; try again", retry_after=1.0) from None
    if key is None:
        raise RefusedError(401, "no key that holds; send Authorization: Bearer plait_<id>_<secret>")
    visit: Visit = request.scope["visit"]
    visit.key = key.id
    if not key.may(scope):
        raise RefusedError(
            403, f"the key {key.id} lacks the scope {scope}; ask who made it (plait keys create --scope)"
        )
    if take and (wait := house.limiter.take(key)):
        among = house.settings.listening.workers
        shared = f", shared by {among} processes" if among > 1 else ""
        said = f"the key {key.id} may ask {key.rate:g} times a second{shared}; wait {wait:.2f} s"
        raise RefusedError(429, said, retry_after=wait)
    return key


async def body_of(house: House, request: Request, key: Key | None) -> bytes:
    """The body of a request, refused as soon as it is known to be too large or too slow.

    Raises
    ------
    RefusedError
        408, 413, or 415 for bodies that are compressed.
    """
    settings = house.settings
    most = settings.max_bytes if key is None or key.max_bytes is None else min(key.max_bytes, settings.max_bytes)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "the body is compressed (Content-Encoding); send it as it is")
    told = request.headers.get("content-length")
    if told is not None and told.isdecimal() and (len(told) > 15 or int(told) > most):
        raise RefusedError(413, f"the body has more than {most:,} bytes, the most that is allowed; send fewer rows")
    held = bytearray()
    try:
        async with asyncio.timeout(settings.body_s):
            async for chunk in request.stream():
                held += chunk
                if len(held) > most:
                    raise RefusedError(413, f"the body has more than {most:,} bytes, the most that is allowed")
    except TimeoutError:
        raise RefusedError(408, f"the body did not come within {settings.body_s:g} s; send it faster") from None
    visit: Visit = request.scope["visit"]
    visit.bytes = len(held)
    return bytes(held)


def visit_of(request: Any) -> Visit:
    """The visit of a request."""
    visit: Visit = request.scope["visit"]
    return visit
