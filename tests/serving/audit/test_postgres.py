"""The audit and keys in a real PostgreSQL server, several processes at once, and through its end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from plait.serving.audit import Audit, Entry, Signer, public_key, verify
from plait.serving.keys import Keys
from plait.serving.store import UnavailableError, open_store

if TYPE_CHECKING:
    from benchmarks.servers import PostgreSQL

pytestmark = pytest.mark.slow

WRITES = """
import sys
from plait.serving.audit import Audit, Entry
with Audit.open(sys.argv[1]) as audit:
    futures = [audit.append([Entry("predict", {"decision": f"{sys.argv[2]}.{i}"})]) for i in range(500)]
    for future in futures:
        future.result(60)
"""


@pytest.fixture
def database(postgres_url: str) -> str:
    """A database of a test's own."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return postgres_url.rpartition("/")[0] + "/" + name


def write_at_once(url: str) -> None:
    """Three processes write 500 entries each; the tables are made by whichever comes first."""
    started = [subprocess.Popen([sys.executable, "-c", WRITES, url, f"p{i}"]) for i in range(3)]
    try:
        assert [process.wait(120) for process in started] == [0, 0, 0]
    finally:
        for process in started:
            process.kill()
    verdict = verify(url)
    assert verdict.sound, str(verdict)
    assert verdict.entries == 1_500
    with Audit.open(url) as audit:
        found = {entry.fields["decision"] for entry in audit.entries()}
    assert found == {f"p{i}.{j}" for i in range(3) for j in range(500)}


def test_three_processes_write_one_chain_in_postgresql(database: str) -> None:
    write_at_once(database)


def test_three_processes_write_one_chain_in_a_file(tmp_path: Path) -> None:
    write_at_once(str(tmp_path / "audit.db"))


def test_many_open_a_new_store_at_once(database: str, tmp_path: Path) -> None:
    for url in (database, str(tmp_path / "audit.db")):
        with ThreadPoolExecutor(12) as pool:
            for engine in pool.map(open_store, [url] * 12):
                engine.dispose()


def test_the_whole_life_of_an_audit(database: str, tmp_path: Path) -> None:
    signer = Signer.new(tmp_path / "signer")
    key, archive = public_key(tmp_path / "signer.pub"), tmp_path / "1.jsonl.gz"
    with Audit.open(database, signer=signer) as audit:
        for i in range(6):
            fields = {"decision": f"r.{i}", "subject": f"s{i % 2}", "output": {"said": 'ü "\0\n中'}}
            audit.append([Entry("predict", fields)]).result(10)
        assert audit.find("a\0b") is None
        assert audit.find("\ud800") is None
        done = audit.redact(subject="s1", fields=["output", "subject"], why="asked", by="test")
        assert (done.rows, done.gone) == (3, False)
        until = next(iter(audit.entries(kind="redaction"))).time
        audit.close_segment(before=datetime.fromisoformat(until), signer=signer, archive=archive)
        audit.append([Entry("predict", {"decision": "later"})]).result(10)
    assert verify(database, key).sound
    whole = verify(database, key, archives=[archive])
    assert whole.sound, str(whole)
    assert (whole.first, whole.redacted) == (1, 6)
    engine = open_store(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE plait_audit SET kind = 'explain' WHERE decision = 'later'"))
    engine.dispose()
    assert "kind explain) was changed" in str(verify(database, key))


def test_keys_are_kept(database: str) -> None:
    keys, elsewhere = Keys.open(database), Keys(open_store(database), fresh_s=0)
    key, token = keys.create("scoring", ["predict"], rate=2.5)
    found = elsewhere.check(token)
    assert found is not None
    assert (found.id, found.rate) == (key.id, 2.5)
    second = keys.rotate(key.id)
    assert elsewhere.check(token) is None
    assert elsewhere.check(second) is not None
    keys.revoke(key.id)
    assert elsewhere.check(second) is None
    keys.close()
    elsewhere.close()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "killed"])
def test_what_was_acknowledged_outlives_the_server(
    database: str, postgres_server: PostgreSQL, by: signal.Signals
) -> None:
    with Audit.open(database) as audit:
        futures: list[Future[tuple[int, ...]]] = []
        for i in range(300):
            futures.append(audit.append([Entry("predict", {"decision": f"r.{i}"})]))
            if i == 150:
                _wait(futures[:100])
                postgres_server.kill(by)
            time.sleep(0.001)
        errors = [future.exception(60) for future in futures]
        assert any(errors)
        assert all(error is None or isinstance(error, UnavailableError) for error in errors)
        assert not audit.healthy
        postgres_server.start()
        end = time.monotonic() + 20
        while not audit.healthy and time.monotonic() < end:
            time.sleep(0.1)
        assert audit.append([Entry("predict", {"decision": "after"})]).result(30)
    verdict = verify(database)
    assert verdict.sound, str(verdict)
    with Audit.open(database) as audit:
        there = {entry.fields["decision"] for entry in audit.entries()}
    acknowledged = {f"r.{i}" for i, error in enumerate(errors) if error is None}
    assert len(acknowledged) >= 100
    assert acknowledged | {"after"} <= there


def _wait(futures: Sequence[Future[tuple[int, ...]]]) -> None:
    for future in futures:
        future.result(30)
