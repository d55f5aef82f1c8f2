"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from plait.contracts import Json
from plait.serving.door import Visits, admitted, body_of, json_response, refusal, visit_of
from plait.serving.errors import CODES, RefusedError
from plait.serving.house import House
from plait.serving.payload import payload
from plait.serving.predictions import FIELDS_EXPLAIN, FIELDS_PREDICT, explain, predict
from plait.serving.settings import Settings

__all__ = ["create_app"]

LARGE = 1 << 16  # bytes of a body from which it is read in a thread
Answer = Callable[[House, Request], Awaitable[Response]]


def create_app(settings: Settings) -> FastAPI:
    """The service of `settings`; its lifespan opens shelf, keys and audit, and closes them in order.

    ``app.state.house`` is what it holds open (`plait.serving.house.House`).
    """
    house = House(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await house.open()
        try:
            yield
        finally:
            await house.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.house = house
    for method, path, answer in ROUTES:
        endpoint = partial(_served, house, path, answer)
        app.router.routes.append(Route(path, endpoint, methods=[method]))
    app.add_exception_handler(HTTPException, _not_here)
    app.add_middleware(Visits, telemetry=house.telemetry)
    return app


async def _served(house: House, path: str, answer: Answer, request: Request) -> Response:
    visit = visit_of(request)
    visit.route = path
    try:
        return await answer(house, request)
    except RefusedError as error:
        return refusal(error, visit)


async def _not_here(request: Request, error: Any) -> Response:
    """No such path, or not by this method."""
    status = error.status_code if error.status_code in CODES else 400
    said = {404: "no such path; /openapi.json tells those there are", 405: "not by this method; see the Allow header"}
    response = refusal(RefusedError(status, said.get(status, "the request cannot be read")), visit_of(request))
    response.headers.update(error.headers or {})
    return response


async def _asked(
    house: House, request: Request, scope: str, fields: tuple[str, ...], work: Callable[..., Awaitable[dict[str, Json]]]
) -> Response:
    """Read a request and answer it in time."""
    visit = visit_of(request)
    key = await admitted(house, request, scope)
    if house.leaving:
        raise RefusedError(503, "the service is shutting down; ask another one", retry_after=1.0)
    body = await body_of(house, request, key)
    read = partial(payload, request.headers.get("content-type", ""), body, request.query_params, fields)
    try:
        async with asyncio.timeout(house.settings.timeout_s):
            asked = read() if len(body) < LARGE else await asyncio.to_thread(read)
            return json_response(await work(house, visit, key, asked))
    except TimeoutError:
        said = f"the answer took more than {house.settings.timeout_s:g} s; send fewer rows, or ask again later"
        raise RefusedError(504, said) from None


async def _predict(house: House, request: Request) -> Response:
    return await _asked(house, request, "predict", FIELDS_PREDICT, predict)


async def _explain(house: House, request: Request) -> Response:
    return await _asked(house, request, "explain", FIELDS_EXPLAIN, explain)


async def _health(house: House, request: Request) -> Response:
    return json_response({"status": "alive"})


async def _ready(house: House, request: Request) -> Response:
    if not house.ready:
        why = "is shutting down" if house.leaving else "cannot write its audit" if house.open_to else "is starting"
        raise RefusedError(503, f"the service {why}; ask again", retry_after=1.0)
    return json_response({"status": "ready"})


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/v1/predict", _predict),
    ("POST", "/v1/explain", _explain),
    ("GET", "/healthz", _health),
    ("GET", "/readyz", _ready),
)
