"""Values that have to go: deleted with their salts, while the chain still holds and says who took what, and why."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, select, update

from plait.contracts import Json
from plait.errors import ConfigError
from plait.serving.audit.chain import append, lock, opened, walk
from plait.serving.audit.entry import LOOKED_UP, Entry, canonical, findable, pack, seal
from plait.serving.audit.walker import FIXED
from plait.serving.store import BUSY_S, ENTRIES, said, writing

__all__ = ["Redacted", "redact"]

TOLD: Final = 1_000  # rows that one redaction entry names


@dataclass(frozen=True)
class Redacted:
    """What was deleted: of how many rows, how many fields, and whether the old values have left the store's files."""

    rows: int
    fields: int
    gone: bool

    def to_json(self) -> dict[str, Json]:
        """The same for `json.dumps`."""
        return dict(self.__dict__)

    def __str__(self) -> str:
        return f"redacted {self.fields:,} fields of {self.rows:,} entries"


def redact(engine: Engine, wanted: Mapping[str, str], fields: Sequence[str], why: str, by: str) -> Redacted:
    """Delete fields of entries; see `plait.serving.audit.log.Audit.redact`."""
    if not wanted:
        raise ConfigError(f"say whose entries: give one of {', '.join(LOOKED_UP)}")
    if not fields or not why.strip() or not by.strip():
        raise ConfigError("a redaction says which fields, why, and by whom; give all three")
    chosen = select(ENTRIES).where(ENTRIES.c.kind.not_in(FIXED))
    for name, value in wanted.items():
        chosen = chosen.where(ENTRIES.c[name] == value)
    gone: dict[str, list[str]] = {}
    seen: set[str] = set()
    found = 0
    with said(engine), writing(engine) as connection:
        lock(connection)
        for row in walk(connection, chosen) if all(map(findable, wanted.values())) else ():
            found += 1
            body = opened(row.fields)
            seen.update(body)
            if names := [name for name in sorted(set(fields)) if len(body.get(name, ())) == 3]:
                _strip(connection, row.seq, body, names)
                gone[str(row.seq)] = names
        if not found:
            raise ConfigError(f"no entry has this {' and '.join(wanted)}; plait audit show looks one up")
        if unheard := set(fields) - seen:
            known = ", ".join(sorted(seen))
            raise ConfigError(f"these entries have no field {', '.join(sorted(unheard))!r} (they have: {known})")
        rows = list(gone.items())
        parts = [dict(rows[start : start + TOLD]) for start in range(0, len(rows), TOLD)]
        told = {"why": why, "by": by, "found_by": sorted(wanted)}
        if parts:
            append(connection, [seal(Entry("redaction", {"rows": part, **told})) for part in parts])
    return Redacted(len(gone), sum(map(len, gone.values())), _purge(engine))


def _strip(connection: Connection, seq: int, body: Mapping[str, tuple[Json, ...]], names: Sequence[str]) -> None:
    """Rewrite one row without the values and salts of these fields, also where it is looked up by them."""
    left = {
        name: kept[:1] if name in names or len(kept) == 1 else (*kept[:2], canonical(kept[2]))
        for name, kept in body.items()
    }
    changed: dict[str, Any] = {"fields": pack(left)} | {name: None for name in LOOKED_UP if name in names}
    connection.execute(update(ENTRIES).where(ENTRIES.c.seq == seq).values(changed))


def _purge(engine: Engine) -> bool:
    """Take old values out of SQLite's write-ahead log; readers that began before hold it up, for a while.

    PostgreSQL forgets old rows when it vacuums, and has them in archives of its own log for as long as those are kept.
    """
    if engine.dialect.name != "sqlite":
        return False
    end = time.monotonic() + BUSY_S
    with said(engine):
        raw = engine.raw_connection()
        try:
            while True:
                busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if not busy or time.monotonic() > end:
                    return not busy
                time.sleep(0.05)
        finally:
            raw.close()
