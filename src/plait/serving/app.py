"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from plait.errors import PlaitError
from plait.serving.answers import flat
from plait.serving.arrow import stream_of
from plait.serving.desks import fields_of, operate, operation_of
from plait.serving.door import Visits, admitted, body_of, json_response, refusal, visit_of
from plait.serving.errors import CODES, RefusedError
from plait.serving.feedback import FIELDS, feedback
from plait.serving.house import House
from plait.serving.keys import Key
from plait.serving.openapi import openapi
from plait.serving.payload import ARROW, Payload, payload
from plait.serving.predictions import FIELDS_EXPLAIN, FIELDS_PREDICT, explain, predict
from plait.serving.settings import Settings
from plait.serving.shape import example_row, row_schema
from plait.serving.telemetry import Visit

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
        try:
            try:
                await house.open()
            except PlaitError as error:  # told in one line by who started the server
                house.failed = error
                raise
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
    house: House,
    request: Request,
    scope: str,
    fields: tuple[str, ...],
    work: Callable[[Key | None, Payload], Awaitable[Response]],
) -> Response:
    """Read a request and answer it in time."""
    key = await admitted(house, request, scope)
    body = await body_of(house, request, key)
    read = partial(payload, request.headers.get("content-type", ""), body, request.query_params, fields)
    try:
        async with asyncio.timeout(house.settings.timeout_s):
            asked = read() if len(body) < LARGE else await asyncio.to_thread(read)
            return await work(key, asked)
    except TimeoutError:
        said = f"the answer took more than {house.settings.timeout_s:g} s; send fewer rows, or ask again later"
        raise RefusedError(504, said) from None


async def _predict(house: House, request: Request) -> Response:
    work = partial(_answered, house, visit_of(request), ARROW in request.headers.get("accept", ""))
    return await _asked(house, request, "predict", FIELDS_PREDICT, work)


async def _answered(house: House, visit: Visit, arrow: bool, key: Key | None, asked: Payload) -> Response:
    """A prediction in the form that the client accepts."""
    found = await predict(house, visit, key, asked)
    if not arrow:
        return json_response(found)
    rows = [flat(each) for each in found.pop("predictions")]
    about = {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
    return Response(stream_of(rows, about), media_type=ARROW)


async def _explain(house: House, request: Request) -> Response:
    async def work(key: Key | None, asked: Payload) -> Response:
        return json_response(await explain(house, visit_of(request), key, asked))

    return await _asked(house, request, "explain", FIELDS_EXPLAIN, work)


async def _feedback(house: House, request: Request) -> Response:
    async def work(key: Key | None, asked: Payload) -> Response:
        return json_response(await feedback(house, visit_of(request), key, asked))

    return await _asked(house, request, "feedback", FIELDS, work)


async def _desk(house: House, request: Request) -> Response:
    desk, name = request.path_params["desk"], request.path_params["operation"]
    if house.keys is not None:  # who may not ask is not told what there is
        await admitted(house, request, f"desk:{desk}.{name}", take=False)
    operation = operation_of(house, desk, name)

    async def work(key: Key | None, asked: Payload) -> Response:
        return json_response(await operate(house, desk, operation, visit_of(request), key, asked))

    return await _asked(house, request, f"desk:{desk}.{name}", fields_of(operation), work)


async def _schema(house: House, request: Request) -> Response:
    await admitted(house, request, "models")
    name = request.query_params.get("model")
    form = house.shelf.named(name).champion.form
    found = {"model": house.shelf.named(name).champion.name, "row": row_schema(form), "sides": list(form.tables)}
    return json_response({**found, "example": {"rows": [example_row(form)]}})


async def _models(house: House, request: Request) -> Response:
    await admitted(house, request, "models")
    return json_response(house.shelf.to_json())


async def _metrics(house: House, request: Request) -> Response:
    await admitted(house, request, "metrics")
    return Response(house.telemetry.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _openapi(house: House, request: Request) -> Response:
    return json_response(openapi(house.shelf, keys=house.keys is not None))


async def _health(house: House, request: Request) -> Response:
    return json_response({"status": "alive"})


async def _ready(house: House, request: Request) -> Response:
    if not house.ready:
        raise RefusedError(503, f"the service {_why_not(house)}; ask again", retry_after=1.0)
    return json_response({"status": "ready"})


def _why_not(house: House) -> str:
    if house.leaving:
        return "is shutting down"
    if not house.open_to:
        return "is starting"
    return "waits for a calculation that does not end" if house.hanging else "cannot write its audit"


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/v1/predict", _predict),
    ("POST", "/v1/explain", _explain),
    ("POST", "/v1/feedback", _feedback),
    ("POST", "/v1/desks/{desk}/{operation}", _desk),
    ("GET", "/v1/schema", _schema),
    ("GET", "/v1/models", _models),
    ("GET", "/healthz", _health),
    ("GET", "/readyz", _ready),
    ("GET", "/metrics", _metrics),
    ("GET", "/openapi.json", _openapi),
)
