"""``plait audit``: verify, show, redact and close what a service keeps of its decisions."""

from __future__ import annotations

import getpass
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plait.cli.gate import refuse
from plait.cli.options import AsJson, names
from plait.cli.screen import Screen
from plait.cli.stores import Store, installed, moment_of
from plait.errors import ConfigError

__all__ = ["audit_app"]

Decision: TypeAlias = Annotated[str | None, typer.Option(metavar="ID", help="Entries of this decision.")]
Request: TypeAlias = Annotated[str | None, typer.Option(metavar="ID", help="Entries of this request.")]
Subject: TypeAlias = Annotated[str | None, typer.Option(metavar="ID", help="Entries about this person.")]


def audit_app() -> typer.Typer:
    """The commands of ``plait audit``."""
    made = typer.Typer(
        name="audit",
        help="Verify, show, redact and close the audit of a service.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for verb in (verify, show, redact, close, signer):
        made.command(verb.__name__)(verb)
    return made


def verify(
    store: Store,
    public: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The signer's public key: checks the signatures, too.")
    ] = None,
    archive: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A closed segment; several: the oldest first.")
    ] = None,
    head: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keeps the end of the log between looks, out of the service's reach."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that nothing in the audit was changed; exit code 3 where something was."""
    with installed():
        from plait.serving.audit import public_key
        from plait.serving.audit import verify as check
    screen = Screen(as_json)
    verdict = check(store, None if public is None else public_key(public), archives=archive or (), seen=head)
    screen.say(str(verdict))
    screen.result(verdict.to_json())
    refuse(screen, verdict.refusal)


def show(
    store: Store,
    decision: Decision = None,
    request: Request = None,
    subject: Subject = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Entries of this kind.")] = None,
    after: Annotated[int, typer.Option(min=0, metavar="ROW", help="Only later rows.")] = 0,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many entries, at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show entries of the audit, all that was not redacted of them."""
    with installed():
        from plait.serving.audit import Audit
        from plait.serving.audit.entry import canonical
    screen = Screen(as_json)
    with Audit.open(store, make=False) as audit:
        chosen = audit.entries(kind=kind, decision=decision, request=request, subject=subject, after=after)
        found = list(itertools.islice(chosen, limit + 1))
        chosen.close()
    for entry in found[:limit]:
        screen.heading(f"row {entry.seq}, {entry.time}, {entry.kind}")
        told = [(name, canonical(value)) for name, value in entry.fields.items()]  # control characters escaped
        screen.table([("field", "value"), *told, *((name, "(redacted)") for name in entry.redacted)])
    if len(found) > limit:
        screen.note(f"there are more; go on with --after {found[limit - 1].seq}")
    screen.result([entry.to_json() for entry in found[:limit]])


def redact(
    store: Store,
    fields: Annotated[list[str], typer.Option(metavar="F,...", help="What to delete, as in output,explanation.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason, without what is deleted.")],
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who asks; by default who runs this.")] = None,
    decision: Decision = None,
    request: Request = None,
    subject: Subject = None,
    as_json: AsJson = False,
) -> None:
    """Delete fields of entries for good; digests and links stay, and the audit says what went and why."""
    with installed():
        from plait.serving.audit import Audit
    screen = Screen(as_json)
    with Audit.open(store, make=False) as audit:
        done = audit.redact(
            fields=names(fields),
            why=why,
            by=by or getpass.getuser(),
            decision=decision,
            request=request,
            subject=subject,
        )
    screen.say(str(done))
    if not done.gone:
        screen.note("the old values stand in the database's own logs until it cleans them: see the guide on audits")
    screen.result(done.to_json())


def close(
    store: Store,
    signer: Annotated[Path, typer.Option(metavar="FILE", help="The key that signs the checkpoint.")],
    before: Annotated[str | None, typer.Option(metavar="DATE", help="Entries before this time, UTC.")] = None,
    days: Annotated[int | None, typer.Option(min=0, metavar="N", help="Or: entries older than so many days.")] = None,
    archive: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl.gz", help="A new file that the entries go to.")
    ] = None,
    discard: Annotated[bool, typer.Option("--discard", help="Or: they go nowhere.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a segment: old entries go to an archive and leave the store, and a signed checkpoint stands for them."""
    with installed():
        from plait.serving.audit import Audit, Signer
    if before is not None and days is None:
        until = moment_of("before", before)
    elif days is not None and before is None:
        until = datetime.now(UTC) - timedelta(days=days)
    else:
        raise ConfigError("say which entries: --before DATE or --days N, one of them")
    screen = Screen(as_json)
    with Audit.open(store, make=False) as audit:
        done = audit.close_segment(before=until, signer=Signer.load(signer), archive=archive, discard=discard)
    screen.say(str(done))
    screen.result(done.to_json())


def signer(
    new: Annotated[Path, typer.Option(metavar="FILE", help="A new file; the public key goes to FILE.pub.")],
    as_json: AsJson = False,
) -> None:
    """Make a key that signs checkpoints; keep it where the store is not."""
    with installed():
        from plait.serving.audit import Signer
    screen = Screen(as_json)
    Signer.new(new)
    screen.say(f"wrote {new} (for its owner alone) and {new}.pub (for those who verify)")
    screen.result({"signer": str(new), "public": f"{new}.pub"})
