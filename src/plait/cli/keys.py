"""``plait keys``: who may use a service, for what, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from plait.cli.options import AsJson, names
from plait.cli.screen import Screen
from plait.cli.stores import Store, installed, moment_of
from plait.errors import ConfigError

if TYPE_CHECKING:
    from plait.serving.keys import Key

__all__ = ["keys_app"]

Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="As `plait keys list` shows it.")]


def keys_app() -> typer.Typer:
    """The commands of ``plait keys``."""
    made = typer.Typer(
        name="keys",
        help="Make, list, rotate and revoke the API keys of a service.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for verb in (create, list_keys, rotate, revoke):
        made.command(verb.__name__.removesuffix("_keys"))(verb)
    return made


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is, or what for.")],
    scope: Annotated[
        list[str],
        typer.Option(
            metavar="S,...",
            help="predict, explain, feedback, models, metrics, desk:DESK, desk:DESK.OPERATION, or * for all.",
        ),
    ],
    store: Store,
    rate: Annotated[float, typer.Option(metavar="N", help="Requests a second.")] = 50.0,
    burst: Annotated[int | None, typer.Option(metavar="N", help="Requests at once; by default a second's.")] = None,
    max_bytes: Annotated[int | None, typer.Option(metavar="N", help="The largest request in bytes.")] = None,
    max_rows: Annotated[int | None, typer.Option(metavar="N", help="The largest request in rows.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="When it ends, UTC; by default never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show its token this one time."""
    with installed():
        from plait.serving.keys import Keys
    screen = Screen(as_json)
    key, token = Keys.open(store).create(
        name,
        names(scope),
        rate=rate,
        burst=burst,
        max_bytes=max_bytes,
        max_rows=max_rows,
        expires=None if expires is None else moment_of("expires", expires),
    )
    screen.say(token)
    screen.note(f"this is the only time that the token of key {key.id} is shown; the store has a digest of it")
    screen.result({**key.to_json(), "token": token})


def list_keys(store: Store, as_json: AsJson = False) -> None:
    """Show the keys of a store; their secrets are not in it."""
    with installed():
        from plait.serving.keys import Keys
    screen = Screen(as_json)
    found = Keys.open(store, make=False).list()
    header = ("id", "name", "scopes", "rate", "burst", "expires", "used", "state")
    screen.table([header, *map(_row, found)])
    screen.result([key.to_json() for key in found])


def rotate(
    id: Id,
    store: Store,
    overlap: Annotated[float, typer.Option(metavar="SECONDS", help="How long the old token still works.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Give a key another token, and show it this one time."""
    with installed():
        from plait.serving.keys import Keys
    screen = Screen(as_json)
    token = Keys.open(store, make=False).rotate(_known(id), overlap)
    screen.say(token)
    screen.note(f"this is the only time that this token is shown; the old one works for {overlap:g} s more")
    screen.result({"id": id, "token": token})


def revoke(id: Id, store: Store, as_json: AsJson = False) -> None:
    """End a key; services stop taking it within a second."""
    with installed():
        from plait.serving.keys import Keys
    screen = Screen(as_json)
    key = Keys.open(store, make=False).revoke(_known(id))
    screen.say(f"key {key.id} ({key.name}) is revoked")
    screen.result(key.to_json())


def _known(id: str) -> str:
    """Somebody may give the token in place of the id: it goes no further, and is not repeated."""
    if id.startswith("plait_"):
        raise ConfigError("this is a token; give the key's id, the 12 digits between plait_ and the next _")
    return id


def _row(key: Key) -> tuple[object, ...]:
    ends = key.expires and f"{key.expires:%Y-%m-%d %H:%M}"
    state = "revoked" if key.revoked else "expired" if key.expired else "valid"
    return key.id, key.name, " ".join(sorted(key.scopes)), f"{key.rate:g}", key.burst, ends, key.used, state
