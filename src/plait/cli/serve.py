"""``plait serve``: saved models as an HTTP service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson
from plait.cli.screen import Screen
from plait.cli.spread import On, check_on
from plait.cli.stores import installed

if TYPE_CHECKING:
    from plait.serving.settings import Settings

__all__ = ["serve"]


def serve(
    shelf: Annotated[
        Path,
        typer.Argument(metavar="MODEL|SHELF.yaml", help="A model that `plait fit` wrote, or a file naming several."),
    ],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; without --keys this machine only.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(metavar="N", help="TCP port; 0: any that is free.")] = 8000,
    workers: Annotated[int, typer.Option(metavar="N", help="Processes, each with the models in memory.")] = 1,
    keys: Annotated[str | None, typer.Option(metavar="URL", help="The store of API keys (see `plait keys`).")] = None,
    audit: Annotated[str | None, typer.Option(metavar="URL", help="Where every decision is recorded.")] = None,
    signer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The key that signs checkpoints (see `plait audit signer`).")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM, with its chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM.")] = None,
    timeout: Annotated[float, typer.Option(metavar="S", help="Seconds that an answer may take.")] = 10.0,
    body_timeout: Annotated[float, typer.Option(metavar="S", help="Seconds in which a body must have come.")] = 15.0,
    drain: Annotated[
        float, typer.Option(metavar="S", help="Seconds to answer on after SIGTERM while /readyz says no.")
    ] = 1.0,
    max_bytes: Annotated[int, typer.Option(metavar="N", help="The largest request in bytes.")] = 8_388_608,
    max_rows: Annotated[int, typer.Option(metavar="N", help="The largest request in rows.")] = 10_000,
    batch_rows: Annotated[int, typer.Option(metavar="N", help="Rows that are scored together at most.")] = 512,
    batch_ms: Annotated[
        float, typer.Option(metavar="MS", help="How long queued rows wait for more; a request never waits alone.")
    ] = 2.0,
    queue_rows: Annotated[int, typer.Option(metavar="N", help="Rows that may wait for a model.")] = 20_000,
    on: On = None,
    check: Annotated[bool, typer.Option("--check", help="Load, show what would be served, and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve saved models over HTTP, until the process is told to end.

    POST /v1/predict, /v1/explain, /v1/feedback; GET /v1/schema, /v1/models, /openapi.json, /healthz, /readyz, /metrics.
    """
    from plait.serving.settings import Listening, Settings

    settings = Settings(
        shelf,
        keys=keys,
        audit=audit,
        signer=signer,
        timeout_s=timeout,
        body_s=body_timeout,
        max_bytes=max_bytes,
        max_rows=max_rows,
        batch_rows=batch_rows,
        batch_ms=batch_ms,
        queue_rows=queue_rows,
        listening=Listening(host, port, workers, drain, tls_certificate, tls_key),
    )
    started = _by(on)
    screen = Screen(as_json)
    if check:
        _check(screen, settings)
        return
    if keys is None:
        screen.note("no --keys: the service is open to whoever uses this machine")
    if audit is None:
        screen.note("no --audit: decisions are not recorded")
    started(settings)


def _by(on: str | None) -> Callable[[Settings], None]:
    """What serves: processes of this machine, or replicas of a cluster."""
    check_on(on, None)
    with installed():
        if on is not None:
            from plait.serving.replicas import run

            return run
        from plait.serving.run import serve as here

        return here


def _check(screen: Screen, settings: Settings) -> None:
    """Load what would be served, and show it."""
    from plait.serving.shelf import Shelf

    told = Shelf.open(settings.shelf).to_json()
    header = ("model", "version", "role", "share", "digest")
    rows = [
        (each["model"], one["version"], one["role"], f"{one['share']:g}", one["digest"][:12])
        for each in told["models"]
        for one in each["versions"]
    ]
    rows += [
        (f"{desk}/{each['model']}", "", "desk", "", each["digest"][:12])
        for desk, fitted in told["desks"].items()
        for each in fitted
    ]
    screen.table([header, *rows])
    screen.result(told)
