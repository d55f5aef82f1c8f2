"""One question asked until it is answered: which failures are tried again, after how long, and what is said at last."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from plait.client.bodies import Body
from plait.errors import ServiceError

if TYPE_CHECKING:
    import httpx

__all__ = ["AGAIN", "REQUEST", "UNREADABLE", "Tries", "ask"]

AGAIN = frozenset({429, 502, 503, 504})  # statuses that may be another the next time
BROKEN = 500  # and above, where no service of ours says it: something between lost the one that was to answer
UNREADABLE = "unreadable"  # the code of errors that came without one
REQUEST = "X-Request-Id"
FIRST, MOST = 0.1, 10.0  # seconds of the first pause at most, and of any
PATIENCE = 60.0  # seconds that a service may ask for by Retry-After; asked for more, it is told to the caller instead


@dataclass(frozen=True)
class Tries:
    """How often a question is asked, and how long the pauses are.

    Parameters
    ----------
    retries
        Attempts after the first.
    """

    retries: int = 3

    def pause(self, attempt: int, answer: httpx.Response | None) -> float:
        """Seconds before the attempt after `attempt` (from 0): what the service asks for, else by chance.

        Any pause up to a bound that doubles is as likely ("full jitter", M. Brooker, Exponential backoff and jitter,
        AWS architecture blog, 2015), so that callers who failed together do not come back together.
        """
        wanted = None if answer is None else _wanted(answer.headers.get("Retry-After", ""))
        return random.uniform(0.0, min(MOST, FIRST * 2**attempt)) + (wanted or 0.0)


def ask(
    client: httpx.Client, tries: Tries, method: str, path: str, body: Body | None, headers: Mapping[str, str]
) -> httpx.Response:
    """The answer to one question, asked again after failures that may pass, under the same request id.

    Raises
    ------
    ServiceError
        If the service cannot be reached, or answers with an error.
    """
    import httpx

    request = uuid.uuid4().hex
    sent: dict[str, Any] = {} if body is None else body.sent()
    sent["headers"] = {**sent.get("headers", {}), **headers, REQUEST: request}
    for attempt in range(tries.retries + 1):
        answer: httpx.Response | None = None
        try:
            answer = client.request(method, path, **sent)
        except httpx.RequestError as error:  # also an answer that cannot be unpacked
            failed = _unreachable(client, request, error)
        except httpx.InvalidURL as error:
            raise ServiceError(f"{client.base_url}: {error}", status=None, code="bad_url", request=request) from None
        else:
            if answer.is_success:
                return answer
            failed = _refused(answer, request)
            lost = answer.status_code >= BROKEN and failed.code == UNREADABLE
            if not lost and answer.status_code not in AGAIN:
                raise failed
        if attempt == tries.retries or (pause := tries.pause(attempt, answer)) > PATIENCE:
            break
        time.sleep(pause)
    raise failed


def _wanted(told: str) -> float | None:
    """Seconds of a Retry-After (RFC 9110, 10.2.3: a number of seconds, or a date); None where it says nothing."""
    if re.fullmatch(r"\d+(\.\d+)?", told):
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None


def _unreachable(client: httpx.Client, request: str, error: Exception) -> ServiceError:
    why = " ".join(str(error).split()) or type(error).__name__
    told = f"no answer from {client.base_url}: {why[:200]}; is the service running there?"
    return ServiceError(told, status=None, code="unreachable", request=request)


def _refused(answer: httpx.Response, request: str) -> ServiceError:
    """What the service says is wrong, or its status where it says nothing that a client can read."""
    try:
        told = answer.json()["error"]
        message, code = str(told["message"]), str(told["code"])
        named, where = str(told.get("request", request)), tuple(told.get("where") or ())
    except (ValueError, KeyError, TypeError, AttributeError):
        message = f"{answer.request.url.path} answered {answer.status_code} {answer.reason_phrase}".rstrip()
        code, named, where = UNREADABLE, request, ()
    return ServiceError(message, status=answer.status_code, code=code, request=named, where=where)
