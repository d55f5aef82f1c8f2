"""What the service tells of itself: figures for Prometheus, and one line of JSON a request; never a cell."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from plait.contracts import Json

if TYPE_CHECKING:
    from plait.serving.shelf import Shelf

__all__ = ["MULTIPROCESS", "Telemetry", "Visit", "request_id"]

MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"  # the folder in which several processes keep their figures
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FORMS: Final = logging.getLogger("python_multipart")  # warns of broken forms, which the line of the request tells
SILENT: Final = logging.NullHandler()
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(given: str | None) -> str:
    """The id that a client gave its request, if it may be one, else a new one."""
    return given if given is not None and _ID.fullmatch(given) else secrets.token_hex(12)


@dataclass
class Visit:
    """One request on its way through the service, as its line in the log tells it."""

    id: str
    method: str
    route: str = "other"
    key: str | None = None
    model: str | None = None
    version: str | None = None
    rows: int | None = None
    faults: int = 0
    bytes: int = 0
    error: str | None = None
    begun: float = field(default_factory=perf_counter)

    def told(self, status: int) -> dict[str, Json]:
        """The line."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        spent = round(1000 * (perf_counter() - self.begun), 2)
        kept = {name: value for name, value in self.__dict__.items() if value is not None and name != "begun"}
        return {"time": now, "status": status, "ms": spent, **kept}


class Telemetry:
    """Figures in a registry of their own, and the log.

    Parameters
    ----------
    stream
        Where lines go; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        FORMS.addHandler(SILENT)  # else Python writes its warnings among our lines; a program that has a log gets them
        self._own = CollectorRegistry()
        self._shown: set[tuple[str, ...]] = set()
        own: dict[str, Any] = {"registry": self._own}
        self.requests = Counter("plait_requests", "Requests answered.", ("route", "status"), **own)
        self.seconds = Histogram("plait_request_seconds", "Seconds of a request.", ("route",), buckets=SECONDS, **own)
        self.rows = Counter("plait_rows", "Rows scored.", ("model", "version", "role"), **own)
        self.faults = Counter("plait_faults", "Cells that could not be read.", ("model", "version"), **own)
        self.lost = Counter("plait_shadows_lost", "Requests that a shadow did not score.", ("model", "version"), **own)
        self.audit = Histogram("plait_audit_seconds", "Seconds until a decision was on disk.", buckets=SECONDS, **own)
        self.swaps = Counter("plait_swaps", "Shelves taken over, or refused.", ("outcome",), **own)
        live: dict[str, Any] = {"multiprocess_mode": "livesum", **own}
        self.queued = Gauge("plait_queued_rows", "Rows that wait for a model.", ("model", "version"), **live)
        self.aside = Gauge("plait_queued_aside", "Explanations and operations that wait or run.", **live)
        self.serving = Gauge(
            "plait_model_served",
            "1 for what is served, 0 for what was.",
            ("model", "version", "role", "digest"),
            **live,
        )

    def answered(self, visit: Visit, status: int) -> None:
        """Count a request, and write its line."""
        self.requests.labels(visit.route, str(status)).inc()
        self.seconds.labels(visit.route).observe(perf_counter() - visit.begun)
        self.say(visit.told(status))

    def say(self, told: Json) -> None:
        """Write a line."""
        print(json.dumps(told, ensure_ascii=True), file=self._stream or sys.stderr, flush=True)

    def event(self, what: str, **more: Json) -> None:
        """Write a line about the service itself."""
        self.say({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": what, **more})

    def shows(self, shelf: Shelf) -> None:
        """Say what is served from now on."""
        now = {
            (name, each.version, role, each.digest[:12]) for name, of in shelf.models.items() for role, each, _ in of
        }
        for labels in self._shown - now:
            self.serving.labels(*labels).set(0)  # several processes cannot take a figure back
        for labels in now:
            self.serving.labels(*labels).set(1)
        self._shown |= now

    def text(self) -> bytes:
        """All figures in Prometheus' text format, those of all processes of the service."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self._own)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
