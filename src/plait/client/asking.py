"""`Client`: a running service as an object."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from plait.client.answers import Explained, Feedback, Predicted, Served, Shape
from plait.client.bodies import Body, arrow_of, files_of, json_of, records
from plait.client.trying import UNREADABLE, Tries, ask
from plait.errors import ConfigError, DataError, MissingExtraError, ServiceError

if TYPE_CHECKING:
    import httpx

    from plait.contracts import Json

__all__ = ["Client"]

Files = Mapping[str, bytes | str | PathLike[str]]


class Client:
    """A running service (``plait serve``): its models, asked from a program.

    What fails in a way that may pass (no connection, 429, 502, 503, 504) is asked again after a pause, under the same
    request id, so that the service's audit tells attempts of one question from other questions. Threads may share a
    client.

    Parameters
    ----------
    url
        Where it runs (``"https://models.example.com"``).
    key
        A key that the service knows (``plait keys create``); None where it needs none.
    timeout_s
        Seconds for a connection, and between any two parts of an answer.
    retries
        Attempts after the first one.
    ca
        A file of certificates to trust instead of the system's, for a service whose certificate is the house's own.
    transport
        What carries requests, as ``httpx`` takes it (an application in memory, a proxy); None: the network.

    Raises
    ------
    ConfigError
        If an argument is out of range.
    MissingExtraError
        If ``httpx`` is not installed.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 10.0,
        retries: int = 3,
        ca: str | PathLike[str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"url={url!r} is no address of a service (allowed: http://..., https://...)")
        if not timeout_s > 0:
            raise ConfigError(f"timeout_s={timeout_s!r} is out of range (allowed: above 0)")
        if retries < 0:
            raise ConfigError(f"retries={retries!r} is out of range (allowed: 0, 1, ...)")
        self.tries = Tries(retries)
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {_checked(key)}"
        self._http = _opened(url, timeout_s, ca, transport)

    def predict(
        self,
        rows: object,
        *,
        model: str | None = None,
        version: str | None = None,
        explain: Literal["none", "sources", "columns"] = "none",
        sides: Mapping[str, object] | None = None,
        files: Files | None = None,
    ) -> Predicted:
        """What a model predicts for rows.

        Parameters
        ----------
        rows
            A pandas or polars frame, an Arrow table, or records (column to cell). Cells of raw signals are bytes, a
            `pathlib.Path` that is read here, or ``{"file": name}`` of one of `files`. Large frames go as Arrow.
        model, version
            Which one; None where the service has one model, and for the version that it answers with.
        explain
            Whether explanations come along: by source, or by column too.
        sides
            Long tables by name, as frames or records.
        files
            Part name to bytes, or to the path of a file of this machine.

        Raises
        ------
        DataError
            If rows cannot be sent.
        ServiceError
            If the service cannot be reached, or refuses.
        """
        asked = _named(model=model, version=version, explain=None if explain == "none" else explain)
        body = arrow_of(rows, asked) if not sides and not files else None
        return Predicted.of(self._told("POST", "/v1/predict", body or _body(rows, asked, sides, files)))

    def explain(
        self,
        rows: object,
        *,
        model: str | None = None,
        version: str | None = None,
        depth: Literal["sources", "columns", "cells"] = "columns",
        language: Literal["en", "zh"] = "en",
        sides: Mapping[str, object] | None = None,
        files: Files | None = None,
    ) -> Explained:
        """Why a model predicts what it does for rows, in words and numbers.

        Parameters
        ----------
        rows, model, version, sides, files
            As of `predict`.
        depth
            By source, by column too, or down to the places inside cells.
        language
            Of the words.

        Raises
        ------
        DataError, ServiceError
            As `predict`.
        """
        asked = _named(model=model, version=version, depth=depth, language=language)
        return Explained.of(self._told("POST", "/v1/explain", _body(rows, asked, sides, files)))

    def feedback(self, labels: Sequence[Mapping[str, Any]]) -> Feedback:
        """Tell what became of decisions.

        Parameters
        ----------
        labels
            Records of ``decision``, ``label`` and, where it is known, ``known_at``: when the outcome became known.

        Raises
        ------
        DataError
            If there are none.
        ServiceError
            If the service cannot be reached or refuses; with status 404 if it knows no such decision.
        """
        return Feedback.of(self._told("POST", "/v1/feedback", json_of({"labels": list(records(labels))})))

    def schema(self, model: str | None = None) -> Shape:
        """How a request to a model has to look; None where the service has one model.

        Raises
        ------
        ServiceError
            If the service cannot be reached or has no such model.
        """
        told = self._told("GET", "/v1/schema", Body(b"", parameters=_named(model=model)))
        return Shape(told["row"], told["example"])

    def models(self) -> tuple[Served, ...]:
        """What is served: every version of every model, with its role.

        Raises
        ------
        ServiceError
            If the service cannot be reached or refuses.
        """
        told = self._told("GET", "/v1/models", None)
        return tuple(served for each in told["models"] for served in Served.of(each))

    def desks(self) -> Mapping[str, tuple[str, ...]]:
        """The desks that can be asked, and the names of the fitted models that each has.

        Raises
        ------
        ServiceError
            If the service cannot be reached or refuses.
        """
        told = self._told("GET", "/v1/models", None)["desks"]
        return {desk: tuple(each["model"] for each in fitted) for desk, fitted in told.items()}

    def desk(self, desk: str, operation: str, **request: Any) -> Mapping[str, Json]:
        """Ask a desk: what it answers, as JSON.

        Parameters
        ----------
        desk, operation
            ``"credit"``, ``"decide"``.
        request
            The operation's fields. Rows are a frame or records, a fitted model is the name it has on the service.

        Raises
        ------
        DataError
            If rows cannot be sent.
        ServiceError
            If the service cannot be reached or refuses.
        """
        made = {name: _field(value) for name, value in request.items()}
        told: Mapping[str, Json] = self._told("POST", f"/v1/desks/{desk}/{operation}", json_of(made))
        return told

    def ready(self) -> bool:
        """Whether the service would answer now: it is reached, its models are loaded, and it can write its audit."""
        import httpx

        try:
            return self._http.get("/readyz").is_success
        except httpx.RequestError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _told(self, method: str, path: str, body: Body | None) -> Any:
        answer = ask(self._http, self.tries, method, path, body, self._headers)
        try:
            return answer.json()
        except ValueError:
            told = f"{path} of {self._http.base_url} answered no JSON; is this address that of a Plait service?"
            raise ServiceError(told, status=answer.status_code, code=UNREADABLE, request="") from None


