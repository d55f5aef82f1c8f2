"""The audit: what is acknowledged is there, and a store that fails says so."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from plait.errors import ConfigError, DataError
from plait.serving.audit import Audit, Entry, FullError, verify
from plait.serving.store import UnavailableError

SECRET = "Hermine Wolkenstein"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def audit(path: Path) -> Iterator[Audit]:
    with Audit.open(path) as made:
        yield made


def predict(decision: str, **more: object) -> Entry:
    return Entry("predict", {"decision": decision, "output": {"label": 1}, **more})


def test_what_is_acknowledged_is_found_also_by_others(audit: Audit, path: Path) -> None:
    assert audit.append([predict("a.0", request="a"), predict("a.1", request="a")]).result(10) == (1, 2)
    assert audit.append([predict("b.0", request="b", subject=SECRET)]).result(10) == (3,)
    found = audit.find("a.1")
    assert found is not None
    assert (found.seq, found.kind, found.redacted) == (2, "predict", ())
    assert found.fields == {"decision": "a.1", "request": "a", "output": {"label": 1}}
    for nowhere in ("a.2", "", "a\0b", "\ud800", "x" * 201):
        assert audit.find(nowhere) is None
    with Audit.open(path) as other:
        assert [entry.seq for entry in other.entries(request="a")] == [1, 2]
        assert [entry.seq for entry in other.entries(subject=SECRET)] == [3]
        assert [entry.seq for entry in other.entries(kind="predict", after=1)] == [2, 3]
        assert other.append([predict("c.0")]).result(10) == (4,)
    assert verify(path).sound


def test_a_store_is_for_its_owner_alone_and_synced(audit: Audit, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_submission_that_cannot_be_kept_fails_alone(audit: Audit, path: Path) -> None:
    futures = [audit.append([predict("a.0")]), audit.append([predict("b.0"), predict("b.1", bad=float("nan"))])]
    futures.append(audit.append([predict("c.0")]))
    assert futures[0].result(10) == (1,)
    with pytest.raises(DataError, match="field 'bad'"):
        futures[1].result(10)
    assert futures[2].result(10) == (2,)
    assert audit.append([]).result(0) == ()


def test_a_full_queue_is_said_at_once(path: Path) -> None:
    with Audit.open(path, room=10) as audit:
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        try:
            waiting = [audit.append([predict("a.0")])]
            time.sleep(0.2)  # the writer has taken it, and waits for the lock
            waiting += [audit.append([predict(f"b.{i}")]) for i in range(10)]
            with pytest.raises(FullError, match="10 entries wait to be written"):
                audit.append([predict("c.0")])
        finally:
            blocker.execute("ROLLBACK")
            blocker.close()
        assert all(future.result(10) for future in waiting)
    assert verify(path).entries == len(waiting)


def test_a_store_that_fails_is_said_without_values_and_comes_back(
    audit: Audit, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE plait_audit RENAME TO elsewhere")
    with pytest.raises(UnavailableError) as caught:
        audit.append([predict("a.0", subject=SECRET)]).result(10)
    assert not audit.healthy
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert SECRET not in caplog.text
    connection.execute("ALTER TABLE elsewhere RENAME TO plait_audit")
    connection.close()
    assert audit.append([predict("a.0")]).result(10) == (1,)
    assert audit.healthy


def test_health_comes_back_without_an_entry(audit: Audit, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE plait_audit RENAME TO elsewhere")
    assert audit.append([predict("a.0")]).exception(10) is not None
    connection.execute("ALTER TABLE elsewhere RENAME TO plait_audit")
    connection.close()
    end = time.monotonic() + 10
    while not audit.healthy and time.monotonic() < end:
        time.sleep(0.05)
    assert audit.healthy


def test_closing_writes_what_waits_and_then_refuses(path: Path) -> None:
    audit = Audit.open(path)
    futures: list[Future[tuple[int, ...]]] = [audit.append([predict(f"a.{i}")]) for i in range(50)]
    audit.close()
    assert [future.result(0) for future in futures] == [(i + 1,) for i in range(50)]
    with pytest.raises(UnavailableError, match="closed"):
        audit.append([predict("b.0")])


class Broken(dict[str, object]):
    """Fields that fail when they are read, as no JSON does."""

    def __getitem__(self, name: str) -> object:
        raise RuntimeError(name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_ever_where_the_writer_ends_by_a_defect(audit: Audit) -> None:
    with pytest.raises(UnavailableError, match="writer has stopped"):
        audit.append([Entry("predict", Broken(output=1))]).result(10)
    assert not audit.healthy
    with pytest.raises(UnavailableError, match="closed"):
        audit.append([predict("a.0")])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_is_refused(audit: Audit) -> None:
    child = os.fork()
    if child == 0:
        try:
            audit.append([predict("a.0")])
        except UnavailableError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:geheim@host/db", "no store at mysql"),
        ("sqlite://", "no store"),
        ("sqlite:///:memory:", "no store"),
        ("no/such/folder/a.db", "cannot keep a store"),
        ("://", "cannot be read"),
    ],
)
def test_what_is_no_store_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Audit.open(url)
    assert "geheim" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    with pytest.raises(UnavailableError, match=r"postgresql.*\*\*\*@127\.0\.0\.1:9") as caught:
        Audit.open("postgresql://user:geheim@127.0.0.1:9/db")
    assert "geheim" not in str(caught.value)


def test_a_store_is_not_made_where_one_is_expected(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for name in ("missing.db", "empty.db"):
        with pytest.raises(ConfigError, match=r"no store|holds no keys"):
            verify(tmp_path / name)
    assert not (tmp_path / "missing.db").exists()


def test_counts_are_counts(path: Path) -> None:
    with pytest.raises(ConfigError, match="counts of entries"):
        Audit.open(path, room=0)
