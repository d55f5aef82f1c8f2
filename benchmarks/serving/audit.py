"""What does the audit cost a service beside plain INSERTs, how fast is it verified, and does it find what was changed?

Each submission waits for its commit. Beside it, in turn on the same machine and the same database: the same entries as
plain JSON in a table without a chain, one INSERT and COMMIT a submission, on one of up to 15 connections.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert, select

from benchmarks.runner import Beside, Measured, Report, main, side_by_side
from benchmarks.servers import PostgreSQL
from plait.errors import ConfigError
from plait.serving.audit import Audit, Entry, Signer, public_key, verify
from plait.serving.audit.chain import walk
from plait.serving.audit.entry import digest_of, link_of
from plait.serving.store import ENTRIES, open_store, reading, writing

PLAIN = "plain INSERTs"
PICTURE = Path(__file__).parents[2] / "docs" / "serving" / "pictures" / "audit.png"
REPEATS = 5
PLAIN_TABLE = Table(
    "plain",
    MetaData(),
    Column("seq", Integer, primary_key=True),
    Column("time", String(27)),
    Column("kind", String(100)),
    Column("fields", Text),
    Column("decision", String(200), index=True),
    Column("request", String(200), index=True),
    Column("subject", String(200), index=True),
)


def entry(name: str, i: int) -> Entry:
    """A decision as the service writes one."""
    fields = {
        "decision": f"{name}.{i}",
        "request": f"{name}-{i // 4}",
        "key": "0123456789ab",
        "model": "loans",
        "version": "3",
        "role": "champion",
        "input": f"{i:064x}",
        "output": {"label": i % 2, "probabilities": {"0": 1 - i / 1e6, "1": i / 1e6}},
        "explanation": None,
        "policies": [],
        "subject": f"{name}-subject-{i % 100}",
    }
    return Entry("predict", fields)


class Against:
    """An audit and a plain table in one database; each call writes entries of new names."""

    def __init__(self, url: str) -> None:
        self.audit, self.engine = Audit.open(url), open_store(url)
        PLAIN_TABLE.create(self.engine)
        self.turn = 0

    def close(self) -> None:
        self.audit.close()
        self.engine.dispose()

    def chained(self, entries: Sequence[Entry]) -> None:
        self.audit.append(entries).result(60)

    def plain(self, entries: Sequence[Entry]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [
            {"time": now, "kind": each.kind, "fields": json.dumps(each.fields)}
            | {name: each.fields[name] for name in ("decision", "request", "subject")}
            for each in entries
        ]
        with writing(self.engine) as connection:
            connection.execute(insert(PLAIN_TABLE), rows)

    def calls(
        self, callers: int, each: int, size: int, seen: dict[str, list[float]]
    ) -> Mapping[str, Callable[[], None]]:
        """By name: `callers` threads that submit `size` entries `each` times, and wait for each; latencies are seen."""

        def load(name: str, write: Callable[[Sequence[Entry]], None]) -> Callable[[], None]:
            def caller(made: Sequence[Sequence[Entry]], kept: list[float]) -> None:
                for entries in made:
                    start = time.perf_counter()
                    write(entries)
                    kept.append(time.perf_counter() - start)

            def call() -> None:
                self.turn += 1
                kept: list[float] = []
                threads = []
                for c in range(callers):
                    made = [[entry(f"{self.turn}-{c}-{i}", j) for j in range(size)] for i in range(each)]
                    threads.append(threading.Thread(target=caller, args=(made, kept)))
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                seen[name] += kept

            return call

        return {"audit": load("audit", self.chained), PLAIN: load(PLAIN, self.plain)}


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """URL by name: a file, and a PostgreSQL server where there is one."""
    found = {f"SQLite {sqlite3.sqlite_version}": str(folder / "audit.db")}
    try:
        server = PostgreSQL()
    except ConfigError as error:
        print(error)
        yield found
        return
    with server:
        yield {**found, "PostgreSQL": server.url}


def speeds(name: str, url: str) -> list[Measured]:
    """Entries a second and latencies, one caller, 32 callers, and 1,000 entries at a time."""
    against, made = Against(url), []
    try:
        for told, callers, each, size in (
            ("1 caller", 1, 200, 1),
            ("32 callers", 32, 40, 1),
            ("1,000 entries a submission", 1, 3, 1_000),
        ):
            seen: dict[str, list[float]] = {"audit": [], PLAIN: []}
            turns = side_by_side(against.calls(callers, each, size, seen), REPEATS)
            total = callers * each * size
            rates = {who: [total / seconds for seconds in turns[who]] for who in turns}
            beside = {PLAIN: Beside(*_spread(rates[PLAIN]))}
            made.append(Measured(f"{name}, {told}", *_spread(rates["audit"]), "entries/s", beside))
            if size == 1:
                for q in (50, 99):
                    ours, plain = (1e3 * statistics.quantiles(seen[who], n=100)[q - 1] for who in ("audit", PLAIN))
                    told_q = f"{name}, {told}: acknowledged, p{q}"
                    made.append(Measured(told_q, ours, None, None, "ms", {PLAIN: Beside(plain)}))
    finally:
        against.close()
    return made


def verifying(name: str, url: str) -> Measured:
    """Rows a second of `verify`, beside reading the rows alone."""
    engine = open_store(url)

    def read() -> None:
        with reading(engine) as connection:
            for _ in walk(connection, select(ENTRIES)):
                pass

    rows = verify(url).entries
    turns = side_by_side({"verify": lambda: verify(url), "reading alone": read}, 3)
    engine.dispose()
    rates = {who: [rows / seconds for seconds in turns[who]] for who in turns}
    beside = {"reading alone": Beside(*_spread(rates["reading alone"]))}
    return Measured(f"{name}, verified, of {rows:,}", *_spread(rates["verify"]), "entries/s", beside)


def draw(figures: Sequence[Measured], path: Path) -> None:
    """Entries a second, between the slowest and the fastest turn."""
    from matplotlib.figure import Figure

    shown = [each for each in figures if PLAIN in each.baselines and each.unit == "entries/s"]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for step, colour, who in ((-0.12, "#2a6f97", "audit"), (0.12, "#8a8a8a", PLAIN)):
        kept = [each if who == "audit" else each.baselines[PLAIN] for each in shown]
        places = [i + step for i in range(len(shown))]
        values = [float(each.value or 0) for each in kept]
        lows = [value - float(each.low or value) for value, each in zip(values, kept, strict=True)]
        highs = [float(each.high or value) - value for value, each in zip(values, kept, strict=True)]
        axes.errorbar(values, places, xerr=(lows, highs), fmt="o", color=colour, label=who)
    axes.set_yticks(range(len(shown)), [each.what for each in shown])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("entries a second, each acknowledged after its commit")
    axes.grid(axis="x", color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


Row = tuple[Any, ...]  # as the table has them: seq, time, kind, fields, link, decision, request, subject


class Log:
    """A clean log in a file, and copies of it that somebody has changed."""

    def __init__(self, folder: Path, seed: int, redacted: bool) -> None:
        self.folder, self.store = folder, folder / "log.db"
        signer = Signer.new(folder / "signer")
        self.key = public_key(folder / "signer.pub")
        with Audit.open(self.store, signer=signer) as audit:
            audit.append([entry(f"a{seed}", i) for i in range(30)]).result(60)
            if redacted:
                cut = datetime.now(UTC)
                audit.redact(decision=f"a{seed}.3", fields=["output"], why="measured", by="benchmark")
                audit.redact(decision=f"a{seed}.25", fields=["output"], why="measured", by="benchmark")
                time.sleep(0.002)
                audit.append([entry(f"b{seed}", i) for i in range(30)]).result(60)
                audit.redact(decision=f"b{seed}.20", fields=["output"], why="measured", by="benchmark")
                audit.close_segment(before=cut, signer=signer, archive=folder / "1.jsonl.gz")
        with sqlite3.connect(self.store) as connection:
            self.rows: list[Row] = list(connection.execute("SELECT * FROM plait_audit ORDER BY seq"))
        connection.close()
        self.at = next(i for i, row in enumerate(self.rows) if i > 5 and row[5] and row[5].endswith(".12"))

    def sound(self, change: Callable[[Log, sqlite3.Connection], None] | None = None) -> bool:
        """Whether a copy is sound after the change."""
        copy = self.folder / "copy.db"
        shutil.copy(self.store, copy)
        connection = sqlite3.connect(copy)
        if change is not None:
            change(self, connection)
        connection.commit()
        connection.close()
        return verify(copy, self.key).sound


def _set(column: str, new: Callable[[Log, Row], object]) -> Callable[[Log, sqlite3.Connection], None]:
    def change(log: Log, connection: sqlite3.Connection) -> None:
        row = log.rows[log.at]
        connection.execute(f"UPDATE plait_audit SET {column} = ? WHERE seq = ?", (new(log, row), row[0]))

    return change


def _run(*statements: str) -> Callable[[Log, sqlite3.Connection], None]:
    def change(log: Log, connection: sqlite3.Connection) -> None:
        named = {"row": log.rows[log.at][0], "last": log.rows[-1][0], "first": log.rows[0][0]}
        for statement in statements:
            connection.execute(statement, {name: value for name, value in named.items() if f":{name}" in statement})

    return change


def _body(**new: Callable[[list[Any]], list[Any] | None]) -> Callable[[Log, Row], str]:
    """The fields of a row, some of them made anew, or left out."""

    def made(log: Log, row: Row) -> str:
        body = json.loads(row[3])
        for name, change in new.items():
            body[name] = change(body[name])
        kept = {name: value for name, value in body.items() if value is not None}
        return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    return made


SALT = "ab" * 16
FORGED = {"label": 0, "probabilities": {"0": 1.0, "1": 0.0}}
FORGED_DIGEST = digest_of(bytes.fromhex(SALT), "output", json.dumps(FORGED, separators=(",", ":")))
forge = _body(output=lambda kept: [FORGED_DIGEST, SALT, FORGED])


def _forge_all(log: Log, connection: sqlite3.Connection) -> None:
    """Value, salt, digest and the row's own link, as who knows the method would; the next row does not follow."""
    row, before = log.rows[log.at], log.rows[log.at - 1]
    fields = forge(log, row)
    digests = [(name, kept[0]) for name, kept in sorted(json.loads(fields).items())]
    link = link_of(before[4], row[0], row[1], row[2], digests)
    connection.execute("UPDATE plait_audit SET fields = ?, link = ? WHERE seq = ?", (fields, link, row[0]))


