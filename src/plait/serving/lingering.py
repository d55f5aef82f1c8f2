"""Answers to requests whose bodies have not come to their end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["LastWord"]

LINGER_S = 2.0  # for which what still comes is read and thrown away


class LastWord(Response):
    """An answer after which the connection ends, while its caller may still be sending.

    A connection that is closed with bytes unread is reset, and a reset can take the answer along that is on its way
    (RFC 9112, 9.6): so what still comes is thrown away until the caller has read the answer, or for two seconds.

    Parameters
    ----------
    answer
        What is answered.
    """

    def __init__(self, answer: Response) -> None:
        self.status_code, self.body, self.raw_headers = answer.status_code, answer.body, answer.raw_headers
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
