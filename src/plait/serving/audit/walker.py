"""Walks a chain and says what is wrong with it, with memory that does not grow with its length."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plait.contracts import Json
from plait.serving.audit.chain import Head
from plait.serving.audit.entry import LOOKED_UP, canonical, digest_of, link_of, pack
from plait.serving.audit.signing import genuine

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["FIXED", "Flaw", "Row", "Walker"]

FIXED: Final = ("redaction", "checkpoint")  # kinds whose fields are never redacted: the proof stands on them
TOLD: Final = 20  # flaws that are kept; more are counted
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
LINK: Final = re.compile(r"[0-9a-f]{64}")
SALT: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Flaw:
    """Something that is wrong: in which row (None: the log as a whole), and what. No value is told."""

    seq: int | None
    time: str | None
    kind: str | None
    what: str

    def __str__(self) -> str:
        if self.seq is None:
            return self.what
        return f"row {self.seq} ({_shown(self.time)}, kind {_shown(self.kind)}) {self.what}"


def _shown(told: str | None) -> str:
    """What a terminal can show without doing anything."""
    return told if told and told.isprintable() and len(told) <= 100 else "unreadable"


@dataclass(frozen=True)
class Row:
    """A row as it was found, and what it can be looked up by (None: in an archive, by nothing)."""

    seq: int
    time: str
    kind: str
    fields: str
    link: str
    found_by: Mapping[str, str | None] | None = None


class Walker:
    """Takes rows in order.

    Parameters
    ----------
    before
        What the first row follows; its link is ``""`` where that is not known.
    key
        Checks signatures; None: they are not looked at.
    seen
        The chain's end as it was seen at another time.
    """

    def __init__(self, before: Head, key: Ed25519PublicKey | None = None, seen: Head | None = None) -> None:
        if not LINK.fullmatch(before.link):
            before = Head(before.seq, before.time, "")
        self.before = self.last = before
        self.entries = self.redacted = self.checkpoints = self.signed = self.wrong = 0
        self.flaws: list[Flaw] = []
        self._key, self._seen = key, seen
        self._known_links = {before.seq: before.link}
        self._archives: dict[int, str] = {}
        self._grounded = before.seq == 0
        self._unaccounted: dict[int, set[str]] = {}
        self._compare_with_seen(before)

    def take(self, row: Row) -> None:
        """Check the next row."""
        self.entries += 1
        if not all(isinstance(told, str) for told in (row.time, row.kind, row.fields, row.link)):
            row = Row(row.seq, str(row.time), str(row.kind), str(row.fields), str(row.link), row.found_by)
            self._flaw(row, "was changed: what it holds is no text")
        body = self._body(row)
        follows = row.seq == self.last.seq + 1
        if row.seq <= self.last.seq:
            self._flaw(row, f"comes after row {self.last.seq}: rows are out of order")
        elif not follows:
            self._flaw(row, f"follows row {self.last.seq}: rows {self.last.seq + 1} to {row.seq - 1} are missing")
        if not TIME.fullmatch(row.time) or row.time < self.last.time:
            self._flaw(row, "was changed: its time is before that of the row before it, or is none")
        if body is not None:
            self._check_fields(row, body)
            digests = [(name, kept[0]) for name, kept in sorted(body.items())]
            known = follows and self.last.link
            if known and link_of(self.last.link, row.seq, row.time, row.kind, digests) != row.link:
                self._flaw(row, f"was changed, or row {self.last.seq} was: its link does not follow from both")
            if row.kind in FIXED:
                self._check_own(row, {name: json.loads(kept[2]) for name, kept in body.items() if len(kept) == 3})
        if not LINK.fullmatch(row.link):
            self._flaw(row, "was changed: its link is none")
        self.last = Head(row.seq, row.time, row.link if LINK.fullmatch(row.link) else "")
        self._compare_with_seen(self.last)

    def end_archive(self, digest: str) -> None:
        """The rows so far were the content of a file with this SHA-256."""
        self._known_links[self.last.seq] = self.last.link
        self._archives[self.last.seq] = digest

    def end(self, head: Head | None) -> None:
        """No more rows: what stands open, and whether the log ends where the store says (None: it does not say)."""
        for seq, names in self._unaccounted.items():
            told = ", ".join(map(_shown, sorted(names)))
            self._say(Flaw(seq, None, None, f"lost the values of {told}, and no redaction accounts for that"))
        if not self._grounded:
            self._say(Flaw(None, None, None, f"rows 1 to {self.before.seq} are missing, and no checkpoint closed them"))
        if head is not None and head != self.last:
            told = f"the log ends with row {self.last.seq}, and the store says row {head.seq}"
            self._say(Flaw(None, None, None, f"{told}: its end was cut, or the last row was changed"))
        if self._seen is not None and self._seen.seq > self.last.seq:
            told = f"row {self._seen.seq} was seen before, and the log ends with row {self.last.seq}"
            self._say(Flaw(None, None, None, f"{told}: its end was cut"))

    def say(self, what: str) -> None:
        """Something is wrong with the log as a whole."""
        self._say(Flaw(None, None, None, what))

    def _body(self, row: Row) -> dict[str, tuple[str, ...]] | None:
        """Name to digest, salt and canonical value, or digest alone; None where the row is not as it was written."""
        try:
            found = {
                name: tuple([*kept[:2], canonical(kept[2])] if len(kept) == 3 else kept)
                for name, kept in json.loads(row.fields).items()
            }
            whole = all(len(kept) in (1, 3) for kept in found.values()) and pack(found) == row.fields
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            whole = False
        if whole:
            return found
        self._flaw(row, "was changed: its fields are not as the audit writes them")
        return None

    def _check_fields(self, row: Row, body: Mapping[str, tuple[str, ...]]) -> None:
        kept = {name: each for name, each in body.items() if len(each) == 3}
        for name, (digest, salt, value) in kept.items():
            if not SALT.fullmatch(salt) or digest_of(bytes.fromhex(salt), name, value) != digest:
                self._flaw(row, f"was changed: field {_shown(name)} does not match its digest")
        if gone := body.keys() - kept.keys():
            self.redacted += len(gone)
            self._unaccounted[row.seq] = set(gone)
            if row.kind in FIXED:
                self._flaw(row, f"was changed: nothing of a {row.kind} can be redacted")
        if row.found_by is not None:
            for name in LOOKED_UP:
                if row.found_by[name] != (json.loads(kept[name][2]) if name in kept else None):
                    self._flaw(row, f"was changed: it is not found by the {name} that it names")

    def _check_own(self, row: Row, fields: Mapping[str, Json]) -> None:
        """Entries of the audit about itself."""
        try:
            if row.kind == "redaction":
                for seq, names in fields["rows"].items():
                    self._account(row, int(seq), names)
            else:
                self._check_checkpoint(row, fields)
        except (AttributeError, LookupError, TypeError, ValueError):
            self._flaw(row, f"was changed: it is no {row.kind} as the audit writes them")

    def _account(self, row: Row, seq: int, names: list[str]) -> None:
        if seq <= self.before.seq:
            return
        open_ = self._unaccounted.get(seq, set())
        for name in names:
            if name in open_:
                open_.remove(name)
            else:
                self._flaw(row, f"says that field {_shown(name)} of row {seq} was redacted, and it was not")
        if not open_:
            self._unaccounted.pop(seq, None)

    def _check_checkpoint(self, row: Row, fields: Mapping[str, Json]) -> None:
        self.checkpoints += 1
        if self._key is not None:
            if not genuine(fields, self._key):
                self._flaw(row, "is a checkpoint that the public key did not sign")
                return
            self.signed = max(self.signed, fields["seq"])
        seq, closes = fields["seq"], fields["rows"] > 0
        known = self._known_links.get(seq) if closes else self.last.link
        if seq > self.before.seq if closes and known is None else not closes and seq != row.seq - 1:
            self._flaw(row, f"is a checkpoint of row {seq}, where no segment ends")
        elif known and known != fields["link"]:
            self._flaw(row, f"is a checkpoint, and the link of row {seq} is another")
        self._grounded |= closes and seq == self.before.seq
        if self._archives.get(seq, fields["archive"]) != fields["archive"]:
            self._flaw(row, f"closed the segment up to row {seq} with another archive than the one given")

    def _compare_with_seen(self, now: Head) -> None:
        seen = self._seen
        if seen is not None and seen.seq == now.seq and now.link and seen.link != now.link:
            self.say(f"row {now.seq} has another link than when it was seen before: the log was rewritten")

    def _flaw(self, row: Row, what: str) -> None:
        self._say(Flaw(row.seq, row.time, row.kind, what))

    def _say(self, flaw: Flaw) -> None:
        self.wrong += 1
        if len(self.flaws) < TOLD:
            self.flaws.append(flaw)