def _unsign(log: Log, connection: sqlite3.Connection) -> None:
    """The last checkpoint signed by another key, digest and link and the end of the log reckoned anew."""
    row, before = next((r, log.rows[i - 1]) for i, r in reversed([*enumerate(log.rows)]) if r[2] == "checkpoint")
    body = json.loads(row[3])
    told = {name: body[name][2] for name in ("seq", "link", "rows", "archive")}
    other = Signer.new(log.folder / f"other-{time.monotonic_ns()}").sign(told)
    body["signature"] = [digest_of(bytes.fromhex(SALT), "signature", json.dumps(other)), SALT, other]
    link = link_of(before[4], row[0], row[1], row[2], [(name, kept[0]) for name, kept in sorted(body.items())])
    fields = json.dumps(body, sort_keys=True, separators=(",", ":"))
    connection.execute("UPDATE plait_audit SET fields = ?, link = ? WHERE seq = ?", (fields, link, row[0]))
    connection.execute("UPDATE plait_audit_head SET link = ? WHERE seq = ?", (link, row[0]))


def _other_digit(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


CHANGES: dict[str, Callable[[Log, sqlite3.Connection], None]] = {
    "a value": _set("fields", _body(output=lambda kept: [kept[0], kept[1], FORGED])),
    "a value and its digest": _set("fields", forge),
    "a value, its digest and the row's link": _forge_all,
    "a salt": _set("fields", _body(output=lambda kept: [kept[0], _other_digit(kept[1]), kept[2]])),
    "a digest": _set("fields", _body(output=lambda kept: [_other_digit(kept[0]), *kept[1:]])),
    "a digest of a value that is gone": _set("fields", _body(output=lambda kept: [_other_digit(kept[0])])),
    "a value deleted without a redaction": _set("fields", _body(output=lambda kept: kept[:1])),
    "a field left out": _set("fields", _body(policies=lambda kept: None)),
    "a field under another name": _set("fields", lambda log, row: row[3].replace('"role":', '"rule":')),
    "a time": _set("time", lambda log, row: row[1][:-2] + _other_digit(row[1][-2]) + "Z"),
    "a kind": _set("kind", lambda log, row: "explain"),
    "a link": _set("link", lambda log, row: _other_digit(row[4])),
    "the decision it is found by": _set("decision", lambda log, row: "another"),
    "the subject it is found by": _set("subject", lambda log, row: None),
    "a row deleted": _run("DELETE FROM plait_audit WHERE seq = :row"),
    "a row deleted, the later ones renumbered": _run(
        "DELETE FROM plait_audit WHERE seq = :row",
        "UPDATE plait_audit SET seq = -seq WHERE seq > :row",
        "UPDATE plait_audit SET seq = -seq - 1 WHERE seq < 0",
        "UPDATE plait_audit_head SET seq = seq - 1",
    ),
    "two rows swapped": _run(
        "UPDATE plait_audit SET seq = -1 WHERE seq = :row",
        "UPDATE plait_audit SET seq = :row WHERE seq = :row + 1",
        "UPDATE plait_audit SET seq = :row + 1 WHERE seq = -1",
    ),
    "a copy of a row at the end": _run(
        "CREATE TABLE one AS SELECT * FROM plait_audit WHERE seq = :row",
        "UPDATE one SET seq = :last + 1",
        "INSERT INTO plait_audit SELECT * FROM one",
        "UPDATE plait_audit_head SET seq = seq + 1",
    ),
    "the first rows deleted": _run("DELETE FROM plait_audit WHERE seq <= :row"),
    "a checkpoint signed by another key": _unsign,
}


def tampering(seed: int) -> list[Measured]:
    """How many of the changes are found, and how many clean logs raise an alarm."""
    made = []
    for told, redacted in (("a plain log", False), ("a log redacted and closed in part", True)):
        with tempfile.TemporaryDirectory() as name:
            log = Log(Path(name), seed, redacted)
            missed = [change for change, apply in CHANGES.items() if log.sound(apply)]
        if missed:
            print(f"{told}: not found: {', '.join(missed)}")
        made.append(Measured(f"changes found, {told}", len(CHANGES) - len(missed), unit=f"of {len(CHANGES)}"))
    alarms = 0
    for i in range(20):
        with tempfile.TemporaryDirectory() as name:
            alarms += not Log(Path(name), seed + i, redacted=i % 2 == 0).sound()
    made.append(Measured("alarms on clean logs", alarms, unit="of 20"))
    return made


def run(seed: int) -> Report:
    """Speeds on SQLite and PostgreSQL, then 20 kinds of changes."""
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory() as name, databases(Path(name)) as found:
        for told, url in found.items():
            figures += speeds(told, url)
            figures.append(verifying(told, url))
        where = ", ".join(found)
    draw(figures, PICTURE)
    return Report(
        data="made decisions of 11 fields, 1.4 KB each as they are stored",
        split=f"{REPEATS} turns each, audit and plain INSERTs in turn; {where}",
        figures=(*figures, *tampering(seed)),
        notes=(
            f"changes: {'; '.join(CHANGES)}",
            "intervals: the slowest and the fastest turn; SQLite syncs every commit (WAL, synchronous=FULL), "
            "PostgreSQL as it is set up by default",
            "what a commit costs hangs on the disk",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