def _opened(
    url: str, timeout_s: float, ca: str | PathLike[str] | None, transport: httpx.BaseTransport | None
) -> httpx.Client:
    try:
        import httpx
    except ImportError:
        raise MissingExtraError("asking a service needs httpx; pip install 'plait[serve]'") from None
    try:
        trusted = True if ca is None else ssl.create_default_context(cafile=fspath(ca))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"ca={fspath(ca or '')!r} holds no certificates that can be read: {error}") from None
    return httpx.Client(base_url=url, timeout=timeout_s, verify=trusted, transport=transport)


def _checked(key: str) -> str:
    """A key as a header can hold it: a line break in it would be another header."""
    if not key or not all("!" <= letter <= "~" for letter in key):
        raise ConfigError("key holds what no key of a service holds (allowed: plait_<id>_<secret>, in one word)")
    return key


def _named(**told: str | None) -> dict[str, str]:
    return {name: value for name, value in told.items() if value is not None}


def _body(rows: object, asked: Mapping[str, str], sides: Mapping[str, object] | None, files: Files | None) -> Body:
    content: dict[str, Any] = {**asked, "rows": records(rows)}
    if sides:
        content["sides"] = {name: records(table) for name, table in sides.items()}
    return json_of(content, files_of(files or {}))


def _field(value: Any) -> Any:
    """A field of a desk's request: frames as rows, all else as it is."""
    if not hasattr(value, "columns"):
        return value
    try:
        return {"rows": records(value)}
    except DataError as error:
        raise DataError(f"{error} (a field of a desk's request)") from None
