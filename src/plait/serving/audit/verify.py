"""Whether an audit is what was written: every link, digest, gap, time, redaction and signature."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, select

from plait.contracts import Json
from plait.data.files import replacing
from plait.errors import ConfigError, DataError
from plait.serving.audit.chain import Head, head, walk
from plait.serving.audit.segments import Archive, before_first
from plait.serving.audit.walker import Flaw, Row, Walker
from plait.serving.store import ENTRIES, open_store, reading, said

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["Verdict", "check", "verify"]


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Parameters
    ----------
    entries
        How many were looked at.
    first, last
        Their numbers; 0 where there are none.
    link
        That of the last one: with its number, what `verify` takes as the end that was seen before.
    redacted
        Fields whose values were deleted, all of them accounted for where there is no flaw.
    checkpoints
        Signed checkpoints among the entries.
    signed
        The last row that a checkpoint vouches for by the public key; None: no key was given. Rows after it, or all rows
        without a key, hold together, but who can write to the store could have written them all anew.
    wrong
        How many flaws there are.
    flaws
        The first 20.
    """

    entries: int
    first: int
    last: int
    link: str
    redacted: int
    checkpoints: int
    signed: int | None
    wrong: int
    flaws: tuple[Flaw, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.wrong == 0

    @property
    def refusal(self) -> str:
        """Why a gate says no; empty where it does not."""
        return (
            ""
            if self.sound
            else f"the audit has {self.wrong:,} flaw{'s'[: self.wrong > 1]}, the first: {self.flaws[0]}"
        )

    def to_json(self) -> dict[str, Json]:
        """The same for `json.dumps`."""
        return {"sound": self.sound, **asdict(self), "flaws": [{**asdict(f), "told": str(f)} for f in self.flaws]}

    def __str__(self) -> str:
        rows = f"rows {self.first} to {self.last}" if self.entries else "no rows"
        told = [f"{self.entries:,} entries ({rows}), {self.redacted:,} fields redacted, {self.checkpoints} checkpoints"]
        if self.signed is not None:
            told.append(f"signed up to row {self.signed}; {self.last - self.signed:,} rows since")
        told += [str(flaw) for flaw in self.flaws]
        if self.wrong > len(self.flaws):
            told.append(f"... and {self.wrong - len(self.flaws):,} more")
        return "\n".join([*told, "sound" if self.sound else "NOT SOUND"])


def verify(
    url: str | os.PathLike[str],
    public_key: Ed25519PublicKey | None = None,
    *,
    archives: Sequence[str | os.PathLike[str]] = (),
    seen: str | os.PathLike[str] | None = None,
) -> Verdict:
    """Walk an audit from its first entry, or from the last closed segment, to its end.

    Parameters
    ----------
    url
        As `plait.serving.store.open_store` takes it; it is not made where there is none.
    public_key
        Checks the signatures of checkpoints (`plait.serving.audit.signing.public_key` reads one).
    archives
        Files of closed segments, the oldest first, without gaps up to the store: walked before it.
    seen
        A file that keeps the end of the chain, best where who writes to the store cannot: compared with the chain if it
        is there, and written anew if nothing is wrong.

    Raises
    ------
    ConfigError
        If there is no audit at `url`, or `seen` is no such file.
    DataError
        If an archive cannot be read.
    UnavailableError
        If the store cannot be read just now.
    """
    engine = open_store(url, make=False)
    try:
        verdict = check(engine, public_key, [Archive(path) for path in archives], _load(seen))
    finally:
        engine.dispose()
    if seen is not None and verdict.sound:
        with replacing(Path(seen)) as beside:
            beside.write_text(json.dumps({"seq": verdict.last, "link": verdict.link}) + "\n", "utf-8")
    return verdict


def check(
    engine: Engine, key: Ed25519PublicKey | None = None, archives: Sequence[Archive] = (), seen: Head | None = None
) -> Verdict:
    """The same of a store that is open."""
    with said(engine), reading(engine) as connection:
        end = head(connection)
        walker = Walker(archives[0].before if archives else before_first(connection), key, seen)
        for archive in archives:
            try:
                for row in archive:
                    walker.take(row)
            except DataError as error:
                walker.say(str(error))
            walker.end_archive(archive.digest)
        for row in walk(connection, select(ENTRIES)):
            found_by = {"decision": row.decision, "request": row.request, "subject": row.subject}
            walker.take(Row(row.seq, row.time, row.kind, row.fields, row.link, found_by))
        walker.end(end)
        if end is None:
            walker.say("the row that says where the log ends is missing")
    return Verdict(
        entries=walker.entries,
        first=walker.before.seq + 1 if walker.entries else 0,
        last=walker.last.seq,
        link=walker.last.link,
        redacted=walker.redacted,
        checkpoints=walker.checkpoints,
        signed=None if key is None else walker.signed,
        wrong=walker.wrong,
        flaws=tuple(walker.flaws),
    )


def _load(seen: str | os.PathLike[str] | None) -> Head | None:
    if seen is None or not Path(seen).exists():
        return None
    try:
        told = json.loads(Path(seen).read_text("utf-8"))
        return Head(int(told["seq"]), "", str(told["link"]))
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigError(
            f"{os.fspath(seen)!r} does not say where a chain ended; name the file of an earlier look"
        ) from None
